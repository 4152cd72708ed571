//go:build unix

package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// specialFiles make what only Unix has.
var specialFiles = map[string]func(path string) error{
	"FIFO": func(path string) error { return unix.Mkfifo(path, 0o600) },
	"socket": func(path string) error {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
		if err != nil {
			return err
		}
		l.SetUnlinkOnClose(false)
		return l.Close()
	},
}

// victims use the queue at path in every way until stop is called. Whatever
// happens to the file meanwhile, each call must come back soon after its
// context has ended, with a result or with an error.
type victims struct {
	path    string
	ctx     context.Context
	cancel  context.CancelFunc
	all     sync.WaitGroup
	corrupt atomic.Int64 // handles that were given up
	calls   atomic.Int64
}

func startVictims(path string) *victims {
	v := &victims{path: path}
	v.ctx, v.cancel = context.WithCancel(context.Background())
	msg := []byte("a small message")
	long := make([]byte, 4000)
	work := []func(ctx context.Context, q *Queue) error{
		func(ctx context.Context, q *Queue) error { return q.Put(ctx, msg) },
		func(ctx context.Context, q *Queue) error {
			_, err := q.PutBatch(ctx, [][]byte{msg, msg, long, msg})
			return err
		},
		func(ctx context.Context, q *Queue) error { _, err := q.Get(ctx); return err },
		func(ctx context.Context, q *Queue) error { _, err := q.GetBatch(ctx, 5); return err },
		func(ctx context.Context, q *Queue) error {
			m, err := q.Lease(ctx)
			if err != nil {
				return err
			}
			if len(m.Bytes())%2 == 0 {
				return m.Nack()
			}
			return m.Ack()
		},
		func(ctx context.Context, q *Queue) error {
			q.Stats()
			q.Len()
			return ctx.Err()
		},
	}
	for _, f := range work {
		v.all.Go(func() {
			for v.ctx.Err() == nil {
				if fi, err := os.Stat(path); err != nil || fi.Size() == 0 {
					return // Open would wait a second for somebody to give it a size
				}
				q, err := Open(path, nil)
				if err != nil {
					time.Sleep(time.Millisecond) // whoever truncated or flipped the header has won
					continue
				}
				v.use(q, f)
				q.Close()
			}
		})
	}
	v.all.Go(func() {
		for v.ctx.Err() == nil {
			if fi, err := os.Stat(path); err != nil || fi.Size() == 0 {
				return
			}
			r, err := OpenReader(path)
			if err != nil {
				time.Sleep(time.Millisecond)
				continue
			}
			for err == nil && v.ctx.Err() == nil {
				if _, err = r.Stats(); err == nil {
					_, err = r.Peek(10, 100)
				}
			}
			r.Close()
		}
	})
	return v
}

// use calls f until the handle is of no more use.
func (v *victims) use(q *Queue, f func(ctx context.Context, q *Queue) error) {
	for v.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(v.ctx, 50*time.Millisecond)
		err := f(ctx, q)
		cancel()
		v.calls.Add(1)
		switch {
		case errors.Is(err, ErrCorrupt):
			v.corrupt.Add(1)
			return
		case err == nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		default: // closed, removed, at its end: as the attacker has it
			return
		}
	}
}

func (v *victims) stop() {
	watchdog := time.AfterFunc(patience, func() {
		debug.SetTraceback("all")
		panic("an operation hangs on a hostile file")
	})
	defer watchdog.Stop()
	v.cancel()
	v.all.Wait()
}

var flipperMain = registerChild("flipper", runFlipper)

