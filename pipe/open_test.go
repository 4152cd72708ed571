//go:build unix

package pipe

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestOpenEndsWithContext(t *testing.T) {
	is := is.New(t)
	path := newFIFO(t)
	_, err := OpenReader(soon(t), path, nil)
	is.True(errors.Is(err, ErrNoWriter))
	is.True(errors.Is(err, context.DeadlineExceeded))
	_, err = OpenWriter(soon(t), path, nil)
	is.True(errors.Is(err, ErrNoReader))
	is.True(errors.Is(err, context.DeadlineExceeded))

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = OpenReader(ended, path, nil)
	is.True(errors.Is(err, context.Canceled))
	_, err = OpenWriter(ended, path, nil)
	is.True(errors.Is(err, context.Canceled))
}

// openBoth opens a FIFO from both sides at once.
func openBoth(t *testing.T, path string, ro *ReaderOptions, wo *WriterOptions) (*Reader, *Writer) {
	t.Helper()
	ctx := watched(t)
	opened := make(chan *Writer, 1)
	go func() {
		w, err := OpenWriter(ctx, path, wo)
		if err != nil {
			t.Error(err)
		}
		opened <- w
	}()
	r, err := OpenReader(ctx, path, ro)
	r = closing(t, r, err)
	return r, closing(t, <-opened, nil)
}

func TestNotYetAndGone(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	path := newFIFO(t)
	_, err := OpenReader(soon(t), path, nil)
	is.True(errors.Is(err, ErrNoWriter)) // none has come yet

	r, w := openBoth(t, path, nil, nil)
	_, err = r.Recv(soon(t))
	is.True(errors.Is(err, context.DeadlineExceeded)) // it is there, and silent
	is.True(!errors.Is(err, ErrNoWriter))
	is.NoErr(w.Send(ctx, []byte("a word")))
	is.NoErr(w.Close())
	msg, err := r.Recv(ctx)
	is.NoErr(err)
	is.Equal(string(msg), "a word")
	_, err = r.Recv(ctx)
	is.Equal(err, io.EOF) // it is gone
	is.NoErr(r.Close())

	r, w = openBoth(t, path, nil, nil)
	is.NoErr(r.Close())
	err = w.Send(ctx, []byte("x"))
	is.True(errors.Is(err, syscall.EPIPE)) // the reader is gone
}

func TestPersistentReaderTellsTheSame(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	path := newFIFO(t)
	r, err := OpenReader(ctx, path, &ReaderOptions{Persistent: true})
	is.NoErr(err)
	defer r.Close()
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = r.Recv(ended)
	is.True(errors.Is(err, ErrNoWriter))
	is.True(errors.Is(err, context.Canceled))
	_, err = r.Recv(soon(t))
	is.True(errors.Is(err, ErrNoWriter))

	w, err := OpenWriter(ctx, path, nil)
	is.NoErr(err)
	for err = ErrNoWriter; errors.Is(err, ErrNoWriter); { // ends: a Recv has had the time to see that one has come
		_, err = r.Recv(soon(t))
	}
	is.True(errors.Is(err, context.DeadlineExceeded))
	is.NoErr(w.Close())
	_, err = r.Recv(soon(t))
	is.True(errors.Is(err, context.DeadlineExceeded)) // no end, though it has gone
	is.True(!errors.Is(err, ErrNoWriter))

	waiting := make(chan error, 1)
	go func() { _, err := r.Recv(ctx); waiting <- err }()
	for r.mu.users.Load() == 0 {
		runtime.Gosched()
	}
	is.NoErr(r.Close())
	is.True(errors.Is(<-waiting, os.ErrClosed))
}

// waitForOpener returns when another goroutine waits to open path.
func waitForOpener(t *testing.T, path string) {
	t.Helper()
	st, err := inspect(path, true)
	if err != nil {
		t.Fatal(err)
	}
	for proveUnused(path, idOf(&st)) == nil { // ends: the opener holds its mark, or the test's time-out
		runtime.Gosched()
	}
}

// Calling one open off wakes nobody else.
func TestCancelDisturbsNobody(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	path := newFIFO(t)
	type opened struct {
		r   *Reader
		err error
	}
	patient := make(chan opened, 1)
	go func() {
		r, err := OpenReader(ctx, path, nil)
		patient <- opened{r, err}
	}()
	for range 20 {
		_, err := OpenReader(soon(t), path, nil)
		is.True(errors.Is(err, ErrNoWriter))
	}
	select {
	case <-patient:
		t.Fatal("the other reader was woken")
	default:
	}
	w, err := OpenWriter(ctx, path, nil)
	is.NoErr(err)
	got := <-patient
	is.NoErr(got.err)
	is.NoErr(w.Send(ctx, []byte("for the patient")))
	msg, err := got.r.Recv(ctx)
	is.NoErr(err)
	is.Equal(string(msg), "for the patient")
	is.NoErr(w.Close())
	is.NoErr(got.r.Close())
}

