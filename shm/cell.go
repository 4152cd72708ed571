package shm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/ipcctl/ipc/shm/shmsync"
)

// A cell is the latest value of something: written whole, read whole, never
// torn. Its memory, all numbers in the byte order of the machine:
//
//	  0  magic      "ipccell1"
//	  8  order      uint32 0x01020304
//	 12  slots      uint32 8
//	 16  capacity   uint64 C, the largest value in bytes
//	 24  stride     uint64 16+C rounded up to 64
//	 32  mutex      shmsync.Mutex of the writers
//	 40  reserved, 0
//	 64  published  uint64 n: n values were written, the n-th is in slot n%8; 0 = none
//	 72  changes    uint32, +1 after each publication: what waiters sleep on
//	 76  waiting    uint32, 1: somebody may sleep
//	 80  reserved, 0
//	128  slot 0, slot 1, …:  0 uint64 n   8 uint64 length   16 the bytes
//
// A writer holds the mutex, fills slot (n+1)%8 and then publishes n+1. It never
// touches the newest seven values. So a reader that finds published at n,
// copies slot n%8, and then still finds published below n+7 has copied one
// value; otherwise it looks again. A writer that dies in the middle has
// published nothing, and the kernel's liveness lock frees its mutex.
const (
	cellMagic     = "ipccell1"
	cellOrder     = 0x01020304
	cellSlots     = 8
	cellCapacity  = 16
	cellStride    = 24
	cellMutex     = 32
	cellPublished = 64
	cellChanges   = 72
	cellWaiting   = 76
	cellHeader    = 128
	slotHeader    = 16
)

// ErrEmpty is returned by Load of a cell that was never written.
var ErrEmpty = errors.New("the cell was never written")

// ErrTooLarge is returned for a value longer than a cell's capacity or a list's slot.
var ErrTooLarge = errors.New("value too large")

// ErrCorrupt is returned for shared memory that holds what its format forbids.
var ErrCorrupt = errors.New("corrupt")

func strideFor(capacity int) int { return (slotHeader + capacity + 63) &^ 63 }

// ByteCellSize is the size in shared memory of a cell for values of up to
// capacity bytes.
func ByteCellSize(capacity int) int { return cellHeader + cellSlots*strideFor(capacity) }

// InitByteCell makes an empty cell in mem, which has ByteCellSize(capacity)
// bytes and is not visible to others yet: call it in Options.Init.
func InitByteCell(mem []byte, capacity int) error {
	if capacity <= 0 || capacity > len(mem)/cellSlots || len(mem) < ByteCellSize(capacity) {
		return fmt.Errorf("shm: init cell: %w: capacity %d in %d bytes", os.ErrInvalid, capacity, len(mem))
	}
	clear(mem[:cellHeader])
	copy(mem, cellMagic)
	word32(mem, 8).Store(cellOrder)
	word32(mem, 12).Store(cellSlots)
	word64(mem, cellCapacity).Store(uint64(capacity))
	word64(mem, cellStride).Store(uint64(strideFor(capacity)))
	return nil
}

// A ByteCellReader reads a cell of bytes. Safe for concurrent use.
type ByteCellReader struct {
	s        *segment
	off      int
	capacity int // checked once, never read again
	stride   int
	announce bool // waiters can set the waiting flag
}

// A ByteCell reads and writes a cell of bytes. Any number of handles, in any
// number of processes, may write.
type ByteCell struct {
	ByteCellReader
	mutex *shmsync.Mutex
}

// OpenByteCell opens the cell at off, a multiple of 64.
func OpenByteCell(r *Region, off int64) (*ByteCell, error) {
	c, err := openCell(r.segment, off)
	if err != nil {
		return nil, err
	}
	c.announce = true
	m, err := r.Mutex(off + cellMutex)
	if err != nil {
		return nil, err
	}
	return &ByteCell{ByteCellReader: c, mutex: m}, nil
}

// OpenByteCellReader opens the cell at off, a multiple of 64, for reading.
func OpenByteCellReader(r *Reader, off int64) (*ByteCellReader, error) {
	c, err := openCell(r.segment, off)
	return &c, err
}

