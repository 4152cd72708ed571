package rpc

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/ipcctl/ipc/socket"
)

// Somebody must read what the server sends. While calls are made one at a
// time, that is whoever makes one: a reply that is handed from one goroutine
// to another costs a switch, and more often than not the waking of another
// thread. Otherwise, with several calls or a stream under way, or none for a
// while, it is a goroutine of the link, the keeper.
//
//	          one or two callers                a call: lead
//	keeper ────────────────▶ nobody ◀──────────────────────▶ caller
//	   ▲  ▲                    │                                │
//	   │  └── a tick without ──┘                                │
//	   │      a call                                            │
//	   └────────────── others wait for replies ─────────────────┘
//
// Two callers take turns in it (following.go).
type reading struct {
	by        atomic.Uint32 // changed only by who holds link.mu
	streams   int           // under way
	followers int           // callers who poll for their reply, which has not come
	sleepers  int           // callers who sleep until it has
	few       int           // how sure it is that there are one or two callers, up to fewSure
	calls     uint          // that led; the keeper looks whether there were any
	following

	take chan struct{} // tells the keeper that it is the reader
}

// Values of reading.by.
const (
	byKeeper = iota
	byCaller
	byNobody
)

// How the caller of a pending waits for its reply.
type waiting uint8

const (
	notYet waiting = iota // it is about to, or reads, or its reply has come
	follows
	asleep
)

const (
	// fewSure is when the keeper leaves the reading to callers. A call that was
	// alone counts fewAlone, one that met one other counts 1, and with more at a
	// time it begins again.
	fewSure  = 256
	fewAlone = 32

	// shareEvery is after how many calls a caller, and after how many waits the reader
	// of a session, lets other goroutines have its processor. One who always finds
	// what it polls for would keep them, and timers, waiting for 10 ms.
	shareEvery = 32

	// keeperEvery is how often the keeper looks whether there are still calls.
	// The end of the connection is noticed that much later.
	keeperEvery = 10 * time.Millisecond
)

func (r *reading) init() { r.take = make(chan struct{}, 1) }

// counts notes a call that has ended, one of so many.
func (r *reading) counts(calls int32) {
	switch calls {
	case 1:
		r.few = min(r.few+fewAlone, fewSure)
	case 2:
		r.few = min(r.few+1, fewSure)
	default:
		r.few = 0
	}
}

// waits notes how the caller of p waits from now on. Precondition: link.mu is held.
func (r *reading) waits(p *pending, how waiting) {
	switch p.waiting {
	case follows:
		r.followers--
	case asleep:
		r.sleepers--
	}
	switch how {
	case follows:
		r.followers++
	case asleep:
		r.sleepers++
	}
	p.waiting = how
}

// mayLeave reports whether a reader may go without another in its place: whoever waits
// for something follows, or will, and so reads on. Precondition: link.mu is held.
func (r *reading) mayLeave() bool {
	return r.streams == 0 && (r.sleepers == 0 || r.followers > 0)
}

// join makes the caller of p the reader, or lets it follow the one there is, if either
// is of use. It returns true if the caller is the reader now.
func (l *link) join(p *pending) bool {
	l.mu.Lock()
	leads, how := l.lead(p), asleep
	switch {
	case leads || l.pending[p.id] != p:
		how = notYet
	case l.beginFollowing():
		how = follows
	}
	l.reading.waits(p, how)
	l.mu.Unlock()
	return leads || how == follows && l.follow(p)
}

// lead makes the caller of p the reader, if there is none and the reply has not
// come yet. Precondition: mu is held.
func (l *link) lead(p *pending) bool {
	r := &l.reading
	if r.by.Load() != byNobody || r.streams > 0 || l.pending[p.id] != p {
		return false
	}
	r.waits(p, notYet)
	r.by.Store(byCaller)
	r.calls++
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
	r := &l.reading
	if r.mayLeave() {
		r.by.Store(byNobody)
	} else {
		l.toKeeper()
	}
	share := r.calls%shareEvery == 0
	l.mu.Unlock()
	if share {
		runtime.Gosched()
	}
}

// toKeeper makes the keeper the reader. Precondition: mu is held.
func (l *link) toKeeper() {
	l.reading.by.Store(byKeeper)
	l.reading.few = 0
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
	if r.by.Load() == byNobody && (r.calls == before || r.streams > 0 || l.err != nil) {
		r.by.Store(byKeeper)
		r.few = 0
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
	if l.reading.few < fewSure || l.reading.sleepers > 0 || l.reading.streams > 0 {
		return false
	}
	l.reading.by.Store(byNobody)
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
