package queue

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

// patience bounds what should happen at once; a test that waits for it has failed.
const patience = time.Minute

func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eachForm runs f over every form of queue.
func eachForm(t *testing.T, o *Options, f func(t *testing.T, is *is.I, open func() *Queue)) {
	t.Helper()
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) { f(t, is.New(t), form.make(t, o)) })
	}
}

func TestLease(t *testing.T) {
	eachForm(t, &Options{Capacity: 4, MaxMessage: 3000, EntrySize: 1000}, func(t *testing.T, is *is.I, open func() *Queue) {
		ctx := patient(t)
		p, c := open(), open()
		large := bytes.Repeat([]byte("large"), 600)
		is.NoErr(p.Put(ctx, []byte("one")))
		is.NoErr(p.Put(ctx, large))
		m, err := c.Lease(ctx)
		is.NoErr(err)
		is.Equal(string(m.Bytes()), "one")
		is.Equal(m.Attempts(), 1)
		m2, err := c.Lease(ctx)
		is.NoErr(err)
		is.True(bytes.Equal(m2.Bytes(), large))
		_, err = c.TryLease()
		is.Equal(err, ErrEmpty)

		is.NoErr(m.Nack())
		is.True(errors.Is(m.Nack(), ErrLeaseDone))
		is.True(errors.Is(m.Ack(), ErrLeaseDone))
		m, err = p.Lease(ctx) // another handle gets it
		is.NoErr(err)
		is.Equal(string(m.Bytes()), "one")
		is.Equal(m.Attempts(), 2)
		is.NoErr(m.Ack())
		is.NoErr(m2.Ack())
		is.Equal(c.Len(), 0)
		s := c.Stats()
		is.Equal(s.Puts, uint64(2))
		is.Equal(s.Gets, uint64(2))
		is.Equal(s.Requeued, uint64(1))
		is.Equal(s.Lost, uint64(0))
		is.Equal(s.ChunksUsed, 0)
	})
}

// A message whose Nack finds the queue full comes again to the same handle.
func TestNackWhenFull(t *testing.T) {
	eachForm(t, &Options{Capacity: 2, MaxMessage: 10}, func(t *testing.T, is *is.I, open func() *Queue) {
		ctx := patient(t)
		q := open()
		is.NoErr(q.Put(ctx, []byte("a")))
		m, err := q.Lease(ctx)
		is.NoErr(err)
		is.NoErr(q.Put(ctx, []byte("b")))
		is.NoErr(q.Put(ctx, []byte("c")))
		is.NoErr(m.Nack())
		m, err = q.Lease(ctx)
		is.NoErr(err)
		is.Equal(string(m.Bytes()), "a")
		is.Equal(m.Attempts(), 2)
		is.NoErr(m.Nack())
		is.NoErr(q.Close()) // gives it back, or leaves it to the next reaper

		q = open()
		var got []string
		for range 3 {
			msg, err := q.Get(ctx)
			is.NoErr(err)
			got = append(got, string(msg))
		}
		is.Equal(got, []string{"b", "c", "a"})
	})
}

func TestDeadLetters(t *testing.T) {
	is := is.New(t)
	ctx := patient(t)
	name := uniqueName(t)
	q, err := Create(name, &Options{Capacity: 4, MaxMessage: 2000, EntrySize: 1024, MaxAttempts: 2, DeadLetters: 3})
	is.NoErr(err)
	defer Remove(name)
	defer q.Close()
	is.NoErr(q.Put(ctx, []byte("poison")))
	is.NoErr(q.Put(ctx, bytes.Repeat([]byte("x"), 2000)))
	for range 4 {
		m, err := q.Lease(ctx)
		is.NoErr(err)
		is.NoErr(m.Nack())
	}
	_, err = q.TryLease()
	is.Equal(err, ErrEmpty)
	is.Equal(q.Stats().Dead, uint64(2))
	is.Equal(q.Stats().ChunksUsed, 0)

	d, err := Open(DeadName(name), nil)
	is.NoErr(err)
	defer d.Close()
	is.Equal(d.Cap(), 3)
	m, err := d.Lease(ctx) // put it back: nothing is lost in between
	is.NoErr(err)
	is.Equal(string(m.Bytes()), "poison")
	is.NoErr(q.Put(ctx, m.Bytes()))
	is.NoErr(m.Ack())
	msg, err := q.Get(ctx)
	is.NoErr(err)
	is.Equal(string(msg), "poison")

	is.NoErr(Remove(name))
	_, err = Open(DeadName(name), nil)
	is.True(errors.Is(err, os.ErrNotExist))
}

// Of a packed entry only the message that was delivered too often dies.
func TestDeadLetterOfPacked(t *testing.T) {
	is := is.New(t)
	ctx := patient(t)
	name := uniqueName(t)
	q, err := Create(name, &Options{Capacity: 4, MaxMessage: 10, MaxAttempts: 1})
	is.NoErr(err)
	defer Remove(name)
	defer q.Close()
	_, err = q.PutBatch(ctx, [][]byte{[]byte("a"), []byte("b"), []byte("c")})
	is.NoErr(err)
	is.Equal(q.Len(), 3)
	m, err := q.Lease(ctx)
	is.NoErr(err)
	is.Equal(string(m.Bytes()), "a")
	is.NoErr(m.Ack())
	m, err = q.Lease(ctx)
	is.NoErr(err)
	is.Equal(string(m.Bytes()), "b")
	is.NoErr(m.Nack())
	m, err = q.Lease(ctx)
	is.NoErr(err)
	is.Equal(string(m.Bytes()), "c")
	is.Equal(m.Attempts(), 1)
	is.NoErr(m.Ack())
	d, err := Open(DeadName(name), nil)
	is.NoErr(err)
	defer d.Close()
	msg, err := d.TryGet()
	is.NoErr(err)
	is.Equal(string(msg), "b")
	is.Equal(d.Len(), 0)
	is.Equal(q.Len(), 0)
}

