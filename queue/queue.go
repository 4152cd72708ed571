package queue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ipcctl/ipc/shm"
)

// filePrefix stands before the queue's name in the shared-memory directory.
const filePrefix = "ipcq."

// maxName is the length of the longest name, and of the longest that package shm
// takes.
const maxName = 200

// deadSuffix stands behind the name of a queue for its dead letters.
const deadSuffix = ".dead"

// A Queue is one process's handle on a queue. All its methods may be called
// concurrently. A process may open the same queue several times.
type Queue struct {
	name string
	r    *ring
	os   backing

	broken atomic.Bool // a fault or corruption: no operation any more
	closed atomic.Bool
	done   chan struct{} // closed by Close

	fast       *lane         // the first one joined
	light      light         // whether the fast lane is given back without an exchange
	spareLease atomic.Uint32 // a lane that nobody uses and that counts as leased: 1 + its number, or 0

	lanes []*lane // by number; one that is joined stays in its place

	mu      sync.Mutex // guards pool and gone
	pool    pool
	gone    bool         // the memory was given back
	wanted  atomic.Int32 // len(pool.waiters), and one more in a closed handle
	nkept   atomic.Int32 // len(pool.kept)
	reaping sync.Mutex   // one reaper at a time: the kernel's locks do not exclude goroutines

	get, put side

	clock  clock
	looked atomic.Int64 // when lookAround last ran, since the clock was started

	dead deadLetters
}

// object returns the name that package shm knows the queue by.
func object(name string) (string, error) {
	if strings.Contains(name, "/") {
		if strings.HasSuffix(name, "/") || strings.Contains(name, "\x00") {
			return "", fmt.Errorf("%w: %q: no file can have this path", ErrName, name)
		}
		return name, nil
	}
	if name == "" || len(strings.TrimSuffix(name, deadSuffix)) > maxName || name[0] == '.' {
		return "", fmt.Errorf("%w: %q: 1 to 200 of A-Z a-z 0-9 . _ - without a leading dot, or a path", ErrName, name)
	}
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return "", fmt.Errorf("%w: %q holds %q", ErrName, name, c)
		}
	}
	obj := filePrefix + name
	if len(obj) <= maxName {
		return obj, nil
	}
	if longNames == "" {
		return "", fmt.Errorf("%w: %q: here at most %d bytes", ErrName, name, maxName-len(filePrefix))
	}
	return longNames + obj, nil
}

func wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("queue: %s %q: %w", op, name, err)
}

// Create makes a queue and opens it. A plain name lives in shared memory, a
// path is a regular file whose contents outlive all processes. The queue appears
// whole or not at all, with all its memory reserved: a full file system is an
// error here (ENOSPC) and never later. It returns os.ErrExist if the name is
// taken, as by an earlier run: Open or Remove that one. An invalid name (ErrName)
// or option is refused before anything is made, and so is MaxAttempts beside a
// dead-letter queue of another MaxMessage or another user. With ErrBusy the queue
// was made, and others were so quick to open it that they have every lane.
func Create(name string, o *Options) (*Queue, error) {
	q, err := create(name, o)
	return q, wrap("create", name, err)
}

func create(name string, o *Options) (*Queue, error) {
	g, err := o.plan()
	if err != nil {
		return nil, err
	}
	obj, err := object(name)
	if err != nil {
		return nil, err
	}
	var mode os.FileMode
	if o != nil {
		mode = o.Mode
	}
	// The dead-letter queue comes first: a queue that can be opened has one.
	made := false
	if g.dead > 0 {
		if taken, err := exists(obj); taken {
			return nil, os.ErrExist
		} else if err != nil {
			return nil, err
		}
		if made, err = createDead(name, g, mode); err != nil {
			return nil, fmt.Errorf("dead-letter queue: %w", err)
		}
	}
	reg, err := shm.Create(obj, g.size, &shm.Options{Mode: mode, Init: g.init, File: true})
	if err != nil {
		if made {
			removeOrphan(name)
		}
		return nil, err
	}
	return adopt(name, obj, reg, made)
}

