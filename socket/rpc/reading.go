package rpc

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/ipcctl/ipc/socket"
)

// Somebody must read what the server sends. While calls are made one at a
// time, that is whoever makes one: a reply that is handed from one goroutine
// to another costs a switch, and more often than not the waking of another
// thread. Otherwise, with several calls or a stream under way, or none for a
// while, it is a goroutine of the link, the keeper.
//
//	          lone calls                        a call: lead
//	keeper ────────────────▶ nobody ◀──────────────────────▶ caller
//	   ▲  ▲                    │                                │
//	   │  └── a tick without ──┘                                │
//	   │      a call                                            │
//	   └────────────── others wait for replies ─────────────────┘
type reading struct {
	by      reader
	streams int  // under way
	lone    int  // calls in a row that were alone
	calls   uint // that led; the keeper looks whether there were any

	take chan struct{} // tells the keeper that it is the reader
}

type reader uint8

const (
	byKeeper reader = iota
	byCaller
	byNobody
)

const (
	// loneCalls is how many calls in a row must have been alone for the keeper
	// to leave the reading to callers.
	loneCalls = 8

	// keeperEvery is how often the keeper looks whether there are still calls.
	// The end of the connection is noticed that much later.
	keeperEvery = 10 * time.Millisecond
)

func newReading() reading { return reading{take: make(chan struct{}, 1)} }

// counts notes a call that has ended.
func (r *reading) counts(alone bool) {
	if !alone {
		r.lone = 0
	} else if r.lone < loneCalls {
		r.lone++
	}
}

// lead makes the caller of p the reader, if there is none and the reply has not
// come yet.
func (l *link) lead(p *pending) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reading.by != byNobody || l.reading.streams > 0 || l.pending[p.id] != p {
		return false
	}
	l.reading.by = byCaller
	l.reading.calls++
	return true
}

// readFor serves frames until the result of p has come. Precondition: the
// caller is the reader.
func (l *link) readFor(ctx context.Context, p *pending) (result, error) {
	for {
		m, err := l.wire.c.Recv(ctx)
		if err != nil && ctx.Err() != nil {
			l.pass()
			return result{}, ctx.Err()
		}
		if !l.serve(m, err) {
			l.pass()
			return <-p.done, nil // as for all others
		}
		select {
		case r := <-p.done:
			for alive := true; alive && l.wire.c.Pending(); {
				m, err := l.wire.c.Recv(context.Background())
				alive = l.serve(m, err)
			}
			l.pass()
			return r, nil
		default:
		}
	}
}

// pass ends a caller's reading.
func (l *link) pass() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) == 0 {
		l.reading.by = byNobody
		return
	}
	l.toKeeper()
}

// toKeeper makes the keeper the reader. Precondition: mu is held.
func (l *link) toKeeper() {
	l.reading.by = byKeeper
	l.reading.lone = 0
	l.reading.take <- struct{}{}
}

// keep is the keeper.
func (l *link) keep() {
	tick := time.NewTicker(keeperEvery)
	defer tick.Stop()
	for l.readOn() {
		tick.Reset(keeperEvery)
		for calls, mine := uint(0), false; !mine; {
			select {
			case <-l.reading.take:
				mine = true
			case <-tick.C:
				calls, mine = l.missed(calls)
			}
		}
		tick.Stop()
	}
}

// missed makes the keeper the reader if nobody is, and nobody was since it
// counted calls before.
func (l *link) missed(before uint) (calls uint, mine bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &l.reading
	if r.by == byNobody && (r.calls == before || r.streams > 0 || l.err != nil) {
		r.by, r.lone = byKeeper, 0
		return r.calls, true
	}
	return r.calls, false
}

// readOn serves frames as the keeper. It returns false when the connection has
// ended, and true when the callers read by themselves.
func (l *link) readOn() bool {
	for served := 1; ; served++ {
		m, err := l.wire.c.Recv(context.Background())
		if !l.serve(m, err) {
			return false
		}
		if l.leaveToCallers() {
			return true
		}
		if served >= batchReplies || !l.wire.c.Pending() {
			served = 0
			// Recv may spin. Callers whose replies have come go first, and then
			// the one of them who lets others go first, to send for all.
			runtime.Gosched()
			if l.wire.busy() {
				runtime.Gosched()
			}
		}
	}
}

func (l *link) leaveToCallers() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reading.lone < loneCalls || len(l.pending) > 0 {
		return false
	}
	l.reading.by = byNobody
	return true
}

// serve serves what Recv returned. It returns false when the connection has
// ended, and then all its calls have.
func (l *link) serve(m socket.Message, err error) bool {
	if err == nil {
		err = l.frame(m)
	}
	if err == io.EOF {
		err = socket.ErrPeerClosed
	}
	if err != nil {
		l.fail(fmt.Errorf("%w: %w", ErrConnection, err))
	}
	return err == nil
}
