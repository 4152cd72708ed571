//go:build unix

package acl

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
)

// watchdog bounds a hang; nothing here takes that long.
const watchdog = 60 * time.Second

// replace puts a new file in place of an old one, in one step.
func replace(t testing.TB, path, text string) {
	t.Helper()
	next := write(t, filepath.Dir(path), "next", text)
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

// changes collects what a Watcher tells.
func changes(t testing.TB, w *Watcher) <-chan Change {
	c := make(chan Change, 1000)
	w.Subscribe(func(ch Change) { c <- ch })
	return c
}

func next(t testing.TB, c <-chan Change) Change {
	t.Helper()
	select {
	case ch := <-c:
		return ch
	case <-time.After(watchdog):
		t.Fatalf("no change told within %v", watchdog)
		panic("unreachable")
	}
}

// eachWay runs a test with the kernel's notices and by the clock.
func eachWay(t *testing.T, f func(t *testing.T, o *WatchOptions)) {
	t.Run("notified", func(t *testing.T) {
		n, err := newNotifier()
		if errors.Is(err, errors.ErrUnsupported) {
			return // the clock is all there is
		}
		is.New(t).NoErr(err)
		n.close()
		f(t, &WatchOptions{Interval: time.Hour})
	})
	t.Run("polling", func(t *testing.T) { f(t, &WatchOptions{Poll: true, Interval: 5 * time.Millisecond}) })
}

func TestWatch(t *testing.T) {
	eachWay(t, func(t *testing.T, o *WatchOptions) {
		is := is.New(t)
		path := write(t, t.TempDir(), "app.acl", "allow uid:1 put queue:a\n")
		w, err := Watch(path, o)
		is.NoErr(err)
		defer w.Close()
		first := w.Policy()
		is.True(w.Check(Subject{UID: 1}, "put", "queue:a").Allowed)
		told := changes(t, w)

		replace(t, path, "allow uid:2 put queue:a\n")
		ch := next(t, told)
		is.NoErr(ch.Err)
		is.True(ch.Previous == first)
		is.True(ch.Policy == w.Policy())
		is.True(!w.Check(Subject{UID: 1}, "put", "queue:a").Allowed)
		is.True(w.Check(Subject{UID: 2}, "put", "queue:a").Allowed)

		// A bad file changes nothing but Err.
		good := w.Policy()
		replace(t, path, "alow uid:3 put queue:a\n")
		ch = next(t, told)
		is.True(strings.Contains(ch.Err.Error(), `did you mean "allow"?`))
		is.True(ch.Policy == good && ch.Previous == good && w.Policy() == good)
		is.True(errors.Is(w.Err(), ch.Err))
		is.True(errors.Is(w.Reload(), ch.Err)) // the same again is the same error
		is.True(errors.Is(w.Err(), ch.Err))

		// Nor does an unsafe one, nor one that is gone.
		unsafe := write(t, filepath.Dir(path), "next", "allow any any any\n")
		is.NoErr(os.Chmod(unsafe, 0o666))
		is.NoErr(os.Rename(unsafe, path))
		ch = next(t, told)
		is.True(errors.Is(ch.Err, os.ErrPermission))
		is.NoErr(os.Remove(path))
		ch = next(t, told)
		is.True(errors.Is(ch.Err, os.ErrNotExist))
		is.True(w.Policy() == good)

		// It comes back, written in place.
		write(t, filepath.Dir(path), "app.acl", "allow uid:4 put queue:a\n")
		for !ch.Policy.Check(Subject{UID: 4}, "put", "queue:a").Allowed { // it may be seen half made
			ch = next(t, told)
		}
		is.NoErr(w.Err())

		// chmod makes it unsafe, and safe again: the same text changes nothing.
		now := w.Policy()
		is.NoErr(os.Chmod(path, 0o622))
		ch = next(t, told)
		is.True(errors.Is(ch.Err, os.ErrPermission))
		is.NoErr(os.Chmod(path, 0o644))
		ch = next(t, told)
		is.NoErr(ch.Err)
		is.True(ch.Previous == now)
		is.Equal(ch.Policy.Hash(), now.Hash())
	})
}

func TestWatchIncludes(t *testing.T) {
	eachWay(t, func(t *testing.T, o *WatchOptions) {
		is := is.New(t)
		dir := t.TempDir()
		is.NoErr(os.Mkdir(filepath.Join(dir, "sub"), 0o700))
		people := write(t, dir, "sub/people.acl", "set @staff = uid:1\n")
		path := write(t, dir, "app.acl", "include sub/people.acl\nallow @staff put queue:a\n")
		w, err := Watch(path, o)
		is.NoErr(err)
		defer w.Close()
		told := changes(t, w)

		replace(t, people, "set @staff = uid:2\n")
		is.NoErr(next(t, told).Err)
		is.True(w.Check(Subject{UID: 2}, "put", "queue:a").Allowed)

		// A file that is included from now on is watched from now on, even if it
		// wasn't there at first.
		is.NoErr(os.Mkdir(filepath.Join(dir, "more"), 0o700))
		replace(t, path, "include sub/people.acl, more/x.acl\nallow @staff put queue:a\n")
		is.True(errors.Is(next(t, told).Err, os.ErrNotExist))
		write(t, dir, "more/x.acl", "deny uid:2 put queue:a\n")
		ch := next(t, told)
		for ch.Err != nil || ch.Policy.Check(Subject{UID: 2}, "put", "queue:a").Allowed { // it may be seen half made
			ch = next(t, told)
		}
		replace(t, filepath.Join(dir, "more/x.acl"), "# nothing\n")
		is.NoErr(next(t, told).Err)
		is.True(w.Check(Subject{UID: 2}, "put", "queue:a").Allowed)
	})
}

// TestWatchDirectory replaces the directory of the file.
func TestWatchDirectory(t *testing.T) {
	is := is.New(t)
	dir := filepath.Join(t.TempDir(), "d")
	is.NoErr(os.Mkdir(dir, 0o700))
	path := write(t, dir, "app.acl", "allow uid:1 put queue:a\n")
	w, err := Watch(path, &WatchOptions{Interval: 5 * time.Millisecond})
	is.NoErr(err)
	defer w.Close()
	told := changes(t, w)
	is.NoErr(os.Rename(dir, dir+".old"))
	is.True(errors.Is(next(t, told).Err, os.ErrNotExist))
	is.NoErr(os.Mkdir(dir+".new", 0o700))
	write(t, dir+".new", "app.acl", "allow uid:2 put queue:a\n")
	is.NoErr(os.Rename(dir+".new", dir))
	is.NoErr(next(t, told).Err)
	is.True(w.Check(Subject{UID: 2}, "put", "queue:a").Allowed)
	replace(t, path, "allow uid:3 put queue:a\n")
	is.NoErr(next(t, told).Err)
	is.True(w.Check(Subject{UID: 3}, "put", "queue:a").Allowed)
}

// TestWatchUnderLoad swaps policies while others decide. Each policy allows
// exactly one of put and get, and always uid 2 to connect.
func TestWatchUnderLoad(t *testing.T) {
	is := is.New(t)
	swaps := 1000
	if testing.Short() {
		swaps = 100
	}
	text := func(i int) string {
		return fmt.Sprintf("# %d\nallow uid:2 connect socket:/s\nallow any any queue:a\ndeny uid:1 %s queue:a\n", i, []string{"put", "get"}[i%2])
	}
	path := write(t, t.TempDir(), "app.acl", text(0))
	w, err := Watch(path, nil)
	is.NoErr(err)
	defer w.Close()
	var told atomic.Int64
	w.Subscribe(func(ch Change) {
		if ch.Err != nil {
			t.Error(ch.Err)
		}
		told.Add(1)
	})
	var stop atomic.Bool
	var wg, begun sync.WaitGroup
	var decisions [8]int
	begun.Add(len(decisions))
	for i := range decisions {
		wg.Go(func() {
			began := sync.OnceFunc(begun.Done)
			defer began()
			for !stop.Load() {
				p := w.Policy()
				put, get := p.Check(Subject{UID: 1}, "put", "queue:a"), p.Check(Subject{UID: 1}, "get", "queue:a")
				if put.Allowed == get.Allowed {
					t.Errorf("a mixture: put %v, get %v", put, get)
					return
				}
				if d := w.Check(Subject{UID: 2}, "connect", "socket:/s"); !d.Allowed {
					t.Errorf("a gap: %v", d)
					return
				}
				decisions[i]++
				began()
				runtime.Gosched() // eight that never wait would keep the writer from its turn
			}
		})
	}
	begun.Wait() // on a busy machine, all swaps take less than it may take one of them to begin
	for i := 1; i <= swaps; i++ {
		replace(t, path, text(i))
		is.NoErr(w.Reload()) // beside the notices, which do the same
		want := []string{"put", "get"}[i%2]
		is.True(!w.Check(Subject{UID: 1}, want, "queue:a").Allowed)
	}
	stop.Store(true)
	wg.Wait()
	is.True(told.Load() >= int64(swaps))
	for i, n := range decisions {
		is.True(n > 0) // each goroutine has decided
		t.Logf("goroutine %d: %d rounds of three decisions", i, n)
	}
}

func TestWatchEnds(t *testing.T) {
	eachWay(t, func(t *testing.T, o *WatchOptions) {
		is := is.New(t)
		path := write(t, t.TempDir(), "app.acl", "allow uid:1 put queue:a\n")
		w, err := Watch(path, o)
		is.NoErr(err)
		told := changes(t, w)
		cancelled := 0
		cancel := w.Subscribe(func(Change) { cancelled++ })
		is.NoErr(w.Reload()) // forced: the same text is news
		next(t, told)
		cancel()
		is.NoErr(w.Reload())
		next(t, told)
		is.Equal(cancelled, 1)
		is.NoErr(w.Close())
		is.NoErr(w.Close())
		is.True(errors.Is(w.Reload(), os.ErrClosed))
		is.True(w.Check(Subject{UID: 1}, "put", "queue:a").Allowed) // the last policy goes on
	})
}

// A Reload that comes to its turn only after Close has returned tells nobody.
func TestWatchCloseOvertakesReload(t *testing.T) {
	is := is.New(t)
	path := write(t, t.TempDir(), "app.acl", "allow any put queue:a\n")
	for range 200 { // who comes first is left to chance
		w, err := Watch(path, &WatchOptions{Interval: time.Hour, Poll: true})
		is.NoErr(err)
		var closed, late atomic.Bool
		w.Subscribe(func(Change) { late.Store(late.Load() || closed.Load()) })
		start := make(chan struct{})
		var reloads sync.WaitGroup
		for range 16 {
			reloads.Go(func() {
				<-start
				if err := w.Reload(); err != nil && !errors.Is(err, os.ErrClosed) {
					t.Error(err)
				}
			})
		}
		close(start)
		runtime.Gosched()
		is.NoErr(w.Close())
		closed.Store(true)
		reloads.Wait()
		is.True(!late.Load()) // no subscriber is called after Close
	}
}

func TestWatchRefusesBadStart(t *testing.T) {
	is := is.New(t)
	_, err := Watch(filepath.Join(t.TempDir(), "none"), nil)
	is.True(errors.Is(err, os.ErrNotExist))
	_, err = Watch(write(t, t.TempDir(), "bad.acl", "nonsense"), nil)
	is.Equal(len(SyntaxErrors(err)), 1)
}
