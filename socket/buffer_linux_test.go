package socket

import (
	"context"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// The kernel's buffer grows when long messages fill it, and for nothing else.
func TestWriteBufferGrows(t *testing.T) {
	for name, c := range map[string]struct {
		options *ConnOptions
		message int
		grows   bool
	}{
		"long messages":      {message: longMessage, grows: true},
		"short messages":     {message: longMessage / 2},
		"as it was told":     {options: &ConnOptions{WriteBuffer: 64 << 10}, message: longMessage},
		"more than it needs": {options: &ConnOptions{WriteBuffer: 2 * growWriteBuffer}, message: longMessage},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			a, b := pair(t, c.options)
			before := writeBuffer(t, a)
			ctx, cancel := context.WithCancel(soon(t))
			full := make(chan int)
			go func() {
				n := 0
				for a.Send(ctx, make([]byte, c.message)) == nil {
					n++
				}
				full <- n
			}()
			eventually(t, "no room", a.out.waiting.Load)
			after := writeBuffer(t, a)
			is.Equal(after > before, c.grows)
			is.True(after >= before)
			is.Equal(writeBuffer(t, b), before) // who sends nothing needs nothing
			cancel()
			<-full
		})
	}
}

// The buffer is not made smaller where the system's is larger, nor asked for twice.
func TestWriteBufferNeverShrinks(t *testing.T) {
	is := is.New(t)
	a, _ := pair(t, nil)
	is.NoErr(a.control(func(fd uintptr) { sysWriteBuffer(int(fd), 2*growWriteBuffer) }))
	before := writeBuffer(t, a)
	is.NoErr(a.control(func(fd uintptr) { sysGrowWriteBuffer(int(fd), min(growWriteBuffer, before)) }))
	is.Equal(writeBuffer(t, a), before)
}

// writeBuffer returns the size of c's kernel buffer, as the kernel counts.
func writeBuffer(t testing.TB, c *Conn) (n int) {
	t.Helper()
	var err error
	if e := c.control(func(fd uintptr) { n, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF) }); e != nil {
		err = e
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}
