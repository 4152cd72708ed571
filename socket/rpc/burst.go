package rpc

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/ipcctl/ipc/socket"
)

// Messages of a stream that follow each other at once: a write for each would cost ten
// times what the rest of it does. They go out together, through the connection's own
// buffer:
//
//	message ──▶ wire.buf ──▶ written now                      one that comes alone
//	message ──▶ Conn.SendBuffered ──▶ written with others     in a burst
//
// Both ways end at the connection, in the order in which it is called. A message could
// overtake an earlier one of its stream only while that is still in wire.buf, so in a
// burst as well messages go there unless it is empty and nobody is sending from it.
type burst struct {
	last  time.Time // when the sender was done with a message
	row   int       // messages of up to burstGap after the one before
	frame []byte    // used again
}

const (
	burstGap = 2 * time.Microsecond
	burstRow = 4 // before it is a burst
)

// goesOn notes a message, and reports whether it is one of a burst.
func (b *burst) goesOn(now time.Time) bool {
	if now.Sub(b.last) > burstGap {
		b.row = 0
	} else if b.row < burstRow {
		b.row++
	}
	b.last = now
	return b.row == burstRow
}

// sendData sends a message of a stream.
func (w *wire) sendData(ctx context.Context, f *outflow, id uint32, msg []byte, files []*os.File) error {
	goesOn := f.burst.goesOn(time.Now())
	if err := f.spend(ctx, len(msg), w); err != nil {
		return err
	}
	head := header{kind: kindData, id: id}
	if goesOn && len(files) == 0 && len(msg) <= maxCopied && w.idle() {
		f.burst.frame = append(head.append(f.burst.frame[:0]), msg...)
		err := w.c.SendBuffered(ctx, f.burst.frame)
		if err != nil && ctx.Err() == nil && !errors.Is(err, socket.ErrTooLarge) {
			w.fail(err)
		}
		return err
	}
	err := w.send(ctx, head.append, msg, files...)
	f.burst.last = time.Now() // not counting what the write took
	return err
}

// idle reports whether nothing waits in buf, nor is on its way from there.
func (w *wire) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.buf) == 0 && !w.sending
}
