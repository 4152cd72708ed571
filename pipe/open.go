package pipe

import (
	"context"
	"errors"
	"fmt"
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
	f, head, err := openReadEnd(ctx, path, o)
	if err != nil {
		return nil, fail("open for reading", path, waitError(err, ErrNoWriter))
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
	f, err := openWriteEnd(ctx, path, o)
	if err != nil {
		return nil, fail("open for writing", path, waitError(err, ErrNoReader))
	}
	w, err := wrapWriter(f, path, stream)
	if err != nil {
		return nil, fail("open for writing", path, err)
	}
	w.atomic = !o.Exclusive
	return w, nil
}

// waitError adds to the error of an ended context whom the wait was for.
func waitError(err, missing error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", missing, err)
	}
	return err
}
