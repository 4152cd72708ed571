package pipe

import (
	"fmt"
)

// Capacity returns how many bytes the pipe holds before a writer must wait.
// Linux gives 64 KiB, or as little as one page to a user over its quota
// (pipe-user-pages-soft, pipe(7)). A Write or Send of more than that, one of
// 16 KiB or more that finds the pipe full (so do many of SendBuffered together),
// and a [Relay], make them 256 KiB where the quota allows, unless SetCapacity was
// called. Elsewhere the error wraps errors.ErrUnsupported.
func (r *Reader) Capacity() (int, error) {
	n, err := r.d.resize(0)
	return n, r.fail("capacity", err)
}

// SetCapacity asks for room for n bytes and returns what the pipe really holds
// then, which is n or more. The error wraps os.ErrPermission above the limit
// for users without CAP_SYS_RESOURCE (/proc/sys/fs/pipe-max-size, 1 MiB unless
// changed), syscall.EBUSY where more than n bytes are in the pipe, and
// errors.ErrUnsupported where the system can't; nothing changes then.
func (r *Reader) SetCapacity(n int) (int, error) { return setCapacityOf(r.d, n) }

// Capacity returns how many bytes the pipe holds, as [Reader.Capacity] does.
func (w *Writer) Capacity() (int, error) {
	n, err := w.d.resize(0)
	return n, w.fail("capacity", err)
}

// SetCapacity asks for room for n bytes, as [Reader.SetCapacity] does.
func (w *Writer) SetCapacity(n int) (int, error) { return setCapacityOf(w.d, n) }

func setCapacityOf(d *desc, n int) (int, error) {
	if n <= 0 {
		return 0, fail("set capacity", d.name, fmt.Errorf("%d bytes: a pipe holds at least one", n))
	}
	d.sized.Store(true)
	got, err := d.resize(n)
	return got, fail(fmt.Sprintf("set capacity to %d bytes", n), d.name, err)
}

// grow makes room for a transfer of n bytes that exceeds what the system gives
// a pipe: both sides sleep less. It leaves alone a capacity that somebody chose,
// and a user who is over his quota keeps what he has.
func (d *desc) grow(n int) {
	if n <= usual || d.sized.Load() {
		return
	}
	d.sized.Store(true)
	if got, err := d.resize(0); err == nil && got == usual {
		_, _ = d.resize(roomy) // refused: then it takes longer
	}
}