// A dead-letter queue that somebody removed comes back when it is needed.
func TestDeadLettersRemoved(t *testing.T) {
	is := is.New(t)
	ctx := patient(t)
	name := uniqueName(t)
	q := named(t, name, &Options{Capacity: 4, MaxMessage: 8, MaxAttempts: 1, Mode: 0o640})()
	for _, letter := range []string{"a", "b"} { // before it is open here, and after
		is.NoErr(Remove(DeadName(name)))
		is.NoErr(q.Put(ctx, []byte(letter)))
		m, err := q.Lease(ctx)
		is.NoErr(err)
		is.NoErr(m.Nack())
		d := opened(t)(Open(DeadName(name), nil))
		msg, err := d.TryGet()
		is.NoErr(err)
		is.Equal(string(msg), letter)
		fi, err := d.File().Stat()
		is.NoErr(err)
		is.Equal(fi.Mode().Perm(), os.FileMode(0o640))
	}

	is.NoErr(q.Put(ctx, []byte("c")))
	m, err := q.Lease(ctx)
	is.NoErr(err)
	is.NoErr(Remove(name))
	is.NoErr(m.Nack())
	_, err = Open(DeadName(name), nil) // not for a queue that has gone itself
	is.True(errors.Is(err, os.ErrNotExist))
}

// The dead letters of a queue lie beside it, wherever this process has gone since, and
// nowhere else if it is not where it was.
func TestDeadLettersPlace(t *testing.T) {
	for what, c := range map[string]struct {
		move func(is *is.I, q *Queue) *Queue // in the working directory, where q is "q"
		want []string
	}{
		"working directory": {func(is *is.I, q *Queue) *Queue {
			is.NoErr(os.Mkdir("elsewhere", 0o700))
			is.NoErr(os.Chdir("elsewhere"))
			return q
		}, []string{"elsewhere", "q", "q.dead"}},
		"renamed": {func(is *is.I, q *Queue) *Queue {
			is.NoErr(os.Rename("q", "r"))
			return q
		}, []string{"r"}},
		"replaced": {func(is *is.I, q *Queue) *Queue {
			is.NoErr(os.Remove("q"))
			is.NoErr(os.WriteFile("q", []byte("another"), 0o600))
			return q
		}, []string{"q"}},
		"descriptor": {func(is *is.I, _ *Queue) *Queue {
			f, err := os.OpenFile("q", os.O_RDWR, 0)
			is.NoErr(err)
			defer f.Close()
			is.NoErr(os.Rename("q", "r"))
			q, err := FromFile(f)
			is.NoErr(err)
			return q
		}, []string{"r"}},
	} {
		t.Run(what, func(t *testing.T) {
			is := is.New(t)
			dir := t.TempDir()
			t.Chdir(dir)
			q := opened(t)(Create("./q", &Options{Capacity: 4, MaxMessage: 8, MaxAttempts: 1}))
			is.NoErr(os.Remove("q.dead"))
			q = opened(t)(c.move(is, q), nil)
			is.NoErr(q.TryPut([]byte("letter")))
			m, err := q.TryLease()
			is.NoErr(err)
			is.NoErr(m.Nack())
			files, err := os.ReadDir(dir)
			is.NoErr(err)
			var names []string
			for _, f := range files {
				names = append(names, f.Name())
			}
			is.Equal(names, c.want)
			is.Equal(q.Stats().Dead == 1, slices.Contains(c.want, "q.dead"))
			is.Equal(q.Len(), 1-int(q.Stats().Dead)) // not lost
		})
	}
}

// A queue that is removed while its dead-letter queue is made again leaves neither.
func TestDeadLettersRemovedMeanwhile(t *testing.T) {
	is := is.New(t)
	rounds := 500
	if testing.Short() {
		rounds = 50
	}
	for range rounds {
		path := filepath.Join(t.TempDir(), "q")
		q := opened(t)(Create(path, &Options{Capacity: 4, MaxMessage: 8, MaxAttempts: 1}))
		is.NoErr(os.Remove(DeadName(path)))
		is.NoErr(q.TryPut([]byte("letter")))
		m, err := q.TryLease()
		is.NoErr(err)
		nacked := make(chan error)
		go func() { nacked <- m.Nack() }()
		is.NoErr(Remove(path))
		is.NoErr(<-nacked)
		left, err := os.ReadDir(filepath.Dir(path))
		is.NoErr(err)
		is.Equal(len(left), 0)
		q.Close()
	}
}

