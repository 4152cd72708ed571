//go:build unix

package shm_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

// kinds are the ways to have a Region; every test of its contract runs on each.
func eachKind(t *testing.T, f func(t *testing.T, create func(size int, o *shm.Options) (*shm.Region, error))) {
	kinds := map[string]func(t *testing.T) func(int, *shm.Options) (*shm.Region, error){
		"named": func(t *testing.T) func(int, *shm.Options) (*shm.Region, error) {
			return func(n int, o *shm.Options) (*shm.Region, error) { return shm.Create(testName(t), n, o) }
		},
		"generated": func(t *testing.T) func(int, *shm.Options) (*shm.Region, error) {
			return func(n int, o *shm.Options) (*shm.Region, error) {
				r, err := shm.Create("", n, o)
				if err == nil {
					t.Cleanup(func() { shm.Remove(r.Name()) })
				}
				return r, err
			}
		},
		"file": func(t *testing.T) func(int, *shm.Options) (*shm.Region, error) {
			return func(n int, o *shm.Options) (*shm.Region, error) {
				return shm.Create(filepath.Join(t.TempDir(), "segment"), n, o)
			}
		},
		"anonymous": func(*testing.T) func(int, *shm.Options) (*shm.Region, error) { return shm.Anonymous },
		"descriptor": func(t *testing.T) func(int, *shm.Options) (*shm.Region, error) {
			return func(n int, o *shm.Options) (*shm.Region, error) {
				r, err := shm.Anonymous(n, o)
				if err != nil {
					return nil, err
				}
				defer r.Close()
				return shm.FromFile(r.File(), o)
			}
		},
	}
	for name, make := range kinds {
		t.Run(name, func(t *testing.T) { f(t, make(t)) })
	}
}

func TestRegionReadWrite(t *testing.T) {
	eachKind(t, func(t *testing.T, create func(int, *shm.Options) (*shm.Region, error)) {
		is := is.New(t)
		size := os.Getpagesize() // a descriptor alone does not tell the exact size everywhere
		end := int64(size)
		r, err := create(size, nil)
		is.NoErr(err)
		defer r.Close()
		is.Equal(r.Size(), size)
		b := make([]byte, size)
		n, err := r.ReadAt(b, 0)
		is.NoErr(err)
		is.Equal(n, size)
		is.Equal(b, make([]byte, size)) // zeroed

		n, err = r.WriteAt([]byte("hello"), end-5)
		is.NoErr(err)
		is.Equal(n, 5)
		n, err = r.ReadAt(b[:10], end-7)
		is.Equal(err, io.EOF)
		is.Equal(string(b[:n]), "\x00\x00hello")
		n, err = r.ReadAt(b, end)
		is.Equal(n, 0)
		is.Equal(err, io.EOF)
		_, err = r.ReadAt(b, 1<<62)
		is.Equal(err, io.EOF)
		_, err = r.ReadAt(b, -1)
		is.True(errors.Is(err, os.ErrInvalid))
		_, err = r.WriteAt([]byte("too long"), end-5)
		is.True(errors.Is(err, io.ErrShortWrite)) // all or nothing
		_, err = r.WriteAt([]byte("x"), -1)
		is.True(errors.Is(err, os.ErrInvalid))
		_, err = r.WriteAt([]byte("x"), 1<<62)
		is.True(errors.Is(err, io.ErrShortWrite))
		n, err = r.WriteAt(nil, end)
		is.NoErr(err)
		is.Equal(n, 0)

		is.NoErr(r.View(end-5, 5, func(b []byte) error {
			is.Equal(string(b), "hello")
			is.Equal(cap(b), 5) // append must not reach the neighbour
			b[0] = 'j'
			return nil
		}))
		is.NoErr(r.View(end-5, 5, func(b []byte) error { is.Equal(string(b), "jello"); return nil }))
		is.True(errors.Is(r.View(end-4, 5, nil), os.ErrInvalid))
		is.True(errors.Is(r.View(-1, 1, nil), os.ErrInvalid))
		is.True(errors.Is(r.View(0, -1, nil), os.ErrInvalid))
		is.Equal(r.View(0, 1, func([]byte) error { return io.ErrNoProgress }), io.ErrNoProgress) // passed through
	})
}

