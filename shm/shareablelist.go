package shm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"sync"
	"unicode/utf8"
)

// CPython's multiprocessing.shared_memory.ShareableList, native byte order:
//
//	0         int64 N
//	8         int64 offset[N+1]   offset[0] = 0; item i's data at D+offset[i], D = 8*(N+2)
//	D         K = offset[N] bytes of slots: 8 for a number, bool or None;
//	          8*(len/8+1) for str and bytes
//	D+K       N x 8 bytes         struct format, NUL-padded: q d xxxxxxx? xxxxxx?x <n>s
//	D+K+8N    N x int8            0 number or bool, 1 str, 2 bytes, 3 None
//
// Source: Lib/multiprocessing/shared_memory.py, 3.8 to 3.14.
const (
	formatInt   = "q"
	formatFloat = "d"
	formatBool  = "xxxxxxx?"
	formatNone  = "xxxxxx?x"

	codeNumber = 0
	codeStr    = 1
	codeBytes  = 2
	codeNone   = 3
)

// An item is one value in its encoded form.
type item struct {
	data   []byte // exactly the slot, when encoded for a new list
	format string
	code   byte
}

// encodeItem encodes v for a slot of its own size. A str slot is sized by its
// UTF-8 bytes: CPython sizes it by characters, which truncates non-ASCII text,
// but every CPython reads the larger one.
func encodeItem(v any) (item, error) {
	switch v := v.(type) {
	case nil:
		return item{make([]byte, 8), formatNone, codeNone}, nil
	case bool:
		b := make([]byte, 8)
		if v {
			b[7] = 1
		}
		return item{b, formatBool, codeNumber}, nil
	case int:
		return encodeItem(int64(v))
	case int64:
		return item{binary.NativeEndian.AppendUint64(nil, uint64(v)), formatInt, codeNumber}, nil
	case float64:
		return item{binary.NativeEndian.AppendUint64(nil, math.Float64bits(v)), formatFloat, codeNumber}, nil
	case string:
		if !utf8.ValidString(v) {
			return item{}, fmt.Errorf("%w: a string that is not UTF-8 (use []byte)", ErrType)
		}
		return encodeBytes([]byte(v), codeStr)
	case []byte:
		return encodeBytes(v, codeBytes)
	}
	return item{}, fmt.Errorf("%w: a ShareableList holds int64, float64, bool, nil, string and []byte, not %T", ErrType, v)
}

func encodeBytes(v []byte, code byte) (item, error) {
	n := 8 * (len(v)/8 + 1)
	format, err := bytesFormat(n)
	if err != nil {
		return item{}, err
	}
	b := make([]byte, n)
	copy(b, v)
	return item{b, format, code}, nil
}

// bytesFormat is the format of a slot of n bytes for str or bytes. It has 8
// characters: CPython cuts a longer one off, and then can't read the item.
func bytesFormat(n int) (string, error) {
	if n > 9999999 {
		return "", fmt.Errorf("%w: a slot of %d bytes, the format of a list can say 9999999", ErrTooLarge, n)
	}
	return strconv.Itoa(n) + "s", nil
}

// decodeItem turns a slot into a value. Python strips NUL bytes from the end
// of str and bytes, and so does this; a format shorter than the slot tells the
// true length, and then nothing is stripped.
func decodeItem(slot []byte, format string, code byte) (any, error) {
	if code == codeStr || code == codeBytes {
		n, err := strconv.Atoi(string(bytes.TrimSuffix([]byte(format), []byte("s"))))
		if err != nil || format[len(format)-1] != 's' || n < 0 || n > len(slot) {
			return nil, fmt.Errorf("%w: format %q in a slot of %d bytes", ErrCorrupt, format, len(slot))
		}
		b := slot[:n]
		if n == len(slot) {
			b = bytes.TrimRight(b, "\x00")
		}
		if code == codeStr {
			return string(b), nil
		}
		return bytes.Clone(b), nil
	}
	if len(slot) < 8 {
		return nil, fmt.Errorf("%w: a slot of %d bytes", ErrCorrupt, len(slot))
	}
	switch {
	case code == codeNone:
		return nil, nil
	case format == formatInt:
		return int64(binary.NativeEndian.Uint64(slot)), nil
	case format == formatFloat:
		return math.Float64frombits(binary.NativeEndian.Uint64(slot)), nil
	case format == formatBool:
		return slot[7] != 0, nil
	}
	return nil, fmt.Errorf("%w: format %q with code %d", ErrCorrupt, format, code)
}

