//go:build unix

package shmsync

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
)

// join makes a handle on the object of f, as another process would have it.
func join(t testing.TB, f *os.File) *Member {
	t.Helper()
	l, err := OpenLiveness(f)
	if err != nil {
		t.Fatal(err)
	}
	set := NewWaitSet()
	m, err := Join(l, set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close(); m.Close() })
	return m
}

func newMutex(t testing.TB, mem *Memory, m *Member) *Mutex {
	t.Helper()
	x, err := NewMutex(mem, 0, m)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// Several handles and several goroutines of each exclude each other; on heap
// memory, so that the race detector watches what the mutex protects.
func TestMutexExcludes(t *testing.T) {
	is := is.New(t)
	f := tempFile(t)
	mem := Plain(make([]byte, 64))
	rounds := 3000
	if testing.Short() {
		rounds = 500
	}
	shared := 0
	var wg sync.WaitGroup
	for range 3 {
		m := newMutex(t, mem, join(t, f))
		for range 3 {
			wg.Go(func() {
				for i := range rounds {
					if i%10 == 0 {
						for ok := false; !ok; {
							ctx, cancel := context.WithTimeout(context.Background(), 100*time.Microsecond)
							ok = m.Lock(ctx) == nil
							cancel()
						}
					} else if err := m.Lock(context.Background()); err != nil {
						t.Error(err)
						return
					}
					shared++
					if err := m.Unlock(); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	is.Equal(shared, 9*rounds)
	is.Equal(word(mem.Bytes(), 0).Load()&^waitersBit, uint32(0)) // unlocked, consistent
}

// Every way that an owner can leave, and what the next one is told.
func TestMutexOwnerDeath(t *testing.T) {
	is := is.New(t)
	f := tempFile(t)
	mem := Plain(make([]byte, 64))
	a, b := join(t, f), join(t, f)
	ma, mb := newMutex(t, mem, a), newMutex(t, mem, b)
	is.NoErr(ma.Lock(t.Context()))
	ok, err := mb.TryLock()
	is.NoErr(err)
	is.True(!ok)
	is.True(errors.Is(mb.Unlock(), ErrNotOwner))
	is.True(errors.Is(mb.Repaired(), ErrNotOwner))

	waited := make(chan error)
	go func() { waited <- mb.Lock(context.Background()) }()
	waitUntil(t, "b waits", func() bool { return word(mem.Bytes(), 0).Load()&waitersBit != 0 })
	is.NoErr(a.Close()) // dies with the lock, while b sleeps
	is.True(errors.Is(<-waited, ErrOwnerDead))
	is.NoErr(mb.Unlock()) // not repaired
	ok, err = mb.TryLock()
	is.True(ok)
	is.True(errors.Is(err, ErrOwnerDead))
	is.NoErr(mb.Repaired())
	is.NoErr(mb.Unlock())
	ok, err = mb.TryLock()
	is.NoErr(err)
	is.True(ok)
	is.NoErr(mb.Unlock())
}

// Who takes the mutex where others may sleep keeps the bit that makes Unlock wake
// them: after a sleep of its own, and from a dead owner.
func TestMutexRemembersSleepers(t *testing.T) {
	is := is.New(t)
	f := tempFile(t)
	mem := Plain(make([]byte, 64))
	bits := func() uint32 { return word(mem.Bytes(), 0).Load() }
	a, b := join(t, f), join(t, f)
	ma, mb := newMutex(t, mem, a), newMutex(t, mem, b)
	is.NoErr(ma.Lock(t.Context()))
	is.Equal(bits(), a.id)
	locked := make(chan error)
	go func() { locked <- mb.Lock(context.Background()) }()
	waitUntil(t, "b sleeps", func() bool { return b.set.size() == 1 })
	is.NoErr(ma.Unlock())
	is.NoErr(<-locked)
	is.Equal(bits(), b.id|waitersBit)
	is.NoErr(mb.Unlock())
	is.Equal(bits(), uint32(0))

	is.NoErr(mb.Lock(t.Context()))
	is.NoErr(b.Close()) // dies
	is.True(errors.Is(ma.Lock(t.Context()), ErrOwnerDead))
	is.Equal(bits(), a.id|inconsistentBit|waitersBit)
}

// Any bits in the word lead to an answer: a lock, or the end of ctx.
func FuzzMutexWord(f *testing.F) {
	for _, v := range []uint32{0, 1, waitersBit, inconsistentBit, idMask, ^uint32(0), waitersBit | inconsistentBit} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v uint32) {
		mem := Plain(make([]byte, 64))
		m := newMutex(t, mem, join(t, tempFile(t)))
		word(mem.Bytes(), 0).Store(v)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := m.Lock(ctx); err != nil && !errors.Is(err, ErrOwnerDead) {
			t.Fatal(err) // nobody lives who could own it
		}
		if err := m.Unlock(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestSemaphoreCounts(t *testing.T) {
	is := is.New(t)
	f := tempFile(t)
	const n = 3
	mem := Plain(make([]byte, SemaphoreSize(n)))
	var mu sync.Mutex
	inside, most := 0, 0
	var wg sync.WaitGroup
	for range 2 {
		s, err := NewSemaphore(mem, 0, n, join(t, f))
		is.NoErr(err)
		for range 4 {
			wg.Go(func() {
				for range 500 {
					if err := s.Acquire(context.Background()); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					inside++
					most = max(most, inside)
					mu.Unlock()
					mu.Lock()
					inside--
					mu.Unlock()
					if err := s.Release(); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	is.True(most <= n)
}

func TestSemaphoreOwnerDeath(t *testing.T) {
	is := is.New(t)
	f := tempFile(t)
	mem := Plain(make([]byte, SemaphoreSize(2)))
	a, b := join(t, f), join(t, f)
	sa, err := NewSemaphore(mem, 0, 2, a)
	is.NoErr(err)
	sb, err := NewSemaphore(mem, 0, 2, b)
	is.NoErr(err)
	is.NoErr(sa.Acquire(t.Context()))
	is.NoErr(sa.Acquire(t.Context()))
	is.Equal(sa.Held(), 2)
	waited := make(chan error)
	go func() { waited <- sb.Acquire(context.Background()) }()
	waitUntil(t, "b waits", func() bool { return b.set.size() == 1 })
	is.NoErr(a.Close())
	is.NoErr(<-waited)
	is.NoErr(sb.Acquire(t.Context()))
	is.Equal(sb.Held(), 2)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	is.True(errors.Is(sb.Acquire(ctx), context.DeadlineExceeded))
}

// A Set that is followed at once by Reset lets everybody go who waited.
func TestEventPulse(t *testing.T) {
	is := is.New(t)
	mem := Plain(make([]byte, 64))
	set := NewWaitSet()
	defer set.Close()
	e, err := NewEvent(mem, 0, set)
	is.NoErr(err)
	for range 50 {
		done := make(chan error)
		for range 5 {
			go func() { done <- e.Wait(context.Background()) }()
		}
		waitUntil(t, "5 wait", func() bool { return set.size() == 5 })
		is.NoErr(e.Set())
		is.NoErr(e.Reset())
		for range 5 {
			is.NoErr(<-done)
		}
		on, err := e.IsSet()
		is.NoErr(err)
		is.True(!on)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	is.True(errors.Is(e.Wait(ctx), context.Canceled))
	is.NoErr(e.Set())
	is.NoErr(e.Wait(ctx)) // set: no wait
}