func TestBatches(t *testing.T) {
	eachForm(t, &Options{Capacity: 8, MaxMessage: 2000, EntrySize: 1024}, func(t *testing.T, is *is.I, open func() *Queue) {
		ctx := patient(t)
		p, c := open(), open()
		const total = 4000
		var sent [][]byte
		for i := range total {
			sent = append(sent, fmt.Appendf(nil, "%d.%s", i, bytes.Repeat([]byte("."), i*7%1500/(1+i%5))))
		}
		go func() {
			for from := 0; from < total; {
				n := min(1+from%97, total-from)
				if k, err := p.PutBatch(ctx, sent[from:from+n]); err != nil || k != n {
					t.Errorf("PutBatch: %d of %d, %v", k, n, err)
					return
				}
				from += n
			}
			p.CloseWrite()
		}()
		var got [][]byte
		for {
			var msgs [][]byte
			var err error
			switch len(got) % 3 {
			case 0:
				var m []byte
				if m, err = c.Get(ctx); err == nil {
					msgs = [][]byte{m}
				}
			case 1:
				msgs, err = c.GetBatch(ctx, 1+len(got)%13)
			case 2:
				var m *Lease
				if m, err = c.Lease(ctx); err == nil {
					msgs = [][]byte{bytes.Clone(m.Bytes())}
					is.NoErr(m.Ack())
					for c.nkept.Load() > 0 { // the rest of its entry
						m, err := c.Lease(ctx)
						is.NoErr(err)
						msgs = append(msgs, bytes.Clone(m.Bytes()))
						is.NoErr(m.Ack())
					}
				}
			}
			if err == io.EOF {
				break
			}
			is.NoErr(err)
			got = append(got, msgs...)
		}
		is.Equal(len(got), total)
		for i := range got {
			if !bytes.Equal(got[i], sent[i]) {
				t.Fatalf("message %d is %q, not %q", i, got[i], sent[i])
			}
		}
	})
}

// However a loop over leases is left, what it has not ended is given back; both kinds of
// loops end without an error where the queue does.
func TestLoops(t *testing.T) {
	eachForm(t, &Options{Capacity: 4, MaxMessage: 10}, func(t *testing.T, is *is.I, open func() *Queue) {
		q := open()
		ctx, cancel := context.WithCancel(patient(t))
		for _, text := range []string{"a", "b"} {
			is.NoErr(q.Put(ctx, []byte(text)))
		}
		for m, err := range q.Leases(ctx) {
			is.NoErr(err)
			is.Equal(string(m.Bytes()), "a")
			break
		}
		is.Equal(q.Stats().Leased, 0)
		func() {
			defer func() { is.Equal(recover(), "in the body") }()
			for m, err := range q.Leases(ctx) {
				is.NoErr(err)
				is.Equal(string(m.Bytes()), "b")
				panic("in the body")
			}
		}()
		is.Equal(q.Stats().Leased, 0)
		for msg, err := range q.Messages(ctx) {
			is.NoErr(err)
			is.Equal(string(msg), "a")
			break
		}
		is.NoErr(q.CloseWrite())
		attempts := []int{}
		for m, err := range q.Leases(ctx) {
			is.NoErr(err)
			is.Equal(string(m.Bytes()), "b")
			if attempts = append(attempts, m.Attempts()); m.Attempts() == 4 {
				is.NoErr(m.Ack())
			}
		}
		is.Equal(attempts, []int{2, 3, 4})
		for range q.Messages(ctx) {
			t.Error("a message of a drained queue")
		}
		cancel()
		ends := 0
		for m, err := range q.Leases(ctx) {
			is.Equal(m, nil)
			is.True(errors.Is(err, context.Canceled))
			ends++
		}
		for msg, err := range q.Messages(ctx) {
			is.Equal(msg, nil)
			is.True(errors.Is(err, context.Canceled))
			ends++
		}
		is.Equal(ends, 2)
	})
}

func TestReserve(t *testing.T) {
	eachForm(t, &Options{Capacity: 2, MaxMessage: 3000, EntrySize: 1024}, func(t *testing.T, is *is.I, open func() *Queue) {
		ctx := patient(t)
		q := open()
		for _, n := range []int{0, 100, 3000} {
			r, err := q.Reserve(ctx, n)
			is.NoErr(err)
			is.Equal(len(r.Bytes()), n)
			copy(r.Bytes(), bytes.Repeat([]byte("r"), n))
			is.NoErr(r.Commit(ctx))
			is.Equal(r.Commit(ctx), ErrLeaseDone)
			r.Abort() // does nothing
			m, err := q.Get(ctx)
			is.NoErr(err)
			is.Equal(string(m), string(bytes.Repeat([]byte("r"), n)))
		}
		r, err := q.Reserve(ctx, 10)
		is.NoErr(err)
		r.Abort()
		_, err = q.TryGet()
		is.Equal(err, ErrEmpty)
		_, err = q.Reserve(ctx, 3001)
		is.True(errors.Is(err, ErrTooLarge))
	})
}