// EncodeShareableList returns the memory of a ShareableList with the given items: nil,
// bool, int, int64, float64, string or []byte. A string or []byte of more than
// 9,999,991 bytes is ErrTooLarge.
func EncodeShareableList(items []any) ([]byte, error) {
	var out, data, formats, codes []byte
	out = binary.NativeEndian.AppendUint64(out, uint64(len(items)))
	out = binary.NativeEndian.AppendUint64(out, 0)
	for i, v := range items {
		it, err := encodeItem(v)
		if err != nil {
			return nil, fmt.Errorf("shm: encode list: item %d: %w", i, err)
		}
		data = append(data, it.data...)
		out = binary.NativeEndian.AppendUint64(out, uint64(len(data)))
		var f [8]byte
		copy(f[:], it.format)
		formats = append(formats, f[:]...)
		codes = append(codes, it.code)
	}
	out = append(out, data...)
	out = append(out, formats...)
	return append(out, codes...), nil
}

// DecodeShareableList reads all items of a ShareableList from its memory, which may be
// longer than the list. Anything that does not fit is ErrCorrupt.
func DecodeShareableList(mem []byte) ([]any, error) {
	g, err := readGeometry(mem)
	if err != nil {
		return nil, fmt.Errorf("shm: decode list: %w", err)
	}
	items := make([]any, g.len())
	for i := range items {
		if items[i], err = g.get(mem, i); err != nil {
			return nil, fmt.Errorf("shm: decode list: item %d: %w", i, err)
		}
	}
	return items, nil
}

// listGeometry is the checked, private copy of a list's offsets.
type listGeometry struct{ offsets []int } // from the start of the memory, N+1 of them

func (g listGeometry) len() int         { return len(g.offsets) - 1 }
func (g listGeometry) formats() int     { return g.offsets[g.len()] }
func (g listGeometry) format(i int) int { return g.formats() + 8*i }
func (g listGeometry) code(i int) int   { return g.formats() + 8*g.len() + i }

// readGeometry checks that offsets ascend and that everything lies in mem,
// reading each number once.
func readGeometry(mem []byte) (g listGeometry, err error) {
	if len(mem) < 16 {
		return g, fmt.Errorf("%w: %d bytes are no ShareableList", ErrCorrupt, len(mem))
	}
	n := binary.NativeEndian.Uint64(mem)
	if n > uint64(len(mem)-16)/17 { // each item has an offset, a format and a code
		return g, fmt.Errorf("%w: %d items in %d bytes", ErrCorrupt, n, len(mem))
	}
	data := 8 * (int(n) + 2)
	g.offsets = make([]int, n+1)
	tail := 9 * int(n)
	for i := range g.offsets {
		off := binary.NativeEndian.Uint64(mem[8+8*i:])
		if off > uint64(len(mem)-data-tail) || i == 0 && off != 0 || i > 0 && data+int(off) < g.offsets[i-1] {
			return g, fmt.Errorf("%w: offset %d of item %d", ErrCorrupt, off, i)
		}
		g.offsets[i] = data + int(off)
	}
	return g, nil
}

// get decodes item i. Preconditions: 0 <= i < g.len().
func (g listGeometry) get(mem []byte, i int) (any, error) {
	var f [8]byte
	copy(f[:], mem[g.format(i):])
	slot := bytes.Clone(mem[g.offsets[i]:g.offsets[i+1]])
	format := string(bytes.TrimRight(f[:], "\x00"))
	if format == "" {
		return nil, fmt.Errorf("%w: no format", ErrCorrupt)
	}
	return decodeItem(slot, format, mem[g.code(i)])
}