// runFlipper flips random bits in the mapped file: path, seed.
func runFlipper(args []string) error {
	seed, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, int(fi.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	fmt.Println("flipping")
	rnd := rand.New(rand.NewPCG(seed, 1))
	for {
		where := len(mem)
		if rnd.IntN(4) > 0 { // lanes, slots and the first blocks rather than payload
			where = min(where, 8<<10)
		}
		mem[offTail+rnd.IntN(where-offTail)] ^= 1 << rnd.IntN(8)
		if rnd.IntN(200) == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// duration is how long the attacks of one kind last in all.
func duration(t testing.TB) time.Duration {
	switch {
	case *hostileAll:
		return time.Minute
	case testing.Short():
		return 300 * time.Millisecond
	}
	return 1500 * time.Millisecond
}

// TestBitFlips has a process flip bits in the memory of a queue in use.
func TestBitFlips(t *testing.T) {
	var calls, corrupt int64
	rounds := 0
	for end := time.Now().Add(duration(t)); time.Now().Before(end); rounds++ {
		path := filepath.Join(t.TempDir(), "q")
		q, err := Create(path, &Options{Capacity: 4, Lanes: 16, MaxMessage: 5000, EntrySize: 128, Memory: 80 << 10})
		if err != nil {
			t.Fatal(err)
		}
		v := startVictims(path)
		c := spawn(t, flipperMain, path, fmt.Sprint(rand.Uint64()))
		if line, err := c.line(); err != nil {
			t.Fatal(line, err, c.err.String())
		}
		time.Sleep(100 * time.Millisecond) // this long they fight
		c.kill()
		v.stop()
		q.Close()
		calls += v.calls.Load()
		corrupt += v.corrupt.Load()
	}
	if corrupt == 0 {
		t.Error("nobody noticed")
	}
	t.Logf("%d rounds, %d calls, %d handles found corruption", rounds, calls, corrupt)
}

// attackFile lets attack change a file, while victims use it if busy.
func attackFile(t *testing.T, path string, busy bool, attack func() error) {
	t.Helper()
	is := is.New(t)
	o := &Options{Capacity: 4, Lanes: 32, MaxMessage: 5000, EntrySize: 128, Memory: 100 << 10}
	q, err := Create(path, o)
	is.NoErr(err)
	defer q.Close()
	lease := func() *Lease {
		is.NoErr(q.TryPut([]byte("leased")))
		m, err := q.TryLease()
		is.NoErr(err)
		return m
	}()
	if busy {
		v := startVictims(path)
		defer v.stop()
		for v.calls.Load() < 100 {
			time.Sleep(time.Millisecond)
		}
	}
	is.NoErr(attack())
	if busy {
		time.Sleep(20 * time.Millisecond) // this long they meet the consequences
	}

	// Every method of a handle from before comes back.
	lease.Ack()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	for range 10 {
		q.Put(ctx, []byte("message"))
		q.Put(ctx, make([]byte, 5000))
		q.Get(ctx)
		q.GetBatch(ctx, 10)
		q.Len()
		q.Stats()
	}
	q.CloseWrite()
}

// TestTruncated truncates the file of a queue in use.
func TestTruncated(t *testing.T) {
	for _, size := range []int64{0, 1, 4096, 8192, 30000, 70000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "q")
			// The race detector makes some accesses in C, where a fault is not
			// a panic: nobody is in the middle of one then.
			attackFile(t, path, !underRace, func() error { return os.Truncate(path, size) })
		})
	}
	for _, name := range []string{"Get", "Put"} {
		t.Run("asleep in "+name, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(t.TempDir(), "q")
			q := opened(t)(Create(path, &Options{Capacity: 1, MaxMessage: 8}))
			got := make(chan error)
			if name == "Put" {
				is.NoErr(q.TryPut(nil))
				go func() { got <- q.Put(patient(t), nil) }()
			} else {
				go func() { _, err := q.Get(patient(t)); got <- err }()
			}
			for q.Stats().Waits == 0 {
				time.Sleep(time.Millisecond)
			}
			is.NoErr(os.Truncate(path, 0))
			is.True(errors.Is(<-got, ErrCorrupt))
			is.True(errors.Is(q.TryPut(nil), ErrCorrupt)) // and stays so
			_, err := q.TryGet()
			is.True(errors.Is(err, ErrCorrupt))
			is.NoErr(q.Close())
		})
	}
}

// TestLeaseOfTruncated ends a lease whose memory is gone. Nothing of the handle
// remains after its Close.
func TestLeaseOfTruncated(t *testing.T) {
	for name, end := range map[string]func(m *Lease) error{"Ack": (*Lease).Ack, "Nack": (*Lease).Nack} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(t.TempDir(), "q")
			q := opened(t)(Create(path, &Options{Capacity: 1, MaxMessage: 8}))
			is.NoErr(q.TryPut([]byte("message")))
			m, err := q.TryLease()
			is.NoErr(err)
			is.NoErr(os.Truncate(path, 0))
			is.True(errors.Is(end(m), ErrCorrupt))
			is.NoErr(q.Close())
			is.True(q.gone)
		})
	}
}