// A shell's blocking open and ours meet, whichever comes first.
func TestMeetsForeignProcess(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	path := newFIFO(t)
	cat := exec.Command("cat", path)
	out, err := cat.StdoutPipe()
	is.NoErr(err)
	is.NoErr(cat.Start())
	w, err := OpenWriter(ctx, path, nil)
	is.NoErr(err)
	_, err = w.Write([]byte("to cat"))
	is.NoErr(err)
	is.NoErr(w.Close())
	text, err := io.ReadAll(out)
	is.NoErr(err)
	is.Equal(string(text), "to cat")
	is.NoErr(cat.Wait())

	echo := exec.Command("sh", "-c", `printf 'from sh' > "$0"`, path)
	is.NoErr(echo.Start())
	r, err := OpenReader(ctx, path, nil)
	is.NoErr(err)
	text, err = io.ReadAll(r)
	is.NoErr(err)
	is.Equal(string(text), "from sh")
	is.NoErr(r.Close())
	is.NoErr(echo.Wait())
}

// The path of a waiting open is given to another FIFO: the wait is for the one
// that was checked, and ends with its context all the same.
func TestPathIsGivenAway(t *testing.T) {
	is := is.New(t)
	path := newFIFO(t)
	ctx, cancel := context.WithCancel(watched(t))
	done := make(chan error, 1)
	go func() {
		r, err := OpenReader(ctx, path, nil)
		if err == nil {
			r.Close()
		}
		done <- err
	}()
	runtime.Gosched()
	is.NoErr(os.Rename(path, path+".old"))
	_, err := Create(path, nil)
	is.NoErr(err)
	cancel()
	err = <-done
	is.True(errors.Is(err, context.Canceled) || errors.Is(err, os.ErrNotExist))
}

var races = flag.Int("races", 1000, "open/cancel races on FIFOs")

