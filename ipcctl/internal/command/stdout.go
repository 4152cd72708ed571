package command

import (
	"context"
	"io"
	"time"
)

// stdout is where data goes. A reader that has gone ends the verb as SIGPIPE would,
// and a signal ends it also while the reader, who lives, takes nothing.
type stdout struct {
	io.Writer
	ctx context.Context // of the verb
}

// lastWrite is how long a reader has, after the signal, to take what is being written.
const lastWrite = 100 * time.Millisecond

// Write implements io.Writer. A write that the verb's end cuts short goes on behind its
// back until the process ends: nothing may be written after it.
func (s *stdout) Write(p []byte) (n int, err error) {
	if s.ctx.Done() == nil {
		n, err = s.Writer.Write(p)
		return n, readerGone(err)
	}
	written := make(chan struct{})
	var taken int
	var failed error
	go func() {
		defer close(written)
		taken, failed = s.Writer.Write(p)
	}()
	select {
	case <-written:
		return taken, readerGone(failed)
	case <-s.ctx.Done():
	}
	select {
	case <-written:
		return taken, readerGone(failed)
	case <-time.After(lastWrite):
		return 0, context.Cause(s.ctx)
	}
}

// reading returns r as something that ends with the verb, too: what is copied to a
// file never waits.
func (c *call) reading(r io.Reader) io.Reader { return &reading{r, c.ctx} }

type reading struct {
	io.Reader
	ctx context.Context
}

// Read implements io.Reader.
func (r *reading) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}