// The memory of a reservation outlives Close of its handle, and goes with its end.
func TestReserveThenClose(t *testing.T) {
	for what, end := range map[string]func(is *is.I, r *Reservation){
		"commit": func(is *is.I, r *Reservation) { is.True(errors.Is(r.Commit(t.Context()), os.ErrClosed)) },
		"abort":  func(is *is.I, r *Reservation) { r.Abort() },
	} {
		t.Run(what, func(t *testing.T) {
			is := is.New(t)
			q := opened(t)(Anonymous(&Options{Capacity: 4, MaxMessage: 3000, EntrySize: 1024}))
			for _, n := range []int{8, 3000} { // in the queue, and beside it
				r, err := q.Reserve(t.Context(), n)
				is.NoErr(err)
				defer func() {
					clear(r.Bytes())
					end(is, r)
					is.True(q.gone || n > 1024)
				}()
			}
			is.NoErr(q.Close())
			is.True(!q.gone)
		})
	}
}

// A reservation that came with an error has ended.
func TestReserveInVain(t *testing.T) {
	is := is.New(t)
	q := opened(t)(Anonymous(&Options{Capacity: 2, MaxMessage: 8, Lanes: 1}))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, want := range []error{context.Canceled, os.ErrClosed} { // no lane, and after Close
		r, err := q.Reserve(ended, 4)
		is.True(errors.Is(err, want))
		is.Equal(r.Bytes(), nil)
		is.Equal(r.Commit(t.Context()), ErrLeaseDone)
		r.Abort()
		is.NoErr(q.Close())
	}
}

// The memory for long messages is a bound of its own: used up is full, and an
// Ack or Get makes room.
func TestPool(t *testing.T) {
	eachForm(t, &Options{Capacity: 1024, MaxMessage: 1 << 20, Memory: 4 << 20, EntrySize: 1024}, func(t *testing.T, is *is.I, open func() *Queue) {
		ctx := patient(t)
		q := open()
		msg := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		n := 0
		for ; q.TryPut(msg) == nil; n++ {
		}
		is.True(n >= 2 && n < 5)
		is.Equal(q.TryPut(msg), ErrFull)
		is.NoErr(q.TryPut([]byte("small ones still go")))
		put := make(chan error, 1)
		go func() { put <- q.Put(ctx, msg) }()
		for range n {
			m, err := q.Get(ctx)
			is.NoErr(err)
			is.True(bytes.Equal(m, msg))
		}
		is.NoErr(<-put)
		is.NoErr(q.CloseWrite())
		for {
			if _, err := q.Get(ctx); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		is.Equal(q.Stats().ChunksUsed, 0)
	})
}

// A long message that loses its place to another one, and then finds none, leaves no
// chunks behind.
func TestLargePutOvertaken(t *testing.T) {
	for name, overtake := range map[string]func(other *Queue) error{
		"full":   func(other *Queue) error { return other.TryPut([]byte("faster")) },
		"sealed": func(other *Queue) error { other.CloseWrite(); _, err := other.TryGet(); return err },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h, err := newHeap(&Options{Capacity: 1, MaxMessage: 5000, EntrySize: 1024})
			is.NoErr(err)
			open := func() *Queue { q, _, err := h.open(); return opened(t)(q, err) }
			q, other := open(), open()
			q.r.hook = func(s step) {
				if s == stepSwap {
					q.r.hook = nil
					err = overtake(other)
				}
			}
			switch putErr := q.TryPut(make([]byte, 5000)); name {
			case "full":
				is.NoErr(err)
				is.Equal(putErr, ErrFull)
			case "sealed":
				is.Equal(err, io.EOF)
				is.True(errors.Is(putErr, ErrClosedWrite))
			}
			is.Equal(q.Stats().ChunksUsed, 0)
		})
	}
}

func TestBadInput(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	name := uniqueName(t)
	_, err := Open(name, nil)
	is.True(errors.Is(err, os.ErrNotExist))
	is.True(errors.Is(Remove(name), os.ErrNotExist))
	for _, bad := range []string{"", ".x", "a b", "a\x00b", string(bytes.Repeat([]byte("n"), 201)), "ü", "/", dir + "/", dir + "/a\x00b"} {
		_, err := Create(bad, nil)
		is.True(errors.Is(err, ErrName))
		_, err = Open(bad, nil)
		is.True(errors.Is(err, ErrName))
		is.True(errors.Is(Remove(bad), ErrName))
	}
	for _, o := range []Options{
		{Capacity: -1}, {Capacity: maxBlocks}, {MaxMessage: -1}, {MaxMessage: 1 << 31 >> 1 << 1 >> 1, Memory: 100},
		{Lanes: 5000}, {Memory: 1}, {DeadLetters: 3}, {MaxAttempts: -1}, {MaxAttempts: triesMask + 1},
	} {
		_, err := Create(name, &o)
		if !errors.Is(err, errOption) {
			t.Errorf("%+v: %v", o, err)
		}
		if _, err := o.Size(); !errors.Is(err, errOption) {
			t.Errorf("%+v: Size: %v", o, err)
		}
	}
	q, err := Create(name, &Options{Capacity: 2, MaxMessage: 5})
	is.NoErr(err)
	defer Remove(name)
	defer q.Close()
	_, err = Create(name, nil)
	is.True(errors.Is(err, os.ErrExist))
	err = q.Put(t.Context(), []byte("123456"))
	is.True(errors.Is(err, ErrTooLarge))
	n, err := q.PutBatch(t.Context(), [][]byte{[]byte("a"), []byte("123456"), []byte("b")})
	is.Equal(n, 1)
	is.True(errors.Is(err, ErrTooLarge))

	for what, make := range map[string]func(path string) error{
		"directory":  func(p string) error { return os.Mkdir(p, 0o700) },
		"text file":  func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte("text"), 2000), 0o600) },
		"short file": func(p string) error { return os.WriteFile(p, []byte("ipcqueue"), 0o600) },
		"link":       func(p string) error { return os.Symlink("/dev/null", p) },
	} {
		path := filepath.Join(dir, what)
		is.NoErr(make(path))
		_, err := Open(path, nil)
		if !errors.Is(err, ErrNotQueue) && !(what == "link" && err != nil) {
			t.Errorf("%s: %v", what, err)
		}
		if err := Remove(path); err == nil {
			t.Errorf("removed a %s", what)
		}
		_, err = os.Lstat(path)
		is.NoErr(err) // still there
	}
}