// Opens from both sides are called off at any moment. Each ends with the
// context's error or with an open pipe; what stays open, threads and paths are
// counted (descriptors and goroutines also by TestMain).
func TestOpenCancelRaces(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	n := *races
	if testing.Short() {
		n = min(n, 200)
	}
	before := threads()
	var met, called atomic.Int64
	for i := 0; i < n; i += 20 {
		path := filepath.Join(dir, "fifo"+strconv.Itoa(i))
		f, err := Create(path, nil)
		is.NoErr(err)
		var wg sync.WaitGroup
		for k := range 20 {
			ctx, cancel := context.WithCancel(watched(t))
			wg.Go(func() {
				time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
				cancel()
			})
			wg.Go(func() {
				var c io.Closer
				var err error
				if k%2 == 0 {
					c, err = OpenReader(ctx, path, nil)
				} else {
					c, err = OpenWriter(ctx, path, nil)
				}
				if err == nil {
					met.Add(1)
					_ = c.Close()
					return
				}
				called.Add(1)
				if !errors.Is(err, context.Canceled) {
					t.Errorf("race %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		is.NoErr(f.Remove())
	}
	t.Logf("%d opens met, %d were called off; %d threads, %d before", met.Load(), called.Load(), threads(), before)
	is.Equal(met.Load()+called.Load(), int64(n))
	is.True(called.Load() > 0)
	left, err := os.ReadDir(dir)
	is.NoErr(err)
	is.Equal(len(left), 0) // no stray FIFO
	is.True(threads() < before+60)
}

// threads counts this process's threads, where the system shows them.
func threads() int {
	tasks, _ := os.ReadDir("/proc/self/task")
	return len(tasks)
}

func init() {
	// writer PATH NAME COUNT SIZE: sends COUNT messages of random sizes up to SIZE.
	roles["writer"] = func(args []string) error {
		name, count, size := atoi(args[1]), atoi(args[2]), atoi(args[3])
		ctx := context.Background()
		w, err := OpenWriter(ctx, args[0], nil)
		if err != nil {
			return err
		}
		for i := range count {
			if err := send(w, name, i, count, 12+rand.IntN(size-12)); err != nil {
				return err
			}
		}
		return w.Close()
	}
	// tearer PATH: leaves half a message and waits to be killed.
	roles["tearer"] = func(args []string) error {
		w, err := OpenWriter(context.Background(), args[0], &WriterOptions{Exclusive: true})
		if err != nil {
			return err
		}
		if _, err := w.Write([]byte("\x00\x00\x00\x10half of")); err != nil {
			return err
		}
		fmt.Println("written")
		return untilKilled()
	}
}

// send sends a message that says whose it is, and every third one buffered.
func send(w *Writer, name, i, count, size int) error {
	msg := make([]byte, size)
	binary.BigEndian.PutUint32(msg, uint32(name))
	binary.BigEndian.PutUint32(msg[4:], uint32(i))
	binary.BigEndian.PutUint32(msg[8:], uint32(size))
	for k := 12; k < size; k++ {
		msg[k] = byte(name + i + k)
	}
	if i%3 == 0 && i < count-1 {
		return w.SendBuffered(context.Background(), msg)
	}
	return w.Send(context.Background(), msg)
}

// checkMessage returns whose message it is and which, if it is whole.
func checkMessage(msg []byte) (name, i int, err error) {
	if len(msg) < 12 || int(binary.BigEndian.Uint32(msg[8:])) != len(msg) {
		return 0, 0, fmt.Errorf("torn: %d bytes, % x", len(msg), msg[:min(12, len(msg))])
	}
	name, i = int(binary.BigEndian.Uint32(msg)), int(binary.BigEndian.Uint32(msg[4:]))
	for k := 12; k < len(msg); k++ {
		if msg[k] != byte(name+i+k) {
			return 0, 0, fmt.Errorf("torn at byte %d of %d", k, len(msg))
		}
	}
	return name, i, nil
}

// Eight processes write to one FIFO at the same time.
func TestManyWriters(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	const writers = 8
	each := 10_000
	if testing.Short() {
		each = 1_000
	}
	path := newFIFO(t)
	r, err := OpenReader(ctx, path, &ReaderOptions{Persistent: true})
	is.NoErr(err)
	defer r.Close()
	for name := range writers {
		size := 64
		if name == 0 {
			size = MaxAtomic
		}
		startSelf(t, "writer", path, strconv.Itoa(name), strconv.Itoa(each), strconv.Itoa(size))
	}
	next := [writers]int{}
	var buf []byte
	for range writers * each {
		if buf, err = r.RecvInto(ctx, buf); err != nil {
			t.Fatal(err)
		}
		name, i, err := checkMessage(buf)
		if err != nil {
			t.Fatal(err)
		}
		if i != next[name] {
			t.Fatalf("writer %d: message %d, want %d: one was lost or overtaken", name, i, next[name])
		}
		next[name]++
	}
}

func TestAtomicWriterRefusesWhatWouldTear(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	path := newFIFO(t)
	r, w := openBoth(t, path, nil, nil)
	err := w.Send(ctx, make([]byte, MaxAtomic+1))
	is.True(errors.Is(err, ErrMessageSize))
	err = w.SendBuffered(ctx, make([]byte, MaxAtomic+1))
	is.True(errors.Is(err, ErrMessageSize))
	is.NoErr(w.Send(ctx, make([]byte, MaxAtomic)))
	msg, err := r.Recv(ctx)
	is.NoErr(err)
	is.Equal(len(msg), MaxAtomic)

	is.NoErr(w.Close())
	is.NoErr(r.Close())
	r, w = openBoth(t, path, nil, &WriterOptions{Exclusive: true})
	go func() { _ = w.Send(ctx, pattern(200_000)) }()
	msg, err = r.Recv(ctx)
	is.NoErr(err)
	is.Equal(len(msg), 200_000)
}

// A reader outlives a hundred writers, each of them a process.
func TestOutlivesWriters(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	writers := 100
	if testing.Short() {
		writers = 20
	}
	path := newFIFO(t)
	r, err := OpenReader(ctx, path, &ReaderOptions{Persistent: true})
	is.NoErr(err)
	defer r.Close()
	for k := range writers {
		done := make(chan error, 1)
		go func() { done <- self("writer", path, strconv.Itoa(k), "3", "100").Run() }()
		for want := range 3 {
			msg, err := r.Recv(ctx)
			is.NoErr(err)
			name, i, err := checkMessage(msg)
			is.NoErr(err)
			is.Equal(name, k)
			is.Equal(i, want)
		}
		is.NoErr(<-done)
	}
}

// A writer that is killed inside a message costs that message alone.
func TestWriterKilledInsideMessage(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	path := newFIFO(t)
	r, err := OpenReader(ctx, path, &ReaderOptions{Persistent: true})
	is.NoErr(err)
	defer r.Close()
	for range 3 {
		cmd := self("tearer", path)
		_, err = startVictim(t, cmd).Read(make([]byte, 10))
		is.NoErr(err)
		_, err = r.Recv(soon(t))
		is.True(errors.Is(err, context.DeadlineExceeded)) // the rest may come yet
		is.NoErr(cmd.Process.Kill())
		is.True(cmd.Wait() != nil)
		_, err = r.Recv(ctx)
		is.True(errors.Is(err, io.ErrUnexpectedEOF))

		w, err := OpenWriter(ctx, path, nil)
		is.NoErr(err)
		is.NoErr(w.Send(ctx, []byte("whole")))
		msg, err := r.Recv(ctx)
		is.NoErr(err)
		is.Equal(string(msg), "whole")
		is.NoErr(w.Close())
	}

	cmd := self("tearer", path)
	startVictim(t, cmd)
	mortal, err := OpenReader(ctx, path, nil)
	is.NoErr(err)
	defer mortal.Close()
	is.NoErr(r.Close())
	_, err = mortal.Recv(soon(t))
	is.True(errors.Is(err, context.DeadlineExceeded))
	is.NoErr(cmd.Process.Kill())
	_ = cmd.Wait()
	_, err = mortal.Recv(ctx)
	is.True(errors.Is(err, io.ErrUnexpectedEOF)) // and not a clean end
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}
