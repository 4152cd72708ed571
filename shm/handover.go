package shm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// FromFile attaches for reading and writing to the segment of a descriptor,
// one received from another process for example. f stays the caller's.
//
// The sender may still shrink the object unless it is sealed (Sealed): that
// makes accesses ErrFault, as everywhere, and nothing worse.
func FromFile(f *os.File, o *Options) (*Region, error) {
	g, err := duplicate(f)
	if err != nil {
		return nil, wrap("attach", f.Name(), err)
	}
	s, err := attach(now(), f.Name(), object{f: g}, true, o.orDefault())
	if err != nil {
		g.Close()
		return nil, wrap("attach", f.Name(), err)
	}
	return &Region{s}, nil
}

// ReaderFromFile attaches for reading only to the segment of a descriptor. f
// stays the caller's and may be writable; the Reader's own is not.
//
// With Options.Stable the bytes are certain not to change or disappear: an
// object sealed against writing and shrinking is mapped, any other is copied.
func ReaderFromFile(f *os.File, o *Options) (*Reader, error) {
	opt := o.orDefault()
	if opt.Stable && !isStable(f) {
		r, err := copied(f, opt)
		return r, wrap("copy", f.Name(), err)
	}
	g, err := reopenReadOnly(f)
	if err != nil {
		return nil, wrap("attach", f.Name(), err)
	}
	s, err := attach(now(), f.Name(), object{f: g}, false, opt)
	if err != nil {
		g.Close()
		return nil, wrap("attach", f.Name(), err)
	}
	return &Reader{s}, nil
}

// copied makes a private, anonymous copy of what f holds now.
func copied(f *os.File, o Options) (*Reader, error) {
	size, err := waitSize(now(), f)
	if err != nil {
		return nil, err
	}
	o.Init = func(mem []byte) error {
		n, err := f.ReadAt(mem, 0) // a read, not a mapping: it cannot fault
		if err == io.EOF {
			err = fmt.Errorf("the object ended after %d of %d bytes: %w", n, len(mem), io.ErrUnexpectedEOF)
		}
		return err
	}
	r, err := Anonymous(size, &o)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	g, err := r.ReaderFile()
	if err != nil {
		return nil, err
	}
	s, err := attach(now(), f.Name(), object{f: g}, false, o)
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return &Reader{s}, nil
}

// ReaderFile returns a descriptor of the segment that allows reading only, to
// pass on to a process that shall not write. The caller closes it.
//
// An anonymous segment is sealed against new writers by this (memfd
// F_SEAL_FUTURE_WRITE, Linux 5.1): mappings that exist stay writable, but
// nobody, this process included, can make another writable one. For a named
// segment the file's permissions decide what the receiver could open itself.
func (r *Region) ReaderFile() (*os.File, error) {
	if r.mem.Closed() {
		return nil, wrap("reader file", r.name, os.ErrClosed)
	}
	err := sealWriters(r.object.f)
	if err != nil {
		return nil, wrap("reader file", r.name, err)
	}
	from := r.object.f
	if r.object.reader != nil {
		from = r.object.reader
	}
	f, err := reopenReadOnly(from)
	return f, wrap("reader file", r.name, err)
}

// Sealed reports whether the object is sealed against shrinking, so that no
// process can make accesses fault.
func (s *segment) Sealed() bool { return !s.mem.Closed() && isSealed(s.object.f) }

// now is a ctx that has ended: it makes waitSize look once.
func now() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
