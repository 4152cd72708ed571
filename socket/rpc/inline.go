package rpc

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipcctl/ipc/socket/internal/cpu"
)

// A worker for each call costs two switches between goroutines and, more often
// than not, the waking of another thread: many times what a quick handler
// takes. So the goroutine that reads a session's frames runs the handlers of
// methods that have proved quick by itself, and sends their replies together,
// 16 of them or those that there are when there is nothing more to read. Long ones
// go out at once.
//
//	reader   read ▶ handler ▶ handler ▶ send ▶ read ▶ handler that blocks …
//	watch                                               └▶ go on reading
//
// The watch looks every millisecond at sessions that run handlers in this way.
// If it meets one in the same handler twice, another goroutine reads on from
// there; the first one sends its reply and ends.

// errPassed says that somebody else reads the session now.
var errPassed = errors.New("rpc: reading was passed on")

const (
	// quickLimit is the longest that a handler may take to count as quick. One
	// that takes longer gains from running beside others.
	quickLimit = 10 * time.Microsecond

	// paceQuick is the score from which a method is quick; a quick run adds
	// one, up to paceMost, a slow one takes away paceSlow. One that the watch
	// met blocking begins again at -paceBlocked.
	paceQuick   = 16
	paceMost    = 64
	paceSlow    = 16
	paceBlocked = 1000

	// batchLimit is for how long replies may wait for others, batchReplies how
	// many go together: with more, each side would wait while the other works.
	batchLimit   = 100 * time.Microsecond
	batchReplies = 16

	// tinyReply is the longest reply, in bytes, after which the clock is not read again:
	// to add it to others takes less than that.
	tinyReply = 1 << 10

	watchEvery = time.Millisecond
)

// pace remembers how quick a method has been lately. Updates may be lost:
// nothing but speed depends on them.
type pace struct{ score atomic.Int32 }

func (p *pace) quick() bool { return p.score.Load() >= paceQuick }

func (p *pace) took(d time.Duration) {
	was := p.score.Load()
	switch {
	case d > quickLimit:
		p.score.Store(max(was-paceSlow, min(was, 0)))
	case was < paceMost:
		p.score.Store(was + 1)
	}
}

func (p *pace) blocked() { p.score.Store(-paceBlocked) }

// run is a row of handlers that the reader has run since it last waited.
type run struct {
	entered uint64        // the stage since the last enter
	replies int           // that wait to be sent
	since   time.Duration // by cpu.Clock, when the first of them began
	now     time.Duration // when the last of them ended, or a reply that could not wait was sent
	took    time.Duration // by the last of them
	waits   uint          // for something to read
	started bool          // a worker, since the last wait
}

// full reports whether the replies should wait no longer.
func (r *run) full() bool { return r.replies >= batchReplies || r.now-r.since > batchLimit }

// inline runs a call on the reader's goroutine. It returns errPassed if
// somebody else reads by now.
func (x *session) inline(r *run, call *Call) error {
	if r.replies == 0 {
		r.since = cpu.Clock()
		r.now = r.since
	}
	x.enter(r)
	method := call.method
	call.run()
	r.replies++
	if r.full() {
		_ = x.wire.flush(x.ctx, false) // an error ends read
		r.replies = 0
	}
	if !x.stage.leave(r.entered) {
		if r.took >= watchEvery { // and not the sending of its reply
			method.pace.blocked()
		}
		_ = x.wire.flush(x.ctx, false)
		return errPassed
	}
	return nil
}

// turnAway refuses a call. The refusal waits for others as the replies of quick
// handlers do: sent at once, it could keep the reader from a peer that does not
// read until it has sent all its calls.
func (x *session) turnAway(r *run, call *Call, refusal *Error) error {
	r.now = cpu.Clock()
	if r.replies == 0 {
		r.since = r.now
	}
	r.replies++
	call.reader = r
	if err := x.end(call, nil, refusal); err != nil {
		return err
	}
	if r.full() {
		return x.flush(r)
	}
	return nil
}

// flush sends the replies that wait. It may have to wait for the peer, as a
// handler may.
func (x *session) flush(r *run) error {
	if r.replies == 0 {
		return nil
	}
	r.replies = 0
	x.enter(r)
	_ = x.wire.flush(x.ctx, false)
	if !x.stage.leave(r.entered) {
		return errPassed
	}
	return nil
}

// enter is called before what may block.
func (x *session) enter(r *run) {
	r.entered = x.stage.enter()
	if !x.stage.watched.Load() { // SYNC(watch)
		x.s.watch.add(x)
	}
}

// stage tells where a session's reader is: the value is odd while it is in a
// handler, and changes whenever it enters or leaves one. The watch takes the
// session from a reader by changing an odd value itself.
//
//	even ──enter──▶ odd ──leave──▶ even
//	                 └───pass────▶ even: leave fails, and the reader ends
//
// SYNC(watch): enter stores at, then loads watched; the watch stores watched,
// then loads at. One of them sees what the other did.
type stage struct {
	at      atomic.Uint64
	watched atomic.Bool
	seen    uint64 // at the watch's last look
}

// enter returns the odd value that leave must find. Precondition: the caller
// is the reader, and not in a handler.
func (s *stage) enter() uint64 { return s.at.Add(1) }

// leave returns false if somebody else reads by now.
func (s *stage) leave(entered uint64) bool { return s.at.CompareAndSwap(entered, entered+1) }

// A watch looks after the sessions whose readers run handlers.
type watch struct {
	mu       sync.Mutex
	sessions []*session
	running  bool
}

func (w *watch) add(x *session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if x.stage.watched.Swap(true) {
		return
	}
	w.sessions = append(w.sessions, x)
	if !w.running {
		w.running = true
		go w.run()
	}
}

// run looks at all sessions again and again, until there are none.
func (w *watch) run() {
	for {
		time.Sleep(watchEvery)
		w.mu.Lock()
		kept := w.sessions[:0]
		for _, x := range w.sessions {
			if x.look() {
				kept = append(kept, x)
			}
		}
		clear(w.sessions[len(kept):])
		w.sessions = kept
		if len(kept) == 0 {
			w.running = false
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
	}
}

// look reports whether the session must be looked at again.
func (x *session) look() bool {
	s := &x.stage
	at := s.at.Load()
	if at != s.seen {
		s.seen = at
		return true
	}
	if at%2 == 0 { // nothing has happened since the last look
		s.watched.Store(false)
		return s.at.Load() != at && !s.watched.Swap(true) // SYNC(watch)
	}
	if s.leave(at) { // in the reader's stead
		go x.serve()
	}
	return true
}