// The longest name works, with its dead-letter queue, or the error names the limit.
// Processes that open or make one queue while others remove it all have a queue, and
// those that nobody disturbs have the same one.
func TestOpenOrCreate(t *testing.T) {
	is := is.New(t)
	name := uniqueName(t)
	t.Cleanup(func() { Remove(name) }) // after the end of the processes
	o := &Options{Capacity: 4, MaxMessage: 8, MaxAttempts: 3}
	var all []*child
	for range 4 {
		all = append(all, spawn(t, openOrCreateChild, name, "200"))
	}
	for n := range 200 {
		if err := Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(n, err)
		}
	}
	for _, c := range all {
		c.wait()
	}

	err := Remove(name)
	is.True(err == nil || errors.Is(err, os.ErrNotExist))
	first := opened(t)(OpenOrCreate(name, o))
	is.NoErr(first.Put(patient(t), []byte("kept")))
	second := opened(t)(OpenOrCreate(name, &Options{Capacity: 8}))
	is.Equal(second.Cap(), 4)
	msg, err := second.TryGet()
	is.NoErr(err)
	is.Equal(string(msg), "kept")

	_, err = OpenOrCreate(name, &Options{Capacity: -1})
	is.True(errors.Is(err, errOption))
	_, err = OpenOrCreate(".x", nil)
	is.True(errors.Is(err, ErrName))
	dir := t.TempDir()
	_, err = OpenOrCreate(dir, nil)
	is.True(errors.Is(err, ErrNotQueue))
	_, err = OpenOrCreate(filepath.Join(dir, "none", "q"), nil)
	is.True(errors.Is(err, os.ErrNotExist)) // the directory
}

var openOrCreateChild = registerChild("open-or-create", func(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for range n {
		q, err := OpenOrCreate(args[0], &Options{Capacity: 4, MaxMessage: 8, MaxAttempts: 3})
		if err != nil {
			return err
		}
		if err := q.Close(); err != nil {
			return err
		}
	}
	return nil
})

// Who makes a queue and finds that others have taken all of its lanes leaves it to them.
func TestCreateOvertaken(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "q")
	g, err := (&Options{Capacity: 1, MaxMessage: 8, Lanes: 1, MaxAttempts: 1}).plan()
	is.NoErr(err)
	for _, taken := range []bool{true, false} { // create, and somebody in the middle of it
		made, err := createDead(path, g, 0)
		is.NoErr(err)
		is.True(made)
		reg, err := shm.Create(path, g.size, &shm.Options{Init: g.init, File: true})
		is.NoErr(err)
		if taken {
			opened(t)(Open(path, nil))
		} else {
			is.NoErr(os.Truncate(path, 1)) // what else can go wrong
		}
		_, err = adopt(path, path, reg, made)
		is.Equal(errors.Is(err, ErrBusy), taken)
		is.True(err != nil)
		for _, name := range []string{path, DeadName(path)} {
			_, err := os.Stat(name)
			is.Equal(err == nil, taken)
		}
		if taken {
			is.NoErr(Remove(path))
		}
	}
}

// Size says beforehand what Create reserves.
func TestSize(t *testing.T) {
	is := is.New(t)
	for _, o := range []*Options{nil, {Capacity: 3, MaxMessage: 8}, {MaxMessage: 1 << 20, MaxAttempts: 2}, {Memory: 4 << 20, MaxAttempts: 1, DeadLetters: 7}} {
		size, err := o.Size()
		is.NoErr(err)
		dir := t.TempDir()
		q := opened(t)(Create(filepath.Join(dir, "q"), o))
		files, err := os.ReadDir(dir)
		is.NoErr(err)
		var sum int64
		for _, f := range files {
			fi, err := f.Info()
			is.NoErr(err)
			sum += fi.Size()
		}
		is.Equal(size, sum)
		is.Equal(q.Stats().Bytes == size, o == nil || o.MaxAttempts == 0)
	}
}

func TestLongestName(t *testing.T) {
	is := is.New(t)
	name := uniqueName(t)
	name += strings.Repeat("n", maxName-len(name))
	q, err := Create(name, &Options{Capacity: 2, MaxMessage: 8, MaxAttempts: 1})
	if longNames == "" {
		is.True(errors.Is(err, ErrName))
		is.True(strings.Contains(err.Error(), "195"))
		return
	}
	is.NoErr(err)
	defer q.Close()
	is.NoErr(q.Put(t.Context(), []byte("m")))
	m, err := q.Lease(t.Context())
	is.NoErr(err)
	is.NoErr(m.Nack())
	d, err := OpenReader(DeadName(name))
	is.NoErr(err)
	defer d.Close()
	s, err := d.Stats()
	is.NoErr(err)
	is.Equal(s.Len, 1)
	l, err := List()
	is.NoErr(err)
	is.True(slices.ContainsFunc(l, func(i Info) bool { return i.Name == name && i.Err == nil }))
	is.NoErr(Remove(name))
}

