//go:build unix

package shm_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

// goldenItems and goldenList were printed by Python 3.11 on a little-endian machine:
// ShareableList([1,-2.5,True,None,'héllo',b'ab\0','12345678']).
var goldenItems = []any{int64(1), -2.5, true, nil, "héllo", []byte("ab\x00"), "12345678"}

const goldenList = "0700000000000000" +
	"0000000000000000" + "0800000000000000" + "1000000000000000" + "1800000000000000" +
	"2000000000000000" + "2800000000000000" + "3000000000000000" + "4000000000000000" +
	"0100000000000000" + "00000000000004c0" + "0000000000000001" + "0000000000000000" +
	"68c3a96c6c6f0000" + "6162000000000000" + "31323334353637380000000000000000" +
	"7100000000000000" + "6400000000000000" + "787878787878783f" + "7878787878783f78" +
	"3873000000000000" + "3873000000000000" + "3136730000000000" +
	"00000003010201"

func littleEndian(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the bytes are those of a little-endian machine")
	}
}

func TestListGolden(t *testing.T) {
	littleEndian(t)
	is := is.New(t)
	b, err := shm.EncodeShareableList(goldenItems)
	is.NoErr(err)
	is.Equal(hex.EncodeToString(b), goldenList)
	is.Equal(len(b), 199)
	got, err := shm.DecodeShareableList(append(b, make([]byte, 3897)...)) // rounded up to a page, as on macOS
	is.NoErr(err)
	is.Equal(got, []any{int64(1), -2.5, true, nil, "héllo", []byte("ab"), "12345678"}) // NULs at the end are lost
}

// A format shorter than the slot tells the true length.
func TestListTrueLengths(t *testing.T) {
	is := is.New(t)
	b, err := shm.EncodeShareableList([]any{[]byte("ab\x00"), "x"})
	is.NoErr(err)
	at := strings.Index(string(b), "8s")
	copy(b[at:], "3s")
	got, err := shm.DecodeShareableList(b)
	is.NoErr(err)
	is.Equal(got, []any{[]byte("ab\x00"), "x"})
}

func TestListSetAndGet(t *testing.T) {
	is := is.New(t)
	l, err := shm.CreateShareableList(testName(t), []any{"12345678", 7, nil, []byte{}, false, ""}, nil)
	is.NoErr(err)
	defer l.Close()
	is.Equal(l.Len(), 6)
	set := []struct {
		i    int
		v    any
		want any
	}{
		{0, "0123456789abcdef", "0123456789abcdef"}, // the slot has 16 bytes, all of them
		{0, "short", "short"},
		{0, int64(1 << 40), int64(1 << 40)},
		{0, "text again", "text again"},
		{1, "8 bytes!", "8 bytes!"},
		{1, true, true},
		{2, 2.5, 2.5},
		{3, nil, nil},
		{4, []byte("\x00x\x00"), []byte("\x00x")},
		{5, "ünïc", "ünïc"},
	}
	for _, s := range set {
		is.NoErr(l.Set(s.i, s.v))
		got, err := l.Get(s.i)
		is.NoErr(err)
		is.Equal(got, s.want)
	}
	is.True(errors.Is(l.Set(1, "nine bytes"), shm.ErrTooLarge))
	is.True(errors.Is(l.Set(0, "\xff"), shm.ErrType))
	is.True(errors.Is(l.Set(0, struct{}{}), shm.ErrType))
	is.True(errors.Is(l.Set(6, 1), os.ErrInvalid))
	_, err = l.Get(-1)
	is.True(errors.Is(err, os.ErrInvalid))
	got, err := l.Get(1)
	is.NoErr(err)
	is.Equal(got, true) // a refused Set changes nothing
}

// A format has 8 characters, so a slot of 10,000,000 bytes can't be described. CPython
// writes a format without its "s", which no version can read.
func TestListLongestItem(t *testing.T) {
	is := is.New(t)
	longest := strings.Repeat("x", 9_999_991) // with a NUL, 8 times 1,249,999
	b, err := shm.EncodeShareableList([]any{longest, 1})
	is.NoErr(err)
	got, err := shm.DecodeShareableList(b)
	is.NoErr(err)
	is.True(got[0] == any(longest))
	for _, v := range []any{longest + "x", []byte(longest + "x")} {
		_, err = shm.EncodeShareableList([]any{1, v})
		is.True(errors.Is(err, shm.ErrTooLarge))
		is.True(strings.Contains(err.Error(), "item 1"))
	}
}

// Another program's slot may be longer than a format can say: a number fits it, text is
// refused, and nothing is damaged.
func TestListSetInLongSlot(t *testing.T) {
	is := is.New(t)
	const slot = 10_000_000
	b := binary.NativeEndian.AppendUint64(nil, 1) // one item
	b = binary.NativeEndian.AppendUint64(b, 0)
	b = binary.NativeEndian.AppendUint64(b, slot)
	b = append(b, make([]byte, slot)...)
	b = append(b, "5s\x00\x00\x00\x00\x00\x00\x01"...)
	r, err := shm.Anonymous(len(b), &shm.Options{Init: func(m []byte) error { copy(m, b); return nil }})
	is.NoErr(err)
	l, err := shm.ShareableListIn(r)
	is.NoErr(err)
	defer l.Close()
	is.True(errors.Is(l.Set(0, "text"), shm.ErrTooLarge))
	got, err := l.Get(0)
	is.NoErr(err)
	is.Equal(got, "\x00\x00\x00\x00\x00")
	is.NoErr(l.Set(0, 7))
	got, err = l.Get(0)
	is.NoErr(err)
	is.Equal(got, int64(7))
}

func TestListOpenOfSomethingElse(t *testing.T) {
	is := is.New(t)
	name := testName(t)
	r, err := shm.Create(name, 64, &shm.Options{Init: func(b []byte) error { b[5] = 1; return nil }})
	is.NoErr(err)
	is.NoErr(r.Close())
	_, err = shm.OpenShareableList(name, nil)
	is.True(errors.Is(err, shm.ErrCorrupt))
	_, err = shm.EncodeShareableList([]any{uint8(1)})
	is.True(errors.Is(err, shm.ErrType))
}

func FuzzDecodeList(f *testing.F) {
	b, _ := shm.EncodeShareableList(goldenItems)
	f.Add(b)
	b, _ = shm.EncodeShareableList(nil)
	f.Add(b)
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\x7f12345678"))
	f.Add(append(binary.NativeEndian.AppendUint64(nil, 1), make([]byte, 40)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		items, err := shm.DecodeShareableList(b)
		if err != nil {
			if !errors.Is(err, shm.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		for _, v := range items { // what was decoded can be encoded, if it is text
			if _, err := shm.EncodeShareableList([]any{v}); err != nil && reflect.TypeOf(v).Kind() != reflect.String {
				t.Fatal(err)
			}
		}
	})
}

func FuzzOpenCell(f *testing.F) {
	b := make([]byte, shm.ByteCellSize(8))
	shm.InitByteCell(b, 8)
	f.Add(b[:128])
	b[16] = 0xff
	f.Add(b[:128])
	b[23] = 0x7f
	f.Add(b[:200])
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || len(b) > 1<<16 {
			return
		}
		r, err := shm.Anonymous(1<<14, &shm.Options{Init: func(m []byte) error { copy(m, b); return nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		c, err := shm.OpenByteCell(r, 0)
		if err != nil {
			if !errors.Is(err, shm.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if _, _, err := c.Load(nil); err != nil && !errors.Is(err, shm.ErrEmpty) && !errors.Is(err, shm.ErrCorrupt) {
			t.Fatal(err)
		}
	})
}