// TestKeepInTruncated keeps the rest of a packed entry for a Lease that sleeps, in
// memory that is gone: the process lives, and whoever uses the handle learns of it.
func TestKeepInTruncated(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "q")
	q := opened(t)(Create(path, &Options{Capacity: 1, MaxMessage: 8}))
	_, err := q.PutBatch(t.Context(), [][]byte{[]byte("a"), []byte("b")})
	is.NoErr(err)
	m, err := q.TryLease()
	is.NoErr(err)
	more, err := q.ackOn(m.l)
	is.NoErr(err)
	is.True(more)
	q.get.turn <- struct{}{} // as if one slept
	is.NoErr(os.Truncate(path, 0))
	q.keep(m.l)
	is.True(errors.Is(q.TryPut(nil), ErrCorrupt))
	is.NoErr(q.Close())
	is.True(q.gone)
}

// TestRemovedInUse removes the file of a queue by hand: a handle that waits finds
// out, and what is there can be had.
func TestRemovedInUse(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "q")
	q := opened(t)(Create(path, &Options{Capacity: 1, MaxMessage: 8}))
	is.NoErr(q.TryPut([]byte("message")))
	put := make(chan error)
	go func() { put <- q.Put(patient(t), nil) }()
	for q.Stats().Waits == 0 {
		time.Sleep(time.Millisecond)
	}
	is.NoErr(os.Remove(path))
	is.True(errors.Is(<-put, ErrRemoved))
	m, err := q.TryGet() // what is there can be had
	is.NoErr(err)
	is.Equal(string(m), "message")
	_, err = q.Get(patient(t))
	is.True(errors.Is(err, ErrRemoved))
}

var createMain = registerChild("create", runCreate)

// runCreate creates queues under a limit: "file size" or "descriptors", path,
// limit, "with dead letters" or not. It prints the error.
func runCreate(args []string) error {
	limit, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return err
	}
	// What the runtime opens on first use is open from here on.
	warm, err := Create(args[1]+".warm", nil)
	if err != nil {
		return err
	}
	warm.Close()
	if err := Remove(args[1] + ".warm"); err != nil {
		return err
	}
	resource := unix.RLIMIT_NOFILE
	if args[0] == "file size" {
		signal.Ignore(unix.SIGXFSZ)
		resource = unix.RLIMIT_FSIZE
	}
	var r unix.Rlimit
	if err := unix.Getrlimit(resource, &r); err != nil {
		return err
	}
	setLimit(&r.Cur, limit)
	if err := unix.Setrlimit(resource, &r); err != nil {
		return err
	}
	o := &Options{Capacity: 64, MaxMessage: 10000}
	if args[3] == "with dead letters" {
		o.MaxAttempts, o.DeadLetters = 3, 2
	}
	q, err := Create(args[1], o)
	fmt.Println(err)
	if err == nil {
		q.Close()
		return Remove(args[1])
	}
	return nil
}

// setLimit stores into a field that is signed on some systems.
func setLimit[T int64 | uint64](field *T, limit uint64) { *field = T(limit) }

// TestCreateWithoutSpace: a full file system is an error of Create that says so,
// and leaves nothing behind.
func TestCreateWithoutSpace(t *testing.T) {
	// The dead-letter queue fits, the queue does not; then neither.
	for _, limit := range []int{1 << 20, 4096, 1} {
		dir := t.TempDir()
		for _, name := range []string{filepath.Join(dir, "q"), uniqueName(t)} {
			c := spawn(t, createMain, "file size", name, strconv.Itoa(limit), "with dead letters")
			line, err := c.line()
			if err != nil {
				t.Fatalf("%v\n%s", err, c.err.String())
			}
			c.wait()
			if !strings.Contains(line, "file too large") {
				t.Errorf("limit of %d bytes: %s", limit, line)
			}
			expectNothing(t, dir, name)
		}
	}
}

// expectNothing checks that dir is empty and no queue is called name.
func expectNothing(t testing.TB, dir, name string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	for _, n := range []string{name, DeadName(name)} {
		if _, err := OpenReader(n); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("queue %q: %v", n, err)
		}
	}
}

