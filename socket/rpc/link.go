package rpc

import (
	"context"
	"os"
	"sync"
	"sync/atomic"

	"github.com/ipcctl/ipc/socket"
)

// wire sends frames on a connection, whichever side we are.
type wire struct {
	c *socket.Conn

	// active counts the calls under way. A lone one is sent at once; when
	// there are more, they share writes.
	active atomic.Int32
}

// scratch holds the buffers in which frames are put together.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

const maxScratch = 64 << 10

// send builds a frame and sends it.
func (w *wire) send(ctx context.Context, build func(b []byte) []byte, files ...*os.File) error {
	p := scratch.Get().(*[]byte)
	b := build((*p)[:0])
	var err error
	if len(files) > 0 || w.active.Load() <= 1 || len(b) > maxScratch {
		err = w.c.Send(ctx, b, files...)
	} else {
		err = w.c.SendBuffered(ctx, b)
	}
	if cap(b) <= maxScratch {
		*p = b[:0]
		scratch.Put(p)
	}
	return err
}