// adopt opens the queue that create has made, and removes it if that fails, with its dead
// letters if they were made, too. With ErrBusy others have opened it already, and use it.
func adopt(name, obj string, reg *shm.Region, made bool) (*Queue, error) {
	q, err := attach(name, reg, true)
	if err != nil && !errors.Is(err, ErrBusy) {
		shm.Remove(obj)
		if made {
			removeDead(name)
		}
	}
	return q, err
}

// exists reports whether the name is taken; if that can't be found out, it says
// so: nothing is removed on a guess.
func exists(obj string) (bool, error) {
	if strings.Contains(obj, "/") { // permission may be wanting for the file, or to look
		_, err := os.Lstat(obj)
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	}
	reg, err := shm.OpenReader(obj, nil)
	switch {
	case err == nil:
		return true, reg.Close()
	case errors.Is(err, os.ErrNotExist):
		return false, nil
	case errors.Is(notQueue(err), ErrNotQueue), errors.Is(err, os.ErrPermission):
		return true, nil
	}
	return false, err
}

// init writes a fresh queue: every slot and lane with a block of its own.
func (g *geometry) init(mem []byte) error {
	g.encode(mem)
	r, err := newRing(mem, *g)
	if err != nil {
		return err
	}
	r.word(offTail).Store(uint64(g.capacity))
	r.word(offHead).Store(uint64(g.capacity))
	for i := range g.capacity {
		r.slot(i).Store(uint64(makeSlot(1, kindEmpty, i, 0)))
	}
	for k := range g.lanes {
		r.laneWord(k, laneRecord).Store(uint64(makeRecord(opIdle, 0, g.capacity+k, 0)))
	}
	return nil
}

// Open opens an existing queue, which has the options that it was made with;
// those given here are ignored, pass nil. It returns os.ErrNotExist,
// os.ErrPermission, ErrName, ErrNotQueue, ErrVersion or ErrCorrupt for what it
// cannot use, and ErrBusy if every lane belongs to a living process.
func Open(name string, _ *Options) (*Queue, error) {
	q, err := open(name)
	return q, wrap("open", name, err)
}

func open(name string) (*Queue, error) {
	obj, err := object(name)
	if err != nil {
		return nil, err
	}
	reg, err := shm.Open(obj, nil)
	if err != nil {
		return nil, notQueue(err)
	}
	return attach(name, reg, true)
}

// OpenOrCreate opens a queue, or makes it with the options where there is none: what a
// program calls that takes up the queue of its last run. Of several that call it at the
// same time, one makes the queue. A queue that exists keeps the options that it was made
// with (see Cap and MaxMessage), and is open or closed for writing as it was left. It may
// be another user's: File().Stat tells. Errors are those of Open and Create;
// os.ErrNotExist is about the directory of a path. Invalid options are refused in either
// case.
func OpenOrCreate(name string, o *Options) (*Queue, error) {
	if _, err := o.plan(); err != nil {
		return nil, wrap("create", name, err)
	}
	for tries := 0; ; tries++ {
		q, err := Open(name, nil)
		if !errors.Is(err, os.ErrNotExist) {
			return q, err
		}
		q, err = Create(name, o)
		if !errors.Is(err, os.ErrExist) || tries == maxRetries {
			return q, err // else somebody else made it meanwhile, who may have removed it
		}
	}
}

// notQueue says of an object that is no regular file, or empty, that it is no queue.
func notQueue(err error) error {
	if errors.Is(err, shm.ErrNotSegment) || errors.Is(err, shm.ErrSize) {
		return fmt.Errorf("%w: %w", ErrNotQueue, err)
	}
	return err
}

