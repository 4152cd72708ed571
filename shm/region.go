package shm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/ipcctl/ipc/shm/internal/memory"
	"github.com/ipcctl/ipc/shm/shmsync"
)

// Options of Create, Open, Anonymous and FromFile. The zero value is useful.
type Options struct {
	// Mode holds the permission bits of a new segment; 0 means 0600. The
	// process's umask does not apply.
	Mode os.FileMode

	// Init is called by Create and Anonymous on the reserved, zeroed memory
	// before the segment becomes visible under its name. An error, or a panic,
	// means that nothing is created.
	Init func(mem []byte) error

	// Stable is for ReaderFromFile: the bytes must not change or disappear
	// under the reader. A descriptor that is not sealed against that is copied
	// into private memory instead of mapped.
	Stable bool

	// Populate maps every page at once instead of at its first use; Lock keeps
	// the pages out of swap (mlock); Huge asks for huge pages. All three are
	// wishes: Placement reports what came of them.
	Populate, Lock, Huge bool

	// File makes a named segment a file in the runtime directory where the
	// system keeps shared memory elsewhere: on macOS its descriptor then tells
	// that it was removed, and its name may be as long as any, but Python's
	// SharedMemory can't open it. On Linux every named segment is a file.
	File bool

	noTmpfile bool // for tests: as where O_TMPFILE is missing
}

func (o *Options) orDefault() Options {
	if o == nil {
		return Options{}
	}
	return *o
}

func (o *Options) mode() os.FileMode {
	if o.Mode == 0 {
		return 0o600
	}
	return o.Mode.Perm()
}

// ErrSize is the error for a size that is not positive or that the system
// cannot map, and for opening a segment of size 0.
var ErrSize = errors.New("invalid size")

// ErrFault reports an access to memory that its object no longer backs:
// another process truncated or punched it, or its file system is full. The
// same access may work later; the process is unharmed.
var ErrFault = memory.ErrFault

// ErrNotSegment is the error for a name that refers to something else than a
// regular file: a directory, a FIFO, a symbolic link.
var ErrNotSegment = errors.New("not a shared-memory segment (not a regular file)")

// AttachTimeout is how long Open waits for a creator that has made the segment
// but not yet given it a size.
const AttachTimeout = time.Second

// segment is what Region and Reader share: one mapping and its descriptor.
//
//	close ─▶ no new operation starts ─▶ last operation, view or pin ends ─▶ munmap
type segment struct {
	mem    *memory.Memory
	object object
	name   string

	refused error // what Options.Populate, Lock and Huge asked for in vain

	mu     sync.Mutex
	closed bool
	waits  *shmsync.WaitSet // made at first use, as is self
	self   *shmsync.Member
}

// An object is an open shared-memory object. attached, where the kernel does
// not show who uses an object, is what shows it; nil elsewhere.
type object struct {
	f        *os.File
	size     int // bytes that its creator asked for; 0 if only the kernel's size is known
	attached io.Closer
	reader   *os.File // a read-only descriptor, where one cannot be made later
}

func (o object) close() error {
	var errs []error
	if o.attached != nil {
		errs = append(errs, o.attached.Close())
	}
	if o.reader != nil {
		errs = append(errs, o.reader.Close())
	}
	return errors.Join(append(errs, o.f.Close())...)
}

// newSegment takes over obj and b.
func newSegment(name string, obj object, b []byte, o Options) *segment {
	s := &segment{name: name, object: obj, mem: memory.New(name, b, unmap)}
	markUsed(obj.f)
	s.refused = place(b, o)
	return s
}

// Name is the segment's name: as given, as generated, or that of the file.
func (s *segment) Name() string { return s.name }

// Size is the size of the mapping in bytes. It never changes, even if the
// object does.
func (s *segment) Size() int { return s.mem.Size() }

// File is the segment's descriptor, to pass on to another process. It belongs
// to the segment and is closed with it; who receives it has what it allows:
// that of a Region is writable, that of a Reader is not.
func (s *segment) File() *os.File { return s.object.f }

// Pin gives the whole mapping to a long-lived user that guards its own
// accesses against faults. Close returns at once all the same, but the memory
// stays mapped until unpin, which may be called more than once. The memory of
// a Reader is read-only: writing to it is a fault.
func (s *segment) Pin() (mem []byte, unpin func(), err error) {
	if !s.mem.Enter() {
		return nil, nil, wrap("pin", s.name, os.ErrClosed)
	}
	return s.mem.Bytes(), sync.OnceFunc(s.mem.Leave), nil
}

// Liveness opens the kernel's locks on this object, through an open file
// description of its own. The caller closes it. From a Reader whose user may
// not write the object it can only probe.
func (s *segment) Liveness() (*shmsync.Liveness, error) {
	if s.mem.Closed() {
		return nil, wrap("liveness", s.name, os.ErrClosed)
	}
	l, err := shmsync.OpenLiveness(s.object.f)
	return l, wrap("liveness", s.name, err)
}

// Close ends the use of the segment by this process; the object remains until
// Remove. It returns at once: operations and views inside finish on memory
// that stays mapped for them, later ones return os.ErrClosed. It is idempotent.
func (s *segment) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.mem.Close()
	if s.waits != nil {
		s.waits.Close()
	}
	var err error
	if s.self != nil {
		err = s.self.Close()
	}
	return wrap("close", s.name, errors.Join(err, s.object.close()))
}

// A Region is a writable shared-memory segment of a fixed size. Its methods
// may be called concurrently; the bytes themselves are as racy as memory is.
type Region struct{ *segment }