// set replaces item i. A number, bool or nil fits every slot; a string or
// bytes must fit the slot that the list was created with.
func (g listGeometry) set(mem []byte, i int, v any) error {
	slot := mem[g.offsets[i]:g.offsets[i+1]]
	it, err := encodeItem(v)
	if err != nil {
		return err
	}
	if it.code == codeStr || it.code == codeBytes {
		n := len(it.data)
		if n > len(slot) { // the padding may not fit where the bytes do
			it.data = bytes.TrimRight(it.data, "\x00")
		}
		if it.format, err = bytesFormat(len(slot)); err != nil {
			return err
		}
	}
	if len(it.data) > len(slot) {
		return fmt.Errorf("%w: %d bytes in a slot of %d", ErrTooLarge, len(it.data), len(slot))
	}
	var f [8]byte
	copy(f[:], it.format)
	clear(slot[copy(slot, it.data):])
	copy(mem[g.format(i):], f[:])
	mem[g.code(i)] = it.code
	return nil
}

// A ShareableList is Python's multiprocessing.shared_memory.ShareableList: a
// list of fixed length whose items are int64, float64, bool, nil, string and
// []byte. Its methods may be called concurrently in one process. The format
// has no lock: items that several processes change need one of their own.
type ShareableList struct {
	r  *Region
	g  listGeometry
	mu sync.RWMutex
}

// CreateShareableList makes the segment name (or a generated one) with a list in it.
// Python attaches with ShareableList(name=…).
func CreateShareableList(name string, items []any, o *Options) (*ShareableList, error) {
	b, err := EncodeShareableList(items)
	if err != nil {
		return nil, err
	}
	opt := o.orDefault()
	opt.Init = func(mem []byte) error { copy(mem, b); return nil }
	r, err := Create(name, len(b), &opt)
	if err != nil {
		return nil, err
	}
	l, err := ShareableListIn(r)
	if err != nil {
		return nil, errors.Join(err, r.Close(), Remove(r.Name()))
	}
	return l, nil
}

// OpenShareableList attaches to the list in segment name.
func OpenShareableList(name string, o *Options) (*ShareableList, error) {
	r, err := Open(name, o)
	if err != nil {
		return nil, err
	}
	l, err := ShareableListIn(r)
	if err != nil {
		r.Close()
	}
	return l, err
}

// ShareableListIn returns the list that begins at the first byte of r. The list takes r
// over: Close closes it.
func ShareableListIn(r *Region) (*ShareableList, error) {
	var g listGeometry
	err := r.View(0, r.Size(), func(b []byte) (err error) {
		g, err = readGeometry(b)
		return err
	})
	if err != nil {
		return nil, wrap("open list", r.Name(), err)
	}
	return &ShareableList{r: r, g: g}, nil
}

// Name is the segment's name.
func (l *ShareableList) Name() string { return l.r.Name() }

// Len is the number of items; it never changes.
func (l *ShareableList) Len() int { return l.g.len() }

// Close closes the segment, which remains until Remove.
func (l *ShareableList) Close() error { return l.r.Close() }

// Get returns item i: nil, bool, int64, float64, string or []byte. NUL bytes
// at the end of a string or []byte are lost, as in Python.
func (l *ShareableList) Get(i int) (v any, err error) {
	if err := l.check("get", i); err != nil {
		return nil, err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	err = l.r.View(0, l.r.Size(), func(b []byte) (err error) {
		v, err = l.g.get(b, i)
		return err
	})
	return v, wrap("get item of", l.Name(), err)
}

// Set replaces item i. A value that does not fit its slot is ErrTooLarge.
func (l *ShareableList) Set(i int, v any) error {
	if err := l.check("set", i); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.r.View(0, l.r.Size(), func(b []byte) error { return l.g.set(b, i, v) })
	return wrap("set item of", l.Name(), err)
}

// Items returns all items.
func (l *ShareableList) Items() ([]any, error) {
	items := make([]any, l.Len())
	for i := range items {
		var err error
		if items[i], err = l.Get(i); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func (l *ShareableList) check(op string, i int) error {
	if i < 0 || i >= l.Len() {
		return wrap(op+" item of", l.Name(), fmt.Errorf("%w: index %d of %d", os.ErrInvalid, i, l.Len()))
	}
	return nil
}