// A queue is removed with its dead letters, also if its name is not too long for package
// shm, and theirs is.
func TestRemoveLongNames(t *testing.T) {
	is := is.New(t)
	for n := maxName - len(filePrefix) - len(deadSuffix); n <= maxName; n++ {
		name := uniqueName(t)
		name += strings.Repeat("n", n-len(name))
		q, err := Create(name, &Options{Capacity: 2, MaxMessage: 8, MaxAttempts: 1})
		if longNames == "" && errors.Is(err, ErrName) {
			_, err = OpenReader(name)
			is.True(err != nil) // nothing was made
			continue
		}
		is.NoErr(err)
		is.NoErr(q.Close())
		is.NoErr(Remove(name))
		is.True(errors.Is(Remove(DeadName(name)), os.ErrNotExist))
	}
}

func TestVersions(t *testing.T) {
	is := is.New(t)
	for _, c := range []struct {
		off   int
		value uint32
		want  error
		text  string
	}{
		{hdrVersion, 7, ErrVersion, "its layout is version 7, this process speaks version 1"},
		{hdrOrder, 0x04030201, ErrVersion, "its byte order is 0x4030201, this process uses 0x1020304"},
		{hdrFeatures, 8, ErrVersion, "features 0x8"},
		{hdrCapacity, 99, ErrCorrupt, "checksum"},
	} {
		h, err := newHeap(nil)
		is.NoErr(err)
		binary.NativeEndian.PutUint32(h.mem[c.off:], c.value)
		_, _, err = h.open()
		is.True(errors.Is(err, c.want))
		is.True(bytes.Contains([]byte(err.Error()), []byte(c.text)))
	}
}

func TestContextAndClose(t *testing.T) {
	eachForm(t, &Options{Capacity: 1, MaxMessage: 10}, func(t *testing.T, is *is.I, open func() *Queue) {
		q, other := open(), open()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := q.Get(ended)
		is.True(errors.Is(err, context.Canceled))
		is.NoErr(q.Put(t.Context(), []byte("x")))
		short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		err = q.Put(short, []byte("y"))
		is.True(errors.Is(err, context.DeadlineExceeded))

		// Close ends every kind of waiting of this handle, not of another one.
		_, err = q.Get(t.Context())
		is.NoErr(err)
		results := make(chan error)
		waiting := func(f func() error) { go func() { results <- f() }() }
		for range 5 {
			waiting(func() error { _, err := q.Get(t.Context()); return err })
			waiting(func() error { _, err := q.GetBatch(t.Context(), 3); return err })
			waiting(func() error { _, err := q.Lease(t.Context()); return err })
		}
		otherGot := make(chan error)
		go func() { _, err := other.Get(t.Context()); otherGot <- err }()
		for q.Stats().Waits == 0 { // until somebody sleeps
			runtime.Gosched()
		}
		is.NoErr(q.Close())
		is.NoErr(q.Close())
		for range 15 {
			is.True(errors.Is(<-results, os.ErrClosed))
		}
		is.True(errors.Is(q.Put(t.Context(), nil), os.ErrClosed))
		is.True(errors.Is(q.TryPut(nil), os.ErrClosed))
		is.NoErr(open().Put(t.Context(), []byte("z")))
		is.NoErr(<-otherGot)
	})
}

// A lease outlives Close of its handle, and its memory with it.
func TestLeaseAfterClose(t *testing.T) {
	eachForm(t, &Options{Capacity: 2, MaxMessage: 10}, func(t *testing.T, is *is.I, open func() *Queue) {
		ctx := patient(t)
		q, other := open(), open()
		is.NoErr(q.Put(ctx, []byte("a")))
		is.NoErr(q.Put(ctx, []byte("b")))
		a, err := q.Lease(ctx)
		is.NoErr(err)
		b, err := q.Lease(ctx)
		is.NoErr(err)
		is.NoErr(q.Close())
		is.Equal(string(a.Bytes()), "a")
		is.NoErr(a.Ack())
		is.Equal(string(b.Bytes()), "b")
		is.NoErr(b.Nack())
		m, err := other.Get(ctx)
		is.NoErr(err)
		is.Equal(string(m), "b")
	})
}

