//go:build unix

package rpc

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket"
	"github.com/ipcctl/ipc/socket/internal/cpu"
)

// fewCallers returns a link between calls of one or two callers, with somebody who
// calls and reads, and the call of another, who may follow.
func fewCallers(t *testing.T) (l *link, reader, other *pending) {
	t.Helper()
	a, b, err := socket.Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	l = &link{cl: newClient(&ClientOptions{}), pending: map[uint32]*pending{}, spin: time.Minute, procs: 2}
	l.wire.init(a, nil)
	l.reading.init()
	l.reading.few = fewSure
	l.reading.by.Store(byNobody)
	reader, other = entered(t, l), entered(t, l)
	if !l.join(reader) {
		t.Fatal("nobody reads, and a caller does not")
	}
	return l, reader, other
}

func entered(t *testing.T, l *link) *pending {
	t.Helper()
	p := &pending{done: make(chan result, 1)}
	if err := l.enter(p); err != nil {
		t.Fatal(err)
	}
	return p
}

// startFollowing waits for somebody to follow, and returns what will tell whether he reads
// in the end.
func startFollowing(t *testing.T, l *link, p *pending) (leads chan bool) {
	t.Helper()
	leads = make(chan bool, 1)
	go func() { leads <- l.join(p) }()
	eventually(t, "a follower", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.reading.followers == 1
	})
	return leads
}

// answer gives a call its reply, as frame does.
func answer(l *link, p *pending) {
	l.mu.Lock()
	l.drop(p)
	l.mu.Unlock()
	p.finish(result{})
}

// The reader meets the follower's reply.
func TestFollowerGetsItsReply(t *testing.T) {
	is := is.New(t)
	l, _, other := fewCallers(t)
	leads := startFollowing(t, l, other)
	answer(l, other)
	is.True(!<-leads)
	<-other.done
	is.Equal(l.reading.by.Load(), uint32(byCaller)) // still
	is.Equal(allFollowers.Load(), int32(0))
}

// The reader has its reply and leaves: the follower reads on.
func TestFollowerReadsOn(t *testing.T) {
	is := is.New(t)
	l, reader, other := fewCallers(t)
	leads := startFollowing(t, l, other)
	answer(l, reader)
	l.pass()
	is.True(<-leads)
	is.Equal(l.reading.by.Load(), uint32(byCaller))
	answer(l, other)
	l.pass()
	is.Equal(l.reading.by.Load(), uint32(byNobody))
}

// The reader leaves to a follower who has its reply already, with a third call under
// way whose caller sleeps: the keeper reads for that one.
func TestFollowerLeavesToTheKeeper(t *testing.T) {
	is := is.New(t)
	l, reader, other := fewCallers(t)
	is.True(begins(l, other))
	third := entered(t, l)
	l.reading.counts(3)
	is.True(!l.join(third)) // sleeps
	answer(l, other)
	answer(l, reader)
	l.pass()
	is.Equal(l.reading.by.Load(), uint32(byKeeper))
	<-l.reading.take
	is.True(!l.follow(other))
	is.Equal(l.reading.by.Load(), uint32(byKeeper))
}

// begins makes the caller of p a follower, if join would.
func begins(l *link, p *pending) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.beginFollowing() {
		return false
	}
	l.reading.waits(p, follows)
	return true
}

// A call that is still being sent needs no reader: its caller will be one.
func TestReaderLeavesToACallerWhoSends(t *testing.T) {
	is := is.New(t)
	l, reader, other := fewCallers(t)
	answer(l, reader)
	l.pass()
	is.Equal(l.reading.by.Load(), uint32(byNobody))
	is.True(l.join(other))
}

// With a stream or a sleeper under way somebody reads, whoever follows.
func TestFollowerBesideAStream(t *testing.T) {
	is := is.New(t)
	l, reader, other := fewCallers(t)
	is.True(begins(l, other))
	stream := &pending{done: make(chan result, 1), stream: &Stream{}}
	is.NoErr(l.enter(stream))
	answer(l, reader)
	l.pass()
	is.Equal(l.reading.by.Load(), uint32(byKeeper))
	is.True(!l.leaveToCallers())
	l.reading.few = fewSure
	is.True(!l.leaveToCallers())
	answer(l, other)
	is.True(!l.follow(other))
}

// Following is given up where replies take longer, and tried again now and then.
func TestFollowingInVain(t *testing.T) {
	is := is.New(t)
	l, _, other := fewCallers(t)
	l.spin = 1
	tried := func(n int) (times int) {
		for range n {
			if begins(l, other) {
				times++
				is.True(!l.follow(other))                                 // the reader stays, and no reply comes
				if lost := &l.reading.backoff; *lost != (cpu.Backoff{}) { // the CPU, so that it did not count
					*lost = cpu.Backoff{}
					l.reading.vain = min(l.reading.vain+1, followVain)
				}
			}
		}
		return times
	}
	is.Equal(tried(followVain), followVain)
	is.Equal(tried(10*followRetry), 10)
	l.spin = time.Minute
	for range followRetry { // a reply that comes soon
		if begins(l, other) {
			answer(l, other)
			is.True(!l.follow(other))
			break
		}
	}
	<-other.done
	is.Equal(l.reading.vain, uint8(0))
}

// Nobody follows with a processor alone, where polling is forbidden, beside a stream,
// with many calls, or after the reply has come.
func TestNobodyFollows(t *testing.T) {
	for name, prepare := range map[string]func(l *link, p *pending){
		"one processor": func(l *link, _ *pending) { l.procs = 1 },
		"no polling":    func(l *link, _ *pending) { l.spin = 0 },
		"a stream":      func(l *link, _ *pending) { l.reading.streams = 1 },
		"many calls":    func(l *link, _ *pending) { l.reading.counts(3) },
		"a reply":       func(l *link, p *pending) { answer(l, p) },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			l, _, other := fewCallers(t)
			prepare(l, other)
			is.True(!l.join(other))
			is.Equal(l.reading.followers, 0)
			is.Equal(allFollowers.Load(), int32(0))
		})
	}
}

// Two callers do follow each other in the end, and everybody gets his own reply.
func TestTwoCallers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	cl := connect(t, testServer())
	l := cl.ready.Load()
	times := func() uint {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.reading.times
	}
	var wg sync.WaitGroup
	for _, who := range []string{"a", "b"} {
		wg.Go(func() {
			for i := 0; times() < 1000 || i < 1000; i++ {
				want := who + string(rune(i))
				got, err := cl.Call(soon(t), "/echo", []byte(want))
				if err != nil || string(got) != want {
					t.Errorf("got %q and %v instead of %q", got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}
