package rpc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/ipcctl/ipc/socket"
)

// An inflow is the receiving end of a stream: messages that have come and were
// not yet taken.
//
//	peer ── window ──▶ queue ──▶ batch ──▶ take
//	  ▲                                      │
//	  └─────────────── credit ◀──────────────┘  once half of the window is free again
//
// The connection's reader pushes and never waits; the application takes. They meet
// only when the batch is used up, and becomes the queue.
type inflow struct {
	mu      sync.Mutex
	queue   []socket.Message // their data are whole frames
	window  int              // bytes that the peer may still send
	end     error            // why nothing follows the queue; nil while the stream goes on
	waiters int              // for wake
	wake    chan struct{}

	taking sync.Mutex // before mu
	batch  []socket.Message
	taken  int // of batch
	freed  int // bytes taken, not yet returned as credit
}

// payload cuts the header off a message's frame, or moves what is behind it to buf, if
// that has the capacity, and gives the frame's memory back.
func payload(m socket.Message, buf []byte) socket.Message {
	frame := m.Data
	m.Data = slices.Clip(frame[headerLen:]) // what is behind it was another's
	if buf != nil && len(m.Data) <= cap(buf) {
		m.Data = append(buf[:0], m.Data...)
		freeMemory.give(frame)
	}
	return m
}

func newInflow() *inflow { return &inflow{window: initialWindow, wake: make(chan struct{}, 1)} }

// cost is what a message of n bytes, with so many files, takes of the window.
func cost(n, files int) int { return n + messageCost + files*fileCost }

// costOf is the cost of a message whose data is a whole frame. The frame says how many files
// the sender has paid for: the system may have kept them from a receiver that wants none.
func costOf(m socket.Message) int {
	sent := int(binary.BigEndian.Uint16(m.Data[2:]))
	return cost(len(m.Data)-headerLen, max(len(m.Files), sent))
}

// push takes over m, whose data is a whole frame. It fails if the peer exceeds its
// window, or goes on after the end.
func (f *inflow) push(m socket.Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.window <= 0 || f.end == io.EOF {
		m.Close()
		return fmt.Errorf("%w: a stream message beyond its window", errProtocol)
	}
	if f.end != nil { // given up by this side
		m.Close()
		return nil
	}
	f.window -= costOf(m)
	f.queue = append(f.queue, m)
	f.notify()
	return nil
}

// notify wakes one who waits, if anybody does. Precondition: mu is held.
func (f *inflow) notify() {
	if f.waiters > 0 {
		notify(f.wake)
	}
}

// finish ends the stream behind what is queued.
func (f *inflow) finish(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.end == nil {
		f.end = err
	}
	f.notify()
}

// discard drops what nobody will take.
func (f *inflow) discard() {
	f.taking.Lock()
	defer f.taking.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.end == nil {
		f.end = os.ErrClosed
	}
	for _, left := range [][]socket.Message{f.batch[f.taken:], f.queue} {
		for i := range left {
			left[i].Close()
		}
	}
	f.batch, f.taken, f.queue = nil, 0, nil
}

// take returns the next message, in buf as payload does it, and how much credit the peer
// shall get. Before it waits it lets what w holds back go, which the peer may be waiting
// for.
func (f *inflow) take(ctx context.Context, w *wire, buf []byte) (m socket.Message, credit int, err error) {
	for {
		if m, credit, err = f.next(); err != errNothing {
			if err != nil {
				return m, 0, err
			}
			return payload(m, buf), credit, nil
		}
		w.c.TryFlush()
		select {
		case <-f.wake:
			f.waited()
		case <-ctx.Done():
			f.waited()
			return m, 0, ctx.Err()
		}
	}
}

var errNothing = errors.New("rpc: nothing has come")

// next is take where there is something. Else it returns errNothing, and wake is told of
// what comes until waited is called.
func (f *inflow) next() (m socket.Message, credit int, err error) {
	f.taking.Lock()
	defer f.taking.Unlock()
	if f.taken == len(f.batch) {
		if err := f.refill(); err != nil {
			return m, 0, err
		}
	}
	m = f.batch[f.taken]
	f.batch[f.taken] = socket.Message{}
	f.taken++
	if f.freed += costOf(m); f.freed >= initialWindow/2 {
		credit, f.freed = f.freed, 0
		f.mu.Lock()
		f.window += credit
		f.mu.Unlock()
	}
	return m, credit, nil
}

// refill makes the queue the batch, which is used up. Precondition: taking is held.
func (f *inflow) refill() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case len(f.queue) > 0:
		f.batch, f.queue, f.taken = f.queue, f.batch[:0], 0
		return nil
	case f.end != nil:
		return f.end
	}
	f.waiters++
	return errNothing
}

func (f *inflow) waited() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiters--
	if len(f.queue) > 0 || f.end != nil {
		f.notify() // who waits as well
	}
}

// An outflow is the sending end of a stream: what the peer has room for. A
// message may exceed it once; then there is none until credit comes.
type outflow struct {
	mu     sync.Mutex
	credit int
	end    error
	wake   chan struct{}

	burst burst // its owner is the sender
}

func newOutflow() *outflow { return &outflow{credit: initialWindow, wake: make(chan struct{}, 1)} }

// spend waits for credit and spends it on a message of that cost. Before it waits it lets
// what w holds back go: there is no credit for what has not come.
func (f *outflow) spend(ctx context.Context, cost int, w *wire) error {
	for {
		f.mu.Lock()
		err := f.end
		ok := err == nil && f.credit > 0
		if ok {
			f.credit -= cost
		}
		f.mu.Unlock()
		if err != nil {
			notify(f.wake)
			return err
		}
		if ok {
			return nil
		}
		w.c.TryFlush()
		select {
		case <-f.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// refund gives back what was spent on a message that was not sent.
func (f *outflow) refund(cost int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.credit += cost
	notify(f.wake)
}

// add grants credit. No honest peer grants more than the window.
func (f *outflow) add(n uint32) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n > 1<<30 || f.credit+int(n) > initialWindow {
		return fmt.Errorf("%w: credit for more than the window", errProtocol)
	}
	f.credit += int(n)
	notify(f.wake)
	return nil
}

// finish makes spend return err. The end of the call, io.EOF, is the last word.
func (f *outflow) finish(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.end != io.EOF {
		f.end = err
	}
	notify(f.wake)
}

// giveCredit sends what take has freed. If there is no room before ctx ends, a
// goroutine goes on: credit that got lost would be missing as long as the
// stream lasts. A failure is the connection's, and the next call meets it.
func (w *wire) giveCredit(ctx context.Context, id uint32, n int) {
	build := func(b []byte) []byte { return appendCredit(b, id, n) }
	if w.add(ctx, build, nil) != nil {
		go func() { _ = w.send(context.Background(), build, nil) }()
		return
	}
	_ = w.flush(ctx, w.active.Load() > 1) // it has a goroutine for what ctx leaves
}

func notify(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}