// Sizes are exact to the byte for whoever opens a name.
func TestExactSize(t *testing.T) {
	is := is.New(t)
	for _, size := range []int{1, 100, 4095, 4097} {
		name := testName(t)
		r, err := shm.Create(name, size, nil)
		is.NoErr(err)
		o, err := shm.Open(name, nil)
		is.NoErr(err)
		ro, err := shm.OpenReader(name, nil)
		is.NoErr(err)
		is.Equal([]int{r.Size(), o.Size(), ro.Size()}, []int{size, size, size})
		for _, c := range []io.Closer{r, o, ro} {
			is.NoErr(c.Close())
		}
	}
}

func TestCreateIsWholeOrNot(t *testing.T) {
	is := is.New(t)
	name := testName(t)
	r, err := shm.Create(name, 10, &shm.Options{Init: func(mem []byte) error {
		is.Equal(len(mem), 10)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := shm.OpenContext(ended, name, nil) // not there until it is complete
		is.True(errors.Is(err, os.ErrNotExist) || errors.Is(err, context.Canceled))
		copy(mem, "ready")
		return nil
	}})
	is.NoErr(err)
	defer r.Close()
	b := make([]byte, 5)
	r.ReadAt(b, 0)
	is.Equal(string(b), "ready")

	_, err = shm.Create(name, 10, &shm.Options{Init: func([]byte) error { t.Error("Init runs for a name that exists"); return nil }})
	is.True(errors.Is(err, os.ErrExist))
	is.True(strings.Contains(err.Error(), name)) // the error names the object

	other := testName(t)
	_, err = shm.Create(other, 10, &shm.Options{Init: func([]byte) error { return io.ErrNoProgress }})
	is.True(errors.Is(err, io.ErrNoProgress))
	_, err = shm.Open(other, nil)
	is.True(errors.Is(err, os.ErrNotExist))

	func() {
		defer func() { is.Equal(recover(), "init") }()
		shm.Create(other, 10, &shm.Options{Init: func([]byte) error { panic("init") }})
	}()
	_, err = shm.Open(other, nil)
	is.True(errors.Is(err, os.ErrNotExist))

	// Two creators at once: one of them wins, whole.
	sizes := map[int]*shm.Region{}
	outer, err := shm.Create(other, 10, &shm.Options{Init: func([]byte) error {
		inner, err := shm.Create(other, 20, nil)
		is.True(err == nil || errors.Is(err, os.ErrExist))
		if err == nil {
			sizes[20] = inner
		}
		return nil
	}})
	is.True(err == nil || errors.Is(err, os.ErrExist))
	if err == nil {
		sizes[10] = outer
	}
	is.Equal(len(sizes), 1)
	r2, err := shm.Open(other, nil)
	is.NoErr(err)
	is.True(sizes[r2.Size()] != nil)
	is.NoErr(sizes[r2.Size()].Close())
	is.NoErr(r2.Close())
}

func TestModeIgnoresUmask(t *testing.T) {
	is := is.New(t)
	for _, mode := range []os.FileMode{0, 0o600, 0o666, 0o640} {
		r, err := shm.Create(testName(t), 10, &shm.Options{Mode: mode})
		is.NoErr(err)
		fi, err := r.File().Stat()
		is.NoErr(err)
		if mode == 0 {
			mode = 0o600
		}
		is.Equal(fi.Mode().Perm(), mode)
		is.NoErr(r.Close())
	}
}

func TestBadNames(t *testing.T) {
	for _, name := range []string{".hidden", "a b", "ä", "a\x00b", strings.Repeat("x", 201), "dir/", "a\n"} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := shm.Create(name, 10, nil)
			is.True(errors.Is(err, shm.ErrName))
			_, err = shm.Open(name, nil)
			is.True(errors.Is(err, shm.ErrName))
			is.True(errors.Is(shm.Remove(name), shm.ErrName))
		})
	}
	is := is.New(t)
	_, err := shm.Open("", nil)
	is.True(errors.Is(err, shm.ErrName))
	_, err = shm.OpenReader("", nil)
	is.True(errors.Is(err, shm.ErrName))
	long := testName(t)
	long += strings.Repeat("x", shm.MaxName-len(long))
	r, err := shm.Create(long, 10, nil)
	is.NoErr(err)
	is.NoErr(r.Close())
	is.NoErr(shm.Remove(long))
	_, err = shm.Create(filepath.Join(t.TempDir(), strings.Repeat("y", 300)), 10, nil)
	is.True(errors.Is(err, syscall.ENAMETOOLONG))
	_, err = shm.Create(filepath.Join(t.TempDir(), "no/such/dir"), 10, nil)
	is.True(errors.Is(err, os.ErrNotExist))
}