// TestCreateWithoutDescriptors: Create fails at each of its open files in turn.
func TestCreateWithoutDescriptors(t *testing.T) {
	for _, form := range []string{"plain", "with dead letters"} {
		t.Run(form, func(t *testing.T) {
			var errs []string
			for limit := 4; ; limit++ {
				dir := t.TempDir()
				path := filepath.Join(dir, "q")
				c := spawn(t, createMain, "descriptors", path, strconv.Itoa(limit), form)
				line, err := c.line()
				if err != nil {
					t.Fatalf("%v\n%s", err, c.err.String())
				}
				c.wait()
				expectNothing(t, dir, path)
				if line == "<nil>" {
					break
				}
				if !strings.Contains(line, "too many open files") {
					t.Errorf("limit of %d descriptors: %s", limit, line)
				}
				if limit > 100 {
					t.Fatal("Create needs more than 100 descriptors")
				}
				errs = append(errs, strings.ReplaceAll(line, dir, ""))
			}
			if errs = slices.Compact(errs); len(errs) < 2 {
				t.Errorf("only these calls failed: %q", errs)
			}
		})
	}
}

var makerMain = registerChild("maker", runMaker)

// runMaker makes, uses and removes a queue again and again.
func runMaker(args []string) error {
	fmt.Println("ready")
	for {
		q, err := Create(args[0], &Options{Capacity: 8, MaxMessage: 100, MaxAttempts: 1})
		if err != nil {
			return err
		}
		q.TryPut([]byte("message"))
		if m, err := q.TryLease(); err == nil {
			m.Nack()
		}
		q.Close()
		if err := Remove(args[0]); err != nil {
			return err
		}
	}
}

// TestKillInCreate kills a process while it creates, opens, closes and removes a
// queue. What it leaves is a whole queue or none, and the name can be used again.
func TestKillInCreate(t *testing.T) {
	n := 40
	if testing.Short() {
		n = 10
	}
	exist := 0
	for range n {
		is := is.New(t)
		dir := t.TempDir()
		path := filepath.Join(dir, "q")
		c := spawn(t, makerMain, path)
		if _, err := c.line(); err != nil {
			t.Fatal(err, c.err.String())
		}
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		c.cmd.Process.Signal(syscall.SIGKILL)
		io.Copy(io.Discard, c.out)
		if err := c.cmd.Wait(); !strings.Contains(err.Error(), "killed") {
			t.Fatal(err, c.err.String())
		}
		q, err := Open(path, nil)
		if err == nil {
			exist++
			is.NoErr(q.TryPut([]byte("another")))
			is.NoErr(q.Close())
			is.NoErr(Remove(path))
		} else {
			is.True(errors.Is(err, os.ErrNotExist))
		}
		q, err = Create(path, &Options{Capacity: 8, MaxMessage: 100, MaxAttempts: 1})
		is.NoErr(err)
		is.NoErr(q.TryPut([]byte("message")))
		is.NoErr(q.Close())
		is.NoErr(Remove(path))
		// Where files cannot be made without a name, death leaves the temporary one.
		temps, err := filepath.Glob(filepath.Join(dir, ".ipc-new-*"))
		is.NoErr(err)
		for _, f := range temps {
			is.NoErr(os.Remove(f))
		}
		expectNothing(t, dir, path)
	}
	t.Logf("%d kills, the queue existed after %d", n, exist)
}

// A dead-letter queue that another user has made beforehand is not trusted with messages,
// neither by Create nor by who finds it in the place of one that was removed. Only the
// queue's owner makes that again.
func TestDeadLettersOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	const stranger = 12345
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "q")
	o := &Options{Capacity: 4, MaxMessage: 8, MaxAttempts: 1}
	strange := func() *Queue {
		q := opened(t)(Create(DeadName(path), &Options{Capacity: 4, MaxMessage: 8}))
		is.NoErr(os.Chown(DeadName(path), stranger, -1))
		return q
	}
	strange()
	_, err := Create(path, o)
	is.True(errors.Is(err, os.ErrPermission))
	is.True(strings.Contains(err.Error(), "belongs to user 12345"))
	is.NoErr(os.Remove(DeadName(path)))

	q := opened(t)(Create(path, o))
	nack := func() {
		is.NoErr(q.TryPut([]byte("letter")))
		m, err := q.TryLease()
		is.NoErr(err)
		is.NoErr(m.Nack())
	}
	is.NoErr(os.Remove(DeadName(path)))
	d := strange()
	nack()
	is.Equal(d.Len(), 0)
	is.Equal(q.Len(), 1)

	is.NoErr(os.Chown(path, stranger, -1))
	nack() // what the owner has made is good
	is.Equal(d.Len(), 1)
	is.NoErr(os.Remove(DeadName(path)))
	nack()
	_, err = os.Stat(DeadName(path))
	is.True(errors.Is(err, os.ErrNotExist))
	is.Equal(q.Len(), 2)
}