// openCell checks the header once and keeps a private copy of the geometry.
func openCell(s *segment, off int64) (c ByteCellReader, err error) {
	size := int64(s.mem.Size())
	if off < 0 || off%64 != 0 || off > size-cellHeader {
		return c, s.rangeError("open cell", off, cellHeader)
	}
	var magic [8]byte
	var order, slots uint32
	var capacity, stride uint64
	err = s.guarded(func() {
		b := s.mem.Bytes()[off:]
		copy(magic[:], b)
		order, slots = word32(b, 8).Load(), word32(b, 12).Load()
		capacity, stride = word64(b, cellCapacity).Load(), word64(b, cellStride).Load()
	})
	if err != nil {
		return c, err
	}
	switch {
	case string(magic[:]) != cellMagic || order != cellOrder || slots != cellSlots:
		err = fmt.Errorf("%w: no cell of this machine's kind at offset %d", ErrCorrupt, off)
	case capacity == 0 || capacity > uint64(size-off)/cellSlots || stride != uint64(strideFor(int(capacity))) ||
		stride > uint64(size-off-cellHeader)/cellSlots:
		err = fmt.Errorf("%w: cell of %d bytes at offset %d exceeds the segment", ErrCorrupt, capacity, off)
	}
	if err != nil {
		return c, wrap("open cell", s.name, err)
	}
	return ByteCellReader{s: s, off: int(off), capacity: int(capacity), stride: int(stride)}, nil
}

// Capacity is the largest value in bytes.
func (c *ByteCellReader) Capacity() int { return c.capacity }

// cellTries bounds the attempts of one Load: writers lap a reader only while
// it is stopped, or if they are hostile.
const cellTries = 1 << 16

// Load returns the latest value, appended to dst[:0], and its number, which
// grows by one with every Store. ErrEmpty means that there is none. Nothing is
// allocated if dst has room.
func (c *ByteCellReader) Load(dst []byte) (value []byte, n uint64, err error) {
	value, n, err = c.load(dst)
	if err != nil {
		err = wrap("load", c.s.name, err)
	}
	return value, n, err
}

func (c *ByteCellReader) load(dst []byte) (value []byte, n uint64, err error) {
	old, ok := c.s.mem.Begin()
	if !ok {
		return nil, 0, os.ErrClosed
	}
	defer c.s.mem.End(old, &err)
	b := c.s.mem.Bytes()[c.off:]
	published := word64(b, cellPublished)
	for range cellTries {
		// SYNC(publish): Store -> Load
		n := published.Load()
		if n == 0 {
			return nil, 0, ErrEmpty
		}
		slot := b[cellHeader+int(n%cellSlots)*c.stride:][:c.stride]
		length := word64(slot, 8).Load()
		if length > uint64(c.capacity) {
			length = 0 // overtaken, or corrupt: the next line tells
		} else {
			dst = append(dst[:0], slot[slotHeader:slotHeader+int(length)]...)
		}
		if word64(slot, 0).Load() == n && !overtaken(published, n) {
			if length == 0 && word64(slot, 8).Load() != 0 {
				return nil, 0, fmt.Errorf("%w: cell value longer than its capacity", ErrCorrupt)
			}
			return dst, n, nil
		}
	}
	return nil, 0, fmt.Errorf("%w: the cell never rests", ErrCorrupt)
}

// Wait returns nil when the cell's number is not n any more: when a value was
// written after the one that Load returned with n, or after none (n = 0). It
// ends early with an error that wraps ctx.Err(), or with os.ErrClosed.
//
// A Reader cannot announce itself in memory that it cannot write: it notices
// a change up to 8 ms late.
func (c *ByteCellReader) Wait(ctx context.Context, n uint64) error {
	set := c.s.waitSet()
	var waited error
	err := c.s.guarded(func() {
		b := c.s.mem.Bytes()[c.off:]
		published, changes, waiting := word64(b, cellPublished), word32(b, cellChanges), word32(b, cellWaiting)
		pause := time.Millisecond
		for waited == nil && published.Load() == n {
			if c.announce {
				waiting.Store(1)
				pause = 250 * time.Millisecond // a writer may die before its wake-up
			}
			seen := changes.Load()
			if published.Load() == n {
				waited = set.Wait(ctx, changes, seen, pause)
			}
			pause = min(2*pause, 8*time.Millisecond)
		}
	})
	if err == nil && waited != nil {
		err = wrap("wait", c.s.name, waited)
	}
	return err
}

// Store makes value the latest one. It waits for other writers that live, and
// ends early with an error that wraps ctx.Err(). Readers never wait for it.
func (c *ByteCell) Store(ctx context.Context, value []byte) error {
	if len(value) > c.capacity {
		return wrap("store", c.s.name, fmt.Errorf("%w: %d of %d bytes", ErrTooLarge, len(value), c.capacity))
	}
	if err := c.mutex.Lock(ctx); err != nil {
		if !errors.Is(err, shmsync.ErrOwnerDead) {
			return wrap("store", c.s.name, err)
		}
		// What the dead writer left is an unpublished slot: nothing to repair.
		if err := c.mutex.Repaired(); err != nil {
			return wrap("store", c.s.name, err)
		}
	}
	err := c.publish(value)
	return wrap("store", c.s.name, errors.Join(err, c.mutex.Unlock()))
}