// Anonymous makes a queue without a name. It lives as long as a process has it
// open; File hands it over, FromFile opens it there. Errors are those of Create;
// MaxAttempts is refused, since dead letters need a name.
func Anonymous(o *Options) (*Queue, error) {
	const name = "(anonymous)"
	g, err := o.plan()
	if err != nil {
		return nil, wrap("create", name, err)
	}
	if g.dead > 0 {
		return nil, wrap("create", name, fmt.Errorf("%w: MaxAttempts needs a queue with a name, for the dead letters", errOption))
	}
	reg, err := shm.Anonymous(g.size, &shm.Options{Init: g.init})
	if err != nil {
		return nil, wrap("create", name, err)
	}
	q, err := attach(name, reg, false)
	return q, wrap("create", name, err)
}

// FromFile opens the queue behind a descriptor received from another process,
// as File gave it. f stays the caller's. Errors are those of Open. Of a queue with
// MaxAttempts it finds the dead-letter queue only if f's name is the queue's path.
func FromFile(f *os.File) (*Queue, error) {
	reg, err := shm.FromFile(f, nil)
	if err != nil {
		return nil, wrap("open", f.Name(), notQueue(err))
	}
	q, err := attach(f.Name(), reg, false)
	return q, wrap("open", f.Name(), err)
}

// attach takes over p.
func attach(name string, p pinned, named bool) (*Queue, error) {
	seg, err := newSegment(p, named)
	if err != nil {
		return nil, err
	}
	q, err := newQueue(name, seg)
	if err != nil {
		seg.Close()
		return nil, err
	}
	return q, nil
}

// newQueue checks the memory and joins a first lane.
func newQueue(name string, os backing) (q *Queue, err error) {
	r, err := checkRing(os.memory())
	if err != nil {
		return nil, err
	}
	q = &Queue{name: name, r: r, os: os, done: make(chan struct{})}
	if r.dead > 0 {
		q.dead.of = fixed(name)
	}
	q.clock.start()
	q.lanes = make([]*lane, r.lanes)
	q.get = side{turn: make(chan struct{}, 1), line: offNotEmpty}
	q.put = side{turn: make(chan struct{}, 1), line: offNotFull}
	l, err := q.join()
	if err != nil {
		return nil, err
	}
	q.joined(l)
	q.fast = l
	return q, nil
}

// checkRing returns the ring in mem, if its header is one.
func checkRing(mem []byte) (*ring, error) {
	var g geometry
	if err := guarded(mem, func() (err error) { g, err = decode(mem, len(mem)); return }); err != nil {
		return nil, err
	}
	return newRing(mem, g)
}

// guarded runs f, which may meet a fault in mem.
func guarded(mem []byte, f func() error) (err error) {
	q := Queue{r: &ring{mem: mem}}
	defer q.guard(debug.SetPanicOnFault(true), &err)
	return f()
}

// guard is deferred by every function that touches shared memory, with what
// debug.SetPanicOnFault(true) returned. A fault inside the mapping, because
// another process truncated or punched the file, becomes an error, and the
// handle is of no more use; every other panic goes on.
func (q *Queue) guard(old bool, err *error) {
	debug.SetPanicOnFault(old)
	if p := recover(); p != nil {
		*err = q.fault(p)
	} else if *err == ErrCorrupt {
		q.broken.Store(true)
	}
}

func (q *Queue) fault(p any) error {
	if !q.faulted(p) {
		panic(p)
	}
	q.broken.Store(true)
	return fmt.Errorf("%w: its memory is gone: another process truncated or punched the file", ErrCorrupt)
}

// faulted reports whether p is the panic of a fault in the queue's memory.
func (q *Queue) faulted(p any) bool {
	e, ok := p.(interface {
		runtime.Error
		Addr() uintptr
	})
	return ok && q.r.contains(e.Addr())
}

