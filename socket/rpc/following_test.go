//go:build unix

package rpc

import (
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket"
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
	l = &link{cl: newClient(&ClientOptions{}), pending: map[uint32]*pending{}, spin: time.Hour, procs: 2}
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

// following waits for somebody to follow, and returns what will tell whether he reads
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
	l.reading.by.Store(byCaller)
	l.mu.Lock()
	is.True(l.mayFollow(other))
	l.mu.Unlock()
	entered(t, l) // sleeps
	answer(l, other)
	answer(l, reader)
	l.pass()
	is.Equal(l.reading.by.Load(), uint32(byNobody))
	is.True(!l.follow(other))
	is.Equal(l.reading.by.Load(), uint32(byKeeper))
	<-l.reading.take
}

// Following is given up where replies take longer, and tried again now and then.
func TestFollowingInVain(t *testing.T) {
	is := is.New(t)
	l, _, other := fewCallers(t)
	l.spin = 1
	tried := func(n int) (times int) {
		for range n {
			l.mu.Lock()
			may := l.mayFollow(other)
			l.mu.Unlock()
			if may {
				times++
				is.True(!l.follow(other)) // the reader stays, and no reply comes
			}
		}
		return times
	}
	is.Equal(tried(followVain), followVain)
	is.Equal(tried(10*followRetry), 10)
	l.spin = time.Hour
	for range followRetry { // a reply that comes soon
		l.mu.Lock()
		may := l.mayFollow(other)
		l.mu.Unlock()
		if may {
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
	is := is.New(t)
	cl := connect(t, testServer())
	_, err := cl.Call(soon(t), "/echo", nil)
	is.NoErr(err)
	l := cl.ready.Load()
	if l.spin <= 0 || l.procs < 2 {
		t.Skip("one processor")
	}
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