// publish writes the next slot and makes it the latest. Preconditions: this
// handle holds the mutex.
func (c *ByteCell) publish(value []byte) (err error) {
	old, ok := c.s.mem.Begin()
	if !ok {
		return os.ErrClosed
	}
	defer c.s.mem.End(old, &err)
	b := c.s.mem.Bytes()[c.off:]
	published := word64(b, cellPublished)
	n := published.Load() + 1
	slot := b[cellHeader+int(n%cellSlots)*c.stride:][:c.stride]
	word64(slot, 0).Store(n)
	word64(slot, 8).Store(uint64(len(value)))
	copyChunks(slot[slotHeader:], value)
	// SYNC(publish): Store -> Load
	published.Store(n)
	word32(b, cellChanges).Add(1)
	if waiting := word32(b, cellWaiting); waiting.Load() != 0 && waiting.Swap(0) != 0 {
		shmsync.Wake(word32(b, cellChanges), -1)
	}
	return nil
}

// Cell is a cell of values of type T, which obeys the rules of At.
type Cell[T any] struct{ c *ByteCell }

// CellReader reads a Cell.
type CellReader[T any] struct{ c *ByteCellReader }

// CellSize is the size of a Cell[T] in shared memory, in bytes.
func CellSize[T any]() int { return ByteCellSize(sizeOf[T]()) }

// InitCell makes an empty Cell[T] in mem; see InitByteCell.
func InitCell[T any](mem []byte) error { return InitByteCell(mem, sizeOf[T]()) }

// OpenCell opens the Cell[T] at off, a multiple of 64.
func OpenCell[T any](r *Region, off int64) (*Cell[T], error) {
	if _, err := checkType(reflect.TypeFor[T]()); err != nil {
		return nil, wrap("open cell", r.name, err)
	}
	c, err := OpenByteCell(r, off)
	if err != nil {
		return nil, err
	}
	return &Cell[T]{c}, checkCell[T](&c.ByteCellReader)
}

// OpenCellReader opens the Cell[T] at off, a multiple of 64, for reading.
func OpenCellReader[T any](r *Reader, off int64) (*CellReader[T], error) {
	if _, err := checkType(reflect.TypeFor[T]()); err != nil {
		return nil, wrap("open cell", r.name, err)
	}
	c, err := OpenByteCellReader(r, off)
	if err != nil {
		return nil, err
	}
	return &CellReader[T]{c}, checkCell[T](c)
}

func checkCell[T any](c *ByteCellReader) error {
	if c.capacity != sizeOf[T]() {
		return wrap("open cell", c.s.name, fmt.Errorf("%w: it holds values of %d bytes, %v has %d",
			ErrCorrupt, c.capacity, reflect.TypeFor[T](), sizeOf[T]()))
	}
	return nil
}

// Load returns the latest value and its number; see ByteCellReader.Load.
func (c *Cell[T]) Load() (v T, n uint64, err error) { return loadCell[T](&c.c.ByteCellReader) }

// Load returns the latest value and its number; see ByteCellReader.Load.
func (c *CellReader[T]) Load() (v T, n uint64, err error) { return loadCell[T](c.c) }

// Store makes v the latest value; see ByteCell.Store.
func (c *Cell[T]) Store(ctx context.Context, v T) error { return c.c.Store(ctx, bytesOf(&v)) }

// Wait waits for a value after number n; see ByteCellReader.Wait.
func (c *Cell[T]) Wait(ctx context.Context, n uint64) error { return c.c.Wait(ctx, n) }

// Wait waits for a value after number n; see ByteCellReader.Wait.
func (c *CellReader[T]) Wait(ctx context.Context, n uint64) error { return c.c.Wait(ctx, n) }

func loadCell[T any](c *ByteCellReader) (v T, n uint64, err error) {
	b, n, err := c.load(bytesOf(&v)[:0])
	if err == nil && len(b) != sizeOf[T]() {
		err = fmt.Errorf("%w: a value of %d bytes", ErrCorrupt, len(b))
	}
	if err != nil {
		err = wrap("load", c.s.name, err)
	}
	return v, n, err
}