// usable is checked at the start of every operation.
func (q *Queue) usable() error {
	if q.closed.Load() {
		return os.ErrClosed
	}
	if q.broken.Load() {
		return ErrCorrupt
	}
	return nil
}

// Name returns the name that the queue was opened by.
func (q *Queue) Name() string { return q.name }

// Cap returns the capacity in entries.
func (q *Queue) Cap() int { return int(q.r.capacity) }

// MaxMessage returns the length of the longest message that the queue takes, in bytes.
func (q *Queue) MaxMessage() int { return q.r.maxMessage }

// File returns the descriptor of the queue's memory, for handing an anonymous
// queue to another process. It belongs to the queue.
func (q *Queue) File() *os.File {
	if s, ok := q.os.(*segment); ok {
		return s.file
	}
	return nil
}

// CloseWrite ends the queue for producers in all processes: later Puts return
// ErrClosedWrite. Consumers receive what is there, including messages that
// come back from leases, and then io.EOF. It cannot be undone.
func (q *Queue) CloseWrite() error {
	return wrap("close", q.name, q.mark(closedBit))
}

// mark sets a bit of the queue's state and wakes everybody.
func (q *Queue) mark(bit uint32) (err error) {
	if err := q.pin(); err != nil {
		return err
	}
	defer q.unpin()
	defer q.guard(debug.SetPanicOnFault(true), &err)
	q.r.word32(offState + stateFlags).Or(bit)
	q.wakeAll()
	return nil
}

func (q *Queue) wakeAll() {
	for _, line := range []int{offNotEmpty, offNotFull} {
		seq := q.r.word32(line + waitSeq)
		seq.Add(2)
		q.os.wake(seq, -1)
	}
}

// Close ends the use of the queue by this handle and returns at once: waiting
// calls return os.ErrClosed. Open leases stay good until their Ack or Nack, and the
// memory of reservations until their Abort, or Commit, which returns os.ErrClosed.
// The queue itself remains until Remove. Close is idempotent.
func (q *Queue) Close() error {
	if q.closed.Swap(true) {
		return nil
	}
	q.want()
	close(q.done)
	q.os.interrupt()
	q.mu.Lock()
	for len(q.pool.waiters) > 0 {
		q.wakeWaiter()
	}
	q.leaveAll()
	q.mu.Unlock()
	return nil
}

// Remove removes a queue and its dead-letter queue by name. Whoever has it open
// can take the messages that are there; when there are none, and for each Put, it
// is ErrRemoved. It refuses with ErrNotQueue what is no queue, and returns
// os.ErrNotExist if there is nothing of that name.
func Remove(name string) error { return wrap("remove", name, remove(name)) }

func remove(name string) error {
	obj, err := object(name)
	if err != nil {
		return err
	}
	reg, err := shm.Open(obj, nil)
	if errors.Is(err, os.ErrNotExist) && !strings.Contains(obj, "/") && shm.Remove(obj) == nil {
		return nil // its creator died, on a system where that leaves something
	}
	if err != nil {
		return notQueue(err)
	}
	defer reg.Close()
	mem, unpin, err := reg.Pin()
	if err != nil {
		return err
	}
	defer unpin()
	var g geometry
	err = guarded(mem, func() (err error) {
		if len(mem) < offLanes || string(mem[:len(magic)]) != magic {
			return ErrNotQueue
		}
		g.dead = binary.NativeEndian.Uint32(mem[hdrDead:])
		return nil
	})
	if err != nil {
		return err
	}
	if err := shm.Remove(obj); err != nil {
		return err
	}
	// From here on the queue has no name; tell those who wait.
	seg, err := newSegment(reg, true)
	if err == nil {
		guarded(mem, func() error {
			q := Queue{r: &ring{mem: mem}, os: seg}
			q.r.word32(offState + stateFlags).Or(removedBit)
			q.wakeAll()
			return nil
		})
		seg.Close()
	}
	if g.dead > 0 {
		if err := removeDead(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