// Producers and consumers of several handles at once: nothing is lost, twice,
// or out of order for one producer.
func TestMany(t *testing.T) {
	eachForm(t, &Options{Capacity: 16, MaxMessage: 100}, func(t *testing.T, is *is.I, open func() *Queue) {
		ctx := patient(t)
		const producers, consumers, each = 4, 4, 1500
		last := open()
		var wg, cg sync.WaitGroup
		for p := range producers {
			q := open()
			wg.Go(func() {
				for i := range each {
					var msg [12]byte
					binary.NativeEndian.PutUint32(msg[:], uint32(p))
					binary.NativeEndian.PutUint64(msg[4:], uint64(i))
					if err := q.Put(ctx, msg[:]); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		var mu sync.Mutex
		seen := map[[2]uint64]int{}
		shared := open()
		for c := range consumers {
			q := shared
			if c > 1 {
				q = open()
			}
			cg.Go(func() {
				next := map[uint64]uint64{}
				for m, err := range q.Messages(ctx) {
					if err != nil {
						t.Error(err)
						return
					}
					p, i := uint64(binary.NativeEndian.Uint32(m)), binary.NativeEndian.Uint64(m[4:])
					if i < next[p] {
						t.Errorf("consumer got %d.%d after %d.%d", p, i, p, next[p]-1)
					}
					next[p] = i + 1
					mu.Lock()
					seen[[2]uint64{p, i}]++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		is.NoErr(last.CloseWrite())
		cg.Wait()
		is.Equal(len(seen), producers*each)
		for k, n := range seen {
			if n != 1 {
				t.Errorf("message %v came %d times", k, n)
			}
		}
		s := last.Stats()
		is.Equal(s.Puts, uint64(producers*each))
		is.Equal(s.Gets, uint64(producers*each))
		is.Equal(s.Len, 0)
		is.True(s.Sampled > 0)
	})
}

// 10,000 goroutines that wait on one handle are not 10,000 threads.
func TestManyWaiters(t *testing.T) {
	is := is.New(t)
	q := named(t, uniqueName(t), &Options{Capacity: 64, MaxMessage: 8})()
	const n = 10_000
	before := threads(t)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if _, err := q.Get(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	for q.Stats().Waits < 3 { // until one sleeps; the others wait behind it
		runtime.Gosched()
	}
	is.True(threads(t)-before < 50)
	for range n {
		is.NoErr(q.Put(t.Context(), []byte("x")))
	}
	wg.Wait()
}

func threads(t *testing.T) int {
	l, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return 0 // not Linux: the compiler has checked the test, the count is not known
	}
	return len(l)
}

func TestReaderAndList(t *testing.T) {
	is := is.New(t)
	ctx := patient(t)
	name := uniqueName(t)
	q := named(t, name, &Options{Capacity: 8, MaxMessage: 5000, EntrySize: 1024})()
	is.NoErr(q.Put(ctx, []byte("first")))
	_, err := q.PutBatch(ctx, [][]byte{[]byte("second"), []byte("third")})
	is.NoErr(err)
	is.NoErr(q.Put(ctx, bytes.Repeat([]byte("4"), 5000)))

	r, err := OpenReader(name)
	is.NoErr(err)
	defer r.Close()
	msgs, err := r.Peek(10, 6)
	is.NoErr(err)
	var got []string
	for _, m := range msgs {
		got = append(got, fmt.Sprintf("%s/%d", m.Data, m.Size))
	}
	is.Equal(got, []string{"first/5", "second/6", "third/5", "444444/5000"})
	s, err := r.Stats()
	is.NoErr(err)
	is.Equal(s.Len, 4)
	is.Equal(s.Entries, 3)
	is.Equal(s.Puts, uint64(4))
	is.Equal(len(s.Holders), 2) // named keeps one handle open, and q
	is.Equal(s.Holders[0].PID, os.Getpid())
	is.True(s.Holders[0].Alive)
	is.NoErr(r.Close())
	_, err = r.Stats()
	is.True(errors.Is(err, os.ErrClosed))

	l, err := List()
	is.NoErr(err)
	found := false
	for _, i := range l {
		if i.Name == name {
			found = true
			is.NoErr(i.Err)
			is.Equal(i.Stats.Len, 4)
		}
	}
	is.True(found)
}

func TestRemovedWhileWaiting(t *testing.T) {
	is := is.New(t)
	for _, byHand := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "q")
		q := opened(t)(Create(path, &Options{Capacity: 1, MaxMessage: 8}))
		got := make(chan error)
		go func() { _, err := q.Get(patient(t)); got <- err }()
		for q.Stats().Waits == 0 {
			runtime.Gosched()
		}
		if byHand {
			is.NoErr(os.Remove(path))
		} else {
			is.NoErr(Remove(path))
		}
		is.True(errors.Is(<-got, ErrRemoved))
	}
}

// Peek shows as much of a message as is asked for, however the queue stores it.
func TestPeekLimit(t *testing.T) {
	is := is.New(t)
	name := uniqueName(t)
	q := named(t, name, &Options{Capacity: 4, MaxMessage: 10000, EntrySize: 1024})()
	msg := make([]byte, 10000) // in three chunks
	for i := range msg {
		msg[i] = byte(i % 251)
	}
	is.NoErr(q.Put(t.Context(), msg))
	is.NoErr(q.Put(t.Context(), msg[:100])) // in its entry
	r, err := OpenReader(name)
	is.NoErr(err)
	defer r.Close()
	for _, limit := range []int{-1, 0, 1, 99, 100, 101, 4096, 4097, 9999, 10000, 1 << 30} {
		msgs, err := r.Peek(10, limit)
		is.NoErr(err)
		is.Equal(len(msgs), 2)
		for i, size := range []int{10000, 100} {
			is.Equal(msgs[i].Size, size)
			is.True(bytes.Equal(msgs[i].Data, msg[:min(max(limit, 0), size)]))
		}
	}
	msgs, err := r.Peek(-1, 10)
	is.NoErr(err)
	is.Equal(len(msgs), 0)
}

// What a batch got before the queue was found removed is not lost.
func TestGetBatchOfRemoved(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "q")
	q := opened(t)(Create(path, &Options{Capacity: 4, MaxMessage: 8}))
	is.NoErr(q.Put(t.Context(), []byte("a")))
	is.NoErr(q.Put(t.Context(), []byte("b")))
	is.NoErr(Remove(path))
	is.True(errors.Is(q.TryPut([]byte("c")), ErrRemoved))
	msgs, err := q.GetBatch(t.Context(), 10)
	is.NoErr(err)
	is.Equal(len(msgs), 2)
	msgs, err = q.GetBatch(t.Context(), 10)
	is.True(errors.Is(err, ErrRemoved))
	is.Equal(len(msgs), 0)
}

// A batch ends, however fast producers are and whatever its limit is.
func TestGetBatchEnds(t *testing.T) {
	is := is.New(t)
	h, err := newHeap(&Options{Capacity: 4, MaxMessage: 8})
	is.NoErr(err)
	open := func() *Queue { q, _, err := h.open(); return opened(t)(q, err) }
	p, c := open(), open()
	is.NoErr(p.TryPut([]byte("m")))
	more := 100
	c.r.hook = func(s step) {
		if s == stepDone && more > 0 { // as soon as one message is taken
			more--
			is.NoErr(p.TryPut([]byte("m")))
		}
	}
	msgs, err := c.GetBatch(t.Context(), 1000)
	is.NoErr(err)
	is.Equal(len(msgs), c.Cap())
}

// Close of a handle does not change where the messages of its leases go.
func TestDeadLetterAfterClose(t *testing.T) {
	is := is.New(t)
	name := uniqueName(t)
	q := named(t, name, &Options{Capacity: 4, MaxMessage: 8, MaxAttempts: 1})()
	is.NoErr(q.Put(t.Context(), []byte("poison")))
	m, err := q.Lease(t.Context())
	is.NoErr(err)
	is.NoErr(q.Close())
	is.NoErr(m.Nack())
	d := opened(t)(Open(DeadName(name), nil))
	msg, err := d.TryGet()
	is.NoErr(err)
	is.Equal(string(msg), "poison")
}

// Laps have 35 bits in a slot, and positions go on.
func TestLapsBeyondTheSlot(t *testing.T) {
	is := is.New(t)
	const beyond = 1 << (64 - lapShift)
	for _, lap := range []uint64{1, beyond - 1, beyond, beyond + 1, 5*beyond + 7} {
		w := makeSlot(lap, kindOne, 3, 9)
		is.True(w.is(lap, kindOne))
		is.True(!w.is(lap, kindMany))
		is.True(!w.is(lap+1, kindOne))
		is.True(!w.is(lap-1, kindOne))
		is.Equal(w.blockIf(lap, kindOne), uint64(3))
		is.True(w.blockIf(lap, kindMany) >= maxBlocks)
		is.True(w.blockIf(lap+1, kindOne) >= maxBlocks)
		is.True(w.blockIf(lap-1, kindOne) >= maxBlocks)
		is.Equal(w.ahead(lap-1), int64(1))
		is.Equal(w.ahead(lap+1), int64(-1))
	}
	w := newWorld(t, &scenario{}, crashCapacity*(beyond-1))
	q, _ := w.open(t)
	defer q.Close()
	for range 3 * crashCapacity {
		is.NoErr(q.TryPut([]byte("m")))
		_, ok := q.r.peekHere(&q.fast.worker) // the short way
		is.True(ok)
		_, err := q.TryGet()
		is.NoErr(err)
		_, ok = q.r.roomHere(&q.fast.worker)
		is.True(ok)
	}
}

func TestGoldenLayout(t *testing.T) {
	is := is.New(t)
	o := Options{Capacity: 2, MaxMessage: 40, EntrySize: 40, Lanes: 1}
	g, err := o.plan()
	is.NoErr(err)
	is.Equal(g.blockSize, uint32(192))
	g.created = 0x1122334455667788
	for i := range g.uuid {
		g.uuid[i] = byte(i)
	}
	h := make([]byte, headerSize)
	g.encode(h)
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		is.Equal(fmt.Sprintf("%x", h), "6970637175657565"+"01000000"+"04030201"+"02000000"+"01000000"+"c0000000"+"00000000"+"00000000"+"00000000"+
			"2800000000000000"+"0020000000000000"+"8877665544332211"+"000102030405060708090a0b0c0d0e0f"+"00000000"+"00000000"+
			"000000000000000000000000000000000000000000000000000000000000000000000000"+fmt.Sprintf("%08x", bits.ReverseBytes32(crc32.ChecksumIEEE(h[:hdrCRC]))))
	}
	is.Equal(fmt.Sprintf("%016x", uint64(makeSlot(1, kindMany, 3, 4))), "000000002c000304")
	is.Equal(fmt.Sprintf("%016x", uint64(makeRecord(opTake, 5, 6, 7))), "6000005000180007")
	is.Equal(fmt.Sprintf("%016x", uint64(makeMeta(kindLarge, 9, 8))), "0000000900080004")
	is.Equal(fmt.Sprintf("%016x", uint64(attempts(movedBit).again(3).again(3))), "8000000300000002")
}
