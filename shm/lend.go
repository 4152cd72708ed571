package shm

import (
	"errors"
	"os"
	"sync"
)

// A Loan is a second name of a segment, for a Python process of version 3.12
// or older. Such a Python deletes, when it exits, every name that it attached
// to (its resource_tracker registers it, python/cpython#82300). Given a name
// of its own it deletes that one, and the segment lives.
type Loan struct {
	name string
	id   os.FileInfo
	once sync.Once
}

// Lend gives the segment a second, generated name (a hard link). It needs a
// named segment on a system whose segments are files: elsewhere it wraps
// errors.ErrUnsupported.
func (s *segment) Lend() (*Loan, error) {
	if s.mem.Closed() {
		return nil, wrap("lend", s.name, os.ErrClosed)
	}
	id, err := s.object.f.Stat()
	if err != nil {
		return nil, wrap("lend", s.name, err)
	}
	const tries = 100
	for range tries {
		name := generateName()
		err = linkObject(s.object.f, name)
		if err == nil {
			return &Loan{name: name, id: id}, nil
		}
		if !errors.Is(err, os.ErrExist) {
			break
		}
	}
	return nil, wrap("lend", s.name, err)
}

// Name is what the borrower attaches to.
func (l *Loan) Name() string { return l.name }

// Close removes the second name if the borrower has not done so.
func (l *Loan) Close() (err error) {
	l.once.Do(func() {
		id, e := statObject(l.name)
		if e != nil || !os.SameFile(id, l.id) {
			return // gone, and perhaps taken by somebody else since
		}
		if err = removeObject(l.name); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	})
	return wrap("return", l.name, err)
}
