//go:build linux && !ipcportable

package pipe

import (
	"context"

	"golang.org/x/sys/unix"
)

// pollerSeesWriters says that a reader whose writers are gone can wait in the
// poller for the next one: epoll is edge-triggered and stays silent until a
// writer comes and writes or leaves.
const pollerSeesWriters = true

// park runs the step until it is done.
func (d *desc) park(context.Context) error { return d.do(d.step) }

// hungUp reports whether writers have been there and are gone: Linux keeps
// that apart from a FIFO that no writer has opened since the reader did.
func (d *desc) hungUp() bool {
	gone := false
	_ = d.control(func(fd int) { gone = pollNow(fd, unix.POLLIN)&unix.POLLHUP != 0 })
	return gone
}
