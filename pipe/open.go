//go:build unix

package pipe

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ReaderOptions says how [OpenReader] opens a FIFO.
type ReaderOptions struct {
	// Persistent makes the reader outlive its writers: it is there at once,
	// before the first, and where the last one leaves it waits for the next
	// instead of returning io.EOF. A writer that leaves inside a message costs
	// that message alone: Recv returns an error wrapping io.ErrUnexpectedEOF
	// once and goes on with the next writer's.
	Persistent bool

	// AllowOthers accepts a FIFO that another user owns or may write to.
	AllowOthers bool
}

// WriterOptions says how [OpenWriter] opens a FIFO.
type WriterOptions struct {
	// Exclusive promises that this is the only writer, which lifts the limit of
	// MaxAtomic bytes for a message. Without it, any number of processes may
	// send and no message is torn.
	Exclusive bool

	// AllowOthers accepts a FIFO that another user owns or may write to.
	AllowOthers bool
}

// OpenReader opens the FIFO at path and waits until a writer opens it too. If
// ctx ends first, the error wraps ErrNoWriter and ctx.Err(), and nothing is left
// open. It wraps os.ErrNotExist, ErrNotFIFO or ErrUntrusted where there is no
// FIFO to trust at path.
//
// On Linux, waiting takes a thread and touches no other process: unlike the
// usual trick of opening the other end to get out of a blocked open(2), ending
// ctx wakes nobody else who waits on the FIFO.
func OpenReader(ctx context.Context, path string, o *ReaderOptions) (*Reader, error) {
	if o == nil {
		o = &ReaderOptions{}
	}
	fd, head, err := openFIFO(ctx, path, o.AllowOthers, func(id fileID) (int, []byte, error) {
		if o.Persistent {
			fd, err := openOnce(path, unix.O_RDONLY|unix.O_NONBLOCK, id)
			return fd, nil, err
		}
		return openBeforeWriter(ctx, path, id)
	})
	if err != nil {
		return nil, fail("open for reading", path, waitError(err, ErrNoWriter))
	}
	f, err := nonblock(fd, path)
	if err != nil {
		return nil, fail("open for reading", path, err)
	}
	r, err := wrapReader(f, path, stream)
	if err != nil {
		return nil, fail("open for reading", path, err)
	}
	r.d.stay, r.d.none, r.d.head = o.Persistent, o.Persistent, head
	return r, nil
}

// OpenWriter opens the FIFO at path and waits until a reader has opened it. If
// ctx ends first, the error wraps ErrNoReader and ctx.Err(), and nothing is left
// open; see [OpenReader] for the others.
func OpenWriter(ctx context.Context, path string, o *WriterOptions) (*Writer, error) {
	if o == nil {
		o = &WriterOptions{}
	}
	fd, _, err := openFIFO(ctx, path, o.AllowOthers, func(id fileID) (int, []byte, error) {
		fd, err := openOnce(path, unix.O_WRONLY|unix.O_NONBLOCK, id)
		if errors.Is(err, unix.ENXIO) { // no reader yet: open(2)
			fd, err = openBeforeReader(ctx, path, id)
		}
		return fd, nil, err
	})
	if err != nil {
		return nil, fail("open for writing", path, waitError(err, ErrNoReader))
	}
	f, err := nonblock(fd, path)
	if err != nil {
		return nil, fail("open for writing", path, err)
	}
	w, err := wrapWriter(f, path, stream)
	if err != nil {
		return nil, fail("open for writing", path, err)
	}
	w.atomic = !o.Exclusive
	return w, nil
}

// openFIFO checks what is at path, opens it with open, and does both again if
// the path was given to another file in between.
func openFIFO(ctx context.Context, path string, others bool, open func(fileID) (int, []byte, error)) (int, []byte, error) {
	const swaps = 100
	for range swaps {
		if err := ctx.Err(); err != nil {
			return -1, nil, err
		}
		st, err := inspect(path, others)
		if err != nil {
			return -1, nil, err
		}
		fd, head, err := open(idOf(&st))
		if !errors.Is(err, errSwapped) {
			return fd, head, err
		}
	}
	return -1, nil, errSwapped
}

// waitError adds to the error of an ended context whom the wait was for.
func waitError(err, missing error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", missing, err)
	}
	return err
}