func TestBadSizes(t *testing.T) {
	eachKind(t, func(t *testing.T, create func(int, *shm.Options) (*shm.Region, error)) {
		is := is.New(t)
		for _, size := range []int{0, -1, -1 << 31} {
			_, err := create(size, nil)
			is.True(errors.Is(err, shm.ErrSize))
		}
	})
}

// More than the machine can have is refused at once, not after filling it.
func TestHugeSizes(t *testing.T) {
	if math.MaxInt == math.MaxInt32 {
		t.Skip("every size of 32 bits may fit")
	}
	eachKind(t, func(t *testing.T, create func(int, *shm.Options) (*shm.Region, error)) {
		is := is.New(t)
		for _, shift := range []int{46, 62} {
			_, err := create(1<<shift, nil)
			is.True(errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EFBIG))
		}
	})
}

func TestUnknownName(t *testing.T) {
	is := is.New(t)
	_, err := shm.Open("no-such-segment", nil)
	is.True(errors.Is(err, os.ErrNotExist))
	is.True(strings.Contains(err.Error(), "no-such-segment"))
	_, err = shm.OpenReader("no-such-segment", nil)
	is.True(errors.Is(err, os.ErrNotExist))
	is.True(errors.Is(shm.Remove("no-such-segment"), os.ErrNotExist))
}

// What is not a regular file is refused and left alone, and nothing blocks.
func TestWrongTypes(t *testing.T) {
	dir := t.TempDir()
	make := map[string]func(path string) error{
		"fifo":      func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"directory": func(p string) error { return os.Mkdir(p, 0o700) },
		"symlink": func(p string) error {
			target := p + "-target"
			if err := os.WriteFile(target, []byte("x"), 0o600); err != nil {
				return err
			}
			return os.Symlink(target, p)
		},
	}
	for kind, make := range make {
		t.Run(kind, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(dir, kind)
			is.NoErr(make(path))
			_, err := shm.Open(path, nil)
			is.True(errors.Is(err, shm.ErrNotSegment))
			_, err = shm.OpenReader(path, nil)
			is.True(errors.Is(err, shm.ErrNotSegment))
			is.True(errors.Is(shm.Remove(path), shm.ErrNotSegment))
			_, err = shm.Create(path, 10, nil)
			is.True(errors.Is(err, os.ErrExist))
			_, err = os.Lstat(path)
			is.NoErr(err)
		})
	}
	is := is.New(t)
	p, w, err := os.Pipe()
	is.NoErr(err)
	defer p.Close()
	defer w.Close()
	_, err = shm.FromFile(p, nil)
	is.True(errors.Is(err, shm.ErrNotSegment))
	_, err = shm.ReaderFromFile(p, nil)
	is.True(errors.Is(err, shm.ErrNotSegment))
}

func TestAttachWaitsForSize(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "late")
	f, err := os.Create(path)
	is.NoErr(err)
	defer f.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = shm.OpenContext(ctx, path, nil)
	is.True(errors.Is(err, context.Canceled))
	is.True(errors.Is(err, shm.ErrSize))
	_, err = os.Lstat(path)
	is.NoErr(err) // a failed attach removes nothing

	waits := asked{watchdogContext(t), make(chan struct{}, 1)}
	opened := make(chan error)
	go func() {
		r, err := shm.OpenReaderContext(waits, path, nil)
		if err == nil {
			err = r.Close()
		}
		opened <- err
	}()
	<-waits.once
	is.NoErr(f.Truncate(10))
	is.NoErr(<-opened)
	r, err := shm.FromFile(f, nil)
	is.NoErr(err)
	is.NoErr(r.Close())
}

// asked is a context that tells when somebody waits for its end.
type asked struct {
	context.Context
	once chan struct{}
}

func (a asked) Done() <-chan struct{} {
	select {
	case a.once <- struct{}{}:
	default:
	}
	return a.Context.Done()
}

