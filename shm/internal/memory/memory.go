// Package memory owns one range of bytes that somebody else can take away.
//
//	state   closed(1) | users(62)     users = operations and borrowed views inside
//
// Two things can happen to shared memory under a running operation, and both
// are decided here and nowhere else. This process closes it: the bytes stay
// mapped until the last user has left. Another process truncates or punches
// the object: the access faults, and the fault becomes an error if its address
// lies in these bytes, and stays a panic if it lies anywhere else.
package memory

import (
	"errors"
	"runtime"
	"runtime/debug"
	"sync/atomic"
)

// ErrFault reports an access to memory that is no longer backed by the object.
var ErrFault = errors.New("memory fault (the object was truncated or punched by another process, or its file system is full)")

const closedBit = 1 << 62

// Memory is a range of bytes with a count of its users. Its methods may be
// called concurrently.
type Memory struct {
	*body
	name string
}

// body is what is needed to close a Memory that nobody has any more.
type body struct {
	bytes []byte
	state atomic.Int64
	freed atomic.Bool
	free  func([]byte)
}

// New takes over b, of the object name. When Memory has been closed, or nobody
// refers to it any more, and its last user has left, free is called once with
// exactly b; nil leaves b to the garbage collector.
func New(name string, b []byte, free func([]byte)) *Memory {
	m := &Memory{&body{bytes: b, free: free}, name}
	if free != nil {
		runtime.AddCleanup(m, func(b *body) { b.Close() }, m.body)
	}
	return m
}

// Name is the object's name, for errors.
func (m *Memory) Name() string { return m.name }

// Enter registers a user; false means closed. Every true needs one Leave.
func (m *body) Enter() bool {
	if m.state.Add(1) < closedBit {
		return true
	}
	m.Leave()
	return false
}

// Leave ends what Enter began.
func (m *body) Leave() {
	if m.state.Add(-1) == closedBit {
		m.release()
	}
}

// Close refuses new users from now on. It does not wait for those inside: the
// last of them releases the bytes. It reports whether this call closed it.
func (m *body) Close() bool {
	old := m.state.Or(closedBit)
	if old == 0 {
		m.release()
	}
	return old < closedBit
}

// Closed reports whether Close was called.
func (m *body) Closed() bool { return m.state.Load() >= closedBit }

// release runs free once: an Enter refused after the end passes here again.
func (m *body) release() {
	if m.freed.CompareAndSwap(false, true) && m.free != nil {
		m.free(m.bytes)
	}
}

// Bytes is the whole range. Preconditions: the caller is inside.
func (m *body) Bytes() []byte { return m.bytes }

// Size needs no Enter: it never changes.
func (m *body) Size() int { return len(m.bytes) }

// Begin opens a guarded operation in the calling goroutine; ok is false when
// the memory is closed. The caller then defers End with what Begin returned:
//
//	old, ok := m.Begin()
//	if !ok { return os.ErrClosed }
//	defer m.End(old, &err)
func (m *body) Begin() (old, ok bool) {
	if !m.Enter() {
		return false, false
	}
	return debug.SetPanicOnFault(true), true
}

// End must be deferred directly: it recovers. A fault inside the bytes is
// stored in *err; every other panic goes on.
func (m *body) End(old bool, err *error) {
	debug.SetPanicOnFault(old)
	if p := recover(); p != nil {
		in := m.owns(p)
		m.Leave()
		if !in {
			panic(p)
		}
		*err = ErrFault
		return
	}
	m.Leave()
}

// owns reports whether the panic p is a fault at an address in the bytes, or
// in the rest of their last page.
func (m *body) owns(p any) bool {
	f, ok := p.(interface{ Addr() uintptr })
	if !ok {
		return false
	}
	first, last := span(m.bytes)
	return f.Addr() >= first && f.Addr() <= last
}
