package rpc

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/ipcctl/ipc/socket"
	"github.com/ipcctl/ipc/socket/internal/cpu"
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
	last  time.Duration // by cpu.Clock, when the last message came
	row   int           // messages of up to burstGap after the one before, up to 2*burstRow
	frame []byte        // used again
}

const (
	burstGap = 2 * time.Microsecond
	burstRow = 4 // before it is a burst

	// burstWrite is how long a write may take by which the sender empties the buffer: not
	// a pause.
	burstWrite = 100 * time.Microsecond
)

// goesOn notes a message, and reports whether it is one of a burst.
func (b *burst) goesOn(now time.Duration) bool {
	switch gap := now - b.last; {
	case gap > burstWrite:
		b.row = 0
	case gap > burstGap:
		b.row = max(b.row-burstRow, 0)
	case b.row < 2*burstRow:
		b.row++
	}
	b.last = now
	return b.row >= burstRow
}

// sendData sends a message of a stream.
func (w *wire) sendData(ctx context.Context, f *outflow, id uint32, msg []byte, files []*os.File) error {
	goesOn := f.burst.goesOn(cpu.Clock())
	cost := cost(len(msg), len(files))
	if err := f.spend(ctx, cost, w); err != nil {
		return err
	}
	err := w.sendSpent(ctx, &f.burst, id, msg, files, goesOn)
	if err != nil && ctx.Err() == nil {
		f.refund(cost) // nothing was sent, or nothing will be any more
	}
	return err
}

// sendSpent is sendData when there is credit for the message.
func (w *wire) sendSpent(ctx context.Context, b *burst, id uint32, msg []byte, files []*os.File, goesOn bool) error {
	head := header{kind: kindData, aux: uint16(len(files)), id: id}
	if goesOn && len(files) == 0 && len(msg) <= maxCopied && w.idle() {
		b.frame = append(head.append(b.frame[:0]), msg...)
		err := w.c.SendBuffered(ctx, b.frame)
		if err != nil && ctx.Err() == nil && !errors.Is(err, socket.ErrTooLarge) {
			w.fail(err)
		}
		return err
	}
	err := w.send(ctx, head.append, msg, files...)
	b.last = cpu.Clock() // not counting what the write took
	return err
}

// idle reports whether nothing waits in buf, nor is on its way from there.
func (w *wire) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.buf) == 0 && !w.sending
}