func TestCloseIsSafe(t *testing.T) {
	eachKind(t, func(t *testing.T, create func(int, *shm.Options) (*shm.Region, error)) {
		is := is.New(t)
		r, err := create(4096, nil)
		is.NoErr(err)
		mem, unpin, err := r.Pin()
		is.NoErr(err)
		word, err := r.Word32(0)
		is.NoErr(err)
		ref, err := shm.At[uint64](r, 8)
		is.NoErr(err)
		mutex, err := r.Mutex(16)
		is.NoErr(err)
		event, err := r.Event(24)
		is.NoErr(err)
		waited := make(chan error)
		go func() { waited <- event.Wait(context.Background()) }()

		is.NoErr(r.View(0, 4096, func(b []byte) error {
			is.NoErr(r.Close())
			is.NoErr(r.Close())
			b[4095] = 1 // still there
			return nil
		}))
		is.True(errors.Is(<-waited, os.ErrClosed)) // Close unblocks
		mem[0] = 1
		unpin()
		unpin()

		_, err = r.ReadAt(make([]byte, 1), 0)
		is.True(errors.Is(err, os.ErrClosed))
		_, err = r.WriteAt(make([]byte, 1), 0)
		is.True(errors.Is(err, os.ErrClosed))
		is.True(errors.Is(r.View(0, 1, nil), os.ErrClosed))
		_, _, err = r.Pin()
		is.True(errors.Is(err, os.ErrClosed))
		_, err = r.Liveness()
		is.True(errors.Is(err, os.ErrClosed))
		_, err = word.Load()
		is.True(errors.Is(err, os.ErrClosed))
		_, err = ref.Load()
		is.True(errors.Is(err, os.ErrClosed))
		is.True(errors.Is(mutex.Lock(t.Context()), os.ErrClosed))
		is.True(errors.Is(mutex.Unlock(), os.ErrClosed))
		is.True(errors.Is(event.Set(), os.ErrClosed))
		is.True(errors.Is(word.Wait(t.Context(), 0, 0), os.ErrClosed))
		_, err = r.Mutex(0)
		is.True(errors.Is(err, os.ErrClosed))
		_, err = r.ReaderFile()
		is.True(errors.Is(err, os.ErrClosed))
		_, err = r.Lend()
		is.True(errors.Is(err, os.ErrClosed))
		_, err = r.Placement()
		is.True(errors.Is(err, os.ErrClosed))
	})
}

// Close races with every access: nothing but success and os.ErrClosed.
func TestCloseRace(t *testing.T) {
	is := is.New(t)
	for range 200 {
		r, err := shm.Anonymous(1<<16, nil)
		is.NoErr(err)
		done := make(chan error)
		for i := range 4 {
			go func() {
				b := make([]byte, 1<<15)
				for {
					var err error
					if i%2 == 0 {
						_, err = r.ReadAt(b, 100)
					} else {
						_, err = r.WriteAt(b, 100)
					}
					if err != nil {
						done <- err
						return
					}
				}
			}()
		}
		is.NoErr(r.Close())
		for range 4 {
			is.True(errors.Is(<-done, os.ErrClosed))
		}
	}
}

func TestPanicInViewGoesOn(t *testing.T) {
	is := is.New(t)
	r, err := shm.Anonymous(100, nil)
	is.NoErr(err)
	for _, boom := range []func(){
		func() { panic("mine") },
		func() { var p *int; *p = 1 },
		func() { _ = make([]int, 1)[len(os.Args)+5] },
	} {
		func() {
			defer func() { is.True(recover() != nil) }()
			r.View(0, 1, func([]byte) error { boom(); return nil })
			t.Error("the panic was swallowed")
		}()
	}
	is.NoErr(r.Close())
	_, _, err = r.Pin()
	is.True(errors.Is(err, os.ErrClosed))
}

func TestRemoveKeepsTheAttached(t *testing.T) {
	is := is.New(t)
	name := testName(t)
	r, err := shm.Create(name, 100, nil)
	is.NoErr(err)
	defer r.Close()
	is.NoErr(shm.Remove(name))
	_, err = r.WriteAt([]byte("still here"), 0)
	is.NoErr(err)
	again, err := shm.Create(name, 50, nil) // the name is free
	is.NoErr(err)
	is.NoErr(again.Close())
}

func TestLargeCopies(t *testing.T) {
	is := is.New(t)
	const n = 3<<20 + 77
	r, err := shm.Anonymous(n, nil)
	is.NoErr(err)
	defer r.Close()
	want := make([]byte, n-5)
	for i := range want {
		want[i] = byte(i * 7 >> 3)
	}
	_, err = r.WriteAt(want, 5)
	is.NoErr(err)
	got := make([]byte, len(want))
	_, err = r.ReadAt(got, 5)
	is.NoErr(err)
	is.True(bytes.Equal(got, want))
}

func TestAttachTimeoutIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("waits a second")
	}
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "never")
	is.NoErr(os.WriteFile(path, nil, 0o600))
	_, err := shm.Open(path, nil)
	is.True(errors.Is(err, shm.ErrSize))
	is.True(errors.Is(err, context.DeadlineExceeded))
}