// A Reader is a segment that this process can only read. Neither its mapping
// nor its descriptor can be made writable.
type Reader struct{ *segment }

// Create makes the segment name with size zeroed bytes, whole or not at all:
// its space is reserved, Options.Init has run, and only then the name appears.
// It stays until Remove. A name that exists is os.ErrExist; too little space is
// ENOSPC, now and never later as a fault; ErrName and ErrSize say that the name or
// the size is none.
//
// name is a segment name of up to MaxName bytes of [A-Za-z0-9._-] without a leading
// dot, or "" for a generated one of Python's kind (psm_xxxxxxxx), or a file
// path if it contains a slash.
func Create(name string, size int, o *Options) (*Region, error) {
	opt := o.orDefault()
	if name == "" {
		return createGenerated(size, &opt)
	}
	if err := checkName(name); err != nil {
		return nil, wrap("create", name, err)
	}
	return create(name, size, &opt)
}

func create(name string, size int, o *Options) (*Region, error) {
	if size <= 0 {
		return nil, wrap("create", name, fmt.Errorf("%w: %d bytes", ErrSize, size))
	}
	obj, b, err := createObject(name, size, o)
	if err != nil {
		return nil, wrap("create", name, err)
	}
	return &Region{newSegment(name, obj, b, *o)}, nil
}

// createGenerated tries names until one is free.
func createGenerated(size int, o *Options) (*Region, error) {
	const tries = 100
	for range tries - 1 {
		r, err := create(generateName(), size, o)
		if !errors.Is(err, os.ErrExist) {
			return r, err
		}
	}
	return create(generateName(), size, o)
}

// Open attaches to an existing segment for reading and writing. A segment
// that has no size yet (its creator is between open and ftruncate) is waited
// for up to AttachTimeout. A failed Open changes and removes nothing; its error
// is os.ErrNotExist, os.ErrPermission, ErrName, ErrNotSegment, or ErrSize for a
// segment that stays empty.
func Open(name string, o *Options) (*Region, error) {
	ctx, cancel := context.WithTimeout(context.Background(), AttachTimeout)
	defer cancel()
	return OpenContext(ctx, name, o)
}

// OpenContext is Open that waits for a size until ctx ends.
func OpenContext(ctx context.Context, name string, o *Options) (*Region, error) {
	s, err := open(ctx, name, true, o.orDefault())
	if err != nil {
		return nil, err
	}
	return &Region{s}, nil
}

// OpenReader attaches for reading only. It waits and fails like Open.
func OpenReader(name string, o *Options) (*Reader, error) {
	ctx, cancel := context.WithTimeout(context.Background(), AttachTimeout)
	defer cancel()
	return OpenReaderContext(ctx, name, o)
}

// OpenReaderContext is OpenReader that waits for a size until ctx ends.
func OpenReaderContext(ctx context.Context, name string, o *Options) (*Reader, error) {
	s, err := open(ctx, name, false, o.orDefault())
	if err != nil {
		return nil, err
	}
	return &Reader{s}, nil
}

func open(ctx context.Context, name string, writable bool, o Options) (*segment, error) {
	if err := checkName(name); err != nil {
		return nil, wrap("open", name, err)
	}
	obj, err := openObject(ctx, name, writable)
	if err != nil {
		return nil, wrap("open", name, err)
	}
	s, err := attach(ctx, name, obj, writable, o)
	if err != nil {
		obj.close()
		return nil, wrap("open", name, err)
	}
	return s, nil
}

// attach maps obj once it has a size. The caller closes obj on errors.
func attach(ctx context.Context, name string, obj object, writable bool, o Options) (*segment, error) {
	size, err := waitSize(ctx, obj.f)
	if err != nil {
		return nil, err
	}
	if obj.size > 0 {
		size = min(size, obj.size)
	}
	b, err := mapFile(obj.f, size, writable)
	if err != nil {
		return nil, err
	}
	return newSegment(name, obj, b, o), nil
}

// waitSize returns f's size, waiting for one until ctx ends.
func waitSize(ctx context.Context, f *os.File) (int, error) {
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 20*time.Millisecond) {
		fi, err := f.Stat()
		if err != nil {
			return 0, err
		}
		if !regular(fi) {
			return 0, ErrNotSegment
		}
		if n := fi.Size(); n > 0 {
			if int64(int(n)) != n {
				return 0, fmt.Errorf("%w: %d bytes do not fit this address space", ErrSize, n)
			}
			return int(n), nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: still 0 bytes, its creator may have died before sizing it: %w", ErrSize, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// Anonymous makes a segment without a name, for processes that receive its
// descriptor (File): a memfd sealed against shrinking and growing on Linux, an
// unlinked object elsewhere.
func Anonymous(size int, o *Options) (*Region, error) {
	opt := o.orDefault()
	if size <= 0 {
		return nil, wrap("create", anonymousName, fmt.Errorf("%w: %d bytes", ErrSize, size))
	}
	obj, b, err := createAnonymous(size, &opt)
	if err != nil {
		return nil, wrap("create", anonymousName, err)
	}
	return &Region{newSegment(anonymousName, obj, b, opt)}, nil
}

const anonymousName = "(anonymous)"

// Remove deletes the name. Processes that are attached keep their memory; the
// space is free when the last of them has closed. A name that does not exist
// is os.ErrNotExist; what is not a segment is left alone.
func Remove(name string) error {
	if err := checkName(name); err != nil {
		return wrap("remove", name, err)
	}
	return wrap("remove", name, removeObject(name))
}
