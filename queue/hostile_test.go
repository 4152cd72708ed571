package queue

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

var hostileAll = flag.Bool("hostile.all", false, "try every word with every value, and attack for a minute")

// hostileOptions are queues in which every part of the layout exists, and one
// without a pool.
var hostileOptions = []Options{
	{Capacity: 3, Lanes: 6, MaxMessage: 5000, EntrySize: 128, Memory: 60 << 10},
	{Capacity: 1, Lanes: 5, MaxMessage: 64, EntrySize: 64},
	{Capacity: 9, Lanes: 6, MaxMessage: 300, EntrySize: 300, MaxAttempts: 2},
}

// usedHeap is a queue in which messages of all kinds wait, one is on lease, and
// one consumer died.
func usedHeap(t testing.TB, o *Options) *heap {
	t.Helper()
	h, err := newHeap(o)
	if err != nil {
		t.Fatal(err)
	}
	dead, locks, err := h.open()
	if err != nil {
		t.Fatal(err)
	}
	defer locks.WaitSet.Close()
	dead.dead.q = nowhere(t)
	dead.TryPut([]byte("leased"))
	dead.TryLease()
	dead.PutBatch(newHasty(), [][]byte{[]byte("pack"), []byte("ed"), {}})
	dead.TryPut(bytes.Repeat([]byte("large"), o.MaxMessage/5))
	dead.TryPut([]byte("small"))
	dead.dead.close()
	locks.kill()
	return h
}

// nowhere is a small dead-letter queue on the heap.
func nowhere(t testing.TB) *Queue {
	h, err := newHeap(&Options{Capacity: 2, MaxMessage: 5000, EntrySize: 100, Lanes: 2})
	if err != nil {
		t.Fatal(err)
	}
	q, _, err := h.open()
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// useHostile does everything that can be done with a queue, and lets fuzz loose on
// its memory in between. Whatever comes back is fine, if it comes back.
func useHostile(t testing.TB, h *heap, attack func(mem []byte)) {
	watchdog := time.AfterFunc(patience, func() {
		debug.SetTraceback("all")
		panic("an operation hangs on hostile memory")
	})
	defer watchdog.Stop()
	attackers := func(n int) []*Queue { // handles from before and after the attack
		var qs []*Queue
		for range n {
			if q, _, err := h.open(); err == nil {
				q.dead.q = nowhere(t)
				qs = append(qs, q)
			}
		}
		return qs
	}
	qs := attackers(1)
	attack(h.mem)
	qs = append(qs, attackers(1)...)
	for _, q := range qs {
		small, large := []byte("a message"), make([]byte, q.MaxMessage())
		ctx := func() context.Context { return newHasty() }
		for round := range 2 {
			q.TryPut(small)
			q.TryGet()
			q.TryPut(large)
			q.PutBatch(ctx(), [][]byte{small, small, large, small, small})
			if m, err := q.TryLease(); err == nil {
				_ = bytes.Clone(m.Bytes())
				m.Attempts()
				m.Ack()
			}
			if r, err := q.Reserve(ctx(), len(small)); err == nil {
				copy(r.Bytes(), small)
				r.Commit(ctx())
			}
			q.GetBatch(ctx(), 2)
			q.GetBatch(ctx(), 300)
			if m, err := q.Lease(ctx()); err == nil {
				m.Nack()
			}
			if m, err := q.TryLease(); err == nil && round == 1 {
				defer m.Ack()
			}
			q.Len()
			q.Stats()
			q.reapDead()
			attack(h.mem)
		}
		reader := Reader{q: &Queue{name: "hostile", r: q.r, os: q.os}}
		reader.Stats()
		reader.Peek(100, 50)
		q.CloseWrite()
		for range 20 {
			if _, err := q.TryGet(); err != nil {
				break
			}
		}
		q.Put(ctx(), small)
	}
	for _, q := range qs {
		q.Close()
	}
}

// patches are attacks on single words: 8 bytes each, of which 2 say where, 1
// how much is left alone, and 5 what is written or flipped.
func patches(data []byte) func(mem []byte) {
	return func(mem []byte) {
		for ; len(data) >= 8; data = data[8:] {
			p := data[:8]
			off := int(binary.LittleEndian.Uint16(p))*8 + int(p[2]&7)
			if off+8 > len(mem) {
				off %= len(mem) - 8
			}
			var v [8]byte
			copy(v[:], p[3:])
			switch p[2] >> 6 {
			case 0: // low half of a word
				copy(mem[off:off+4], v[:4])
			case 1: // high half
				copy(mem[off+4:off+8], v[1:5])
			case 2: // flip bits
				for i := range v {
					mem[off+i] ^= v[i]
				}
			case 3: // copy another word here: two owners of a block
				from := int(binary.LittleEndian.Uint16(p[3:])) * 8
				if from+8 <= len(mem) {
					copy(mem[off:off+8], mem[from:from+8])
				}
			}
			if p[2]>>3&7 == 7 { // the rest comes at the next attack
				data = data[8:]
				return
			}
		}
	}
}

// overlay writes data over the header, and makes the checksum right.
func overlay(data []byte) func(mem []byte) {
	return func(mem []byte) {
		n := copy(mem[hdrCapacity:hdrCRC], data)
		copy(mem[headerSize:], data[n:])
		binary.NativeEndian.PutUint32(mem[hdrCRC:], crc32.ChecksumIEEE(mem[:hdrCRC]))
	}
}

func attackWith(t testing.TB, form byte, data []byte) {
	o := hostileOptions[int(form&0x7f)%len(hostileOptions)]
	h := usedHeap(t, &o)
	if form&0x80 == 0 {
		useHostile(t, h, patches(data))
	} else {
		useHostile(t, h, overlay(data))
	}
}

// FuzzMemory writes arbitrary bytes into the memory of a queue in use.
func FuzzMemory(f *testing.F) {
	f.Add(byte(0), []byte{})
	f.Add(byte(0x80), make([]byte, hdrCRC-hdrCapacity))
	f.Add(byte(0x81), bytes.Repeat([]byte{0xff}, 4096))
	f.Add(byte(2), []byte("\x40\x00\x07\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, form byte, data []byte) { attackWith(t, form, data) })
}

// TestHostileWords tries what an attacker would: each word of the layout with
// values that look like something.
func TestHostileWords(t *testing.T) {
	for i := range hostileOptions {
		g, err := hostileOptions[i].plan()
		if err != nil {
			t.Fatal(err)
		}
		var offs []int
		for off := offTail; off < g.offChunkWords+int(g.chunks)*4; off += 8 {
			if off >= offStats+64 && off < offLanes-8 {
				continue // the histogram: one bucket is like another
			}
			offs = append(offs, off)
		}
		for b := range g.blocks {
			for w := 0; w < 56; w += 8 {
				offs = append(offs, g.offBlocks+int(b)*int(g.blockSize)+w)
			}
		}
		values := []uint64{0, 1, 1<<64 - 1, 1 << 63, 1<<31 - 1, 1 << 32, 0xffff, uint64(kindLarge), uint64(makeMeta(kindMany, 100, 255))}
		for kind := range uint32(8) {
			values = append(values, uint64(makeSlot(1, kind, 0, 0)), uint64(makeSlot(2, kind, g.blocks, 9)), uint64(makeSlot(1<<34, kind, 1, 255)),
				uint64(makeRecord(kind, 2, 1, 1)), uint64(makeRecord(kind, posMask, blockMask, 0)), uint64(makeMeta(kind, 1<<31-1, 1<<16-1)), uint64(makeMeta(kind, 10, 3)))
		}
		step := 7 // every seventh case, others in each run
		switch {
		case *hostileAll:
			step = 1
		case testing.Short() || underRace:
			step = 61
		}
		for j := rand.IntN(step); j < len(offs)*len(values); j += step {
			off, v := offs[j%len(offs)], values[j/len(offs)]
			useHostile(t, usedHeap(t, &hostileOptions[i]), func(mem []byte) { binary.NativeEndian.PutUint64(mem[off:], v) })
		}
	}
}

// TestHostileRandom flips and copies words at random.
func TestHostileRandom(t *testing.T) {
	n := 4000
	if testing.Short() || underRace {
		n = 300
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range n {
		data := make([]byte, 8*(1+rnd.IntN(12)))
		for i := range data {
			data[i] = byte(rnd.Uint32())
		}
		for i := 0; i < len(data); i += 8 { // mostly at the small file's control words
			binary.LittleEndian.PutUint16(data[i:], uint16(rnd.IntN(1500)))
			if rnd.IntN(2) == 0 {
				copy(data[i+3:], []byte{1 << rnd.IntN(8), 0, 0, 0, 0})
			}
		}
		attackWith(t, byte(rnd.Uint32()), data)
	}
}

// TestHostileLaps is the memory on which a walk of the ring would never end: each
// slot is ahead of the one before it, all around.
func TestHostileLaps(t *testing.T) {
	for kind := range uint32(8) {
		if kind != kindOne && (testing.Short() || underRace) {
			continue // the others differ only if the walk is cut short
		}
		h := usedHeap(t, &hostileOptions[0])
		useHostile(t, h, func(mem []byte) {
			r, err := checkRing(mem)
			if err != nil {
				t.Fatal(err)
			}
			for i := range r.capacity {
				r.slot(i).Store(uint64(makeSlot(uint64(i)<<35/3, kind, i, 0)))
			}
		})
	}
}

// TestHostileWaiting: a wait on hostile memory ends with its context.
func TestHostileWaiting(t *testing.T) {
	is := is.New(t)
	h, err := newHeap(&hostileOptions[0])
	is.NoErr(err)
	q, _, err := h.open()
	is.NoErr(err)
	defer q.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { // keeps the waiter from ever sleeping
		defer close(done)
		r, _ := checkRing(h.mem)
		for {
			select {
			case <-stop:
				return
			default:
				r.word32(offNotEmpty + waitSeq).Add(2)
			}
		}
	}()
	_, err = q.Get(ctx)
	is.True(errors.Is(err, context.DeadlineExceeded))
	close(stop)
	<-done
}

// TestForeignObjects opens what is not a queue. Nothing may hang, harm it or
// remove it.
func TestForeignObjects(t *testing.T) {
	dir := t.TempDir()
	queue := filepath.Join(dir, "queue")
	q := opened(t)(Create(queue, &hostileOptions[0]))
	q.Close()
	whole, err := os.ReadFile(queue)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(off int, v uint32) []byte {
		b := bytes.Clone(whole)
		binary.NativeEndian.PutUint32(b[off:], v)
		binary.NativeEndian.PutUint32(b[hdrCRC:], crc32.ChecksumIEEE(b[:hdrCRC]))
		return b
	}
	file := func(b []byte) func(string) error {
		return func(path string) error { return os.WriteFile(path, b, 0o600) }
	}
	cases := []struct {
		name string
		make func(path string) error
		want error  // nil: any
		text string // that the message says
	}{
		{"empty file", file(nil), ErrNotQueue, ""},
		{"zeros", file(make([]byte, len(whole))), ErrNotQueue, ""},
		{"text", file(bytes.Repeat([]byte("text"), 10000)), ErrNotQueue, "ipcqueue"},
		{"magic alone", file([]byte(magic)), ErrNotQueue, ""},
		{"half a queue", file(whole[:len(whole)/2]), ErrCorrupt, fmt.Sprint(len(whole) / 2)},
		{"header alone", file(whole[:offLanes]), ErrCorrupt, fmt.Sprint(len(whole))},
		{"directory", func(p string) error { return os.Mkdir(p, 0o700) }, ErrNotQueue, ""},
		{"link to a queue", func(p string) error { return os.Symlink(queue, p) }, nil, ""},
		{"dangling link", func(p string) error { return os.Symlink(dir+"/none", p) }, nil, ""},
		{"version", file(changed(hdrVersion, 2)), ErrVersion, "version 2"},
		{"byte order", file(changed(hdrOrder, 0x04030201)), ErrVersion, "0x4030201"},
		{"features", file(changed(hdrFeatures, 4)), ErrVersion, "0x4"},
		{"more entries", file(changed(hdrCapacity, 1000)), ErrCorrupt, fmt.Sprint(len(whole))},
		{"no entries", file(changed(hdrCapacity, 0)), ErrCorrupt, "capacity 0"},
		{"no lanes", file(changed(hdrLanes, 0)), ErrCorrupt, "lanes 0"},
		{"huge blocks", file(changed(hdrBlockSize, 1<<32-64)), ErrCorrupt, ""},
		{"huge messages", file(changed(hdrMaxMessage, 1<<31)), ErrCorrupt, "message limit"},
		{"huge chunks", file(changed(hdrChunkSize, 1<<32-4096)), ErrCorrupt, ""},
	}
	for kind, f := range specialFiles {
		cases = append(cases, struct {
			name string
			make func(path string) error
			want error
			text string
		}{kind, f, nil, ""})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(t.TempDir(), "q")
			is.NoErr(c.make(path))
			before, err := os.Lstat(path)
			is.NoErr(err)
			opens := make(chan error, 2) // both at once: an empty file may be somebody's who will give it a size soon
			go func() { _, err := Open(path, nil); opens <- err }()
			go func() { _, err := OpenReader(path); opens <- err }()
			for range 2 {
				err := <-opens
				if err == nil || c.want != nil && !errors.Is(err, c.want) || !bytes.Contains([]byte(err.Error()), []byte(c.text)) {
					t.Errorf("error %v, want %v that says %q", err, c.want, c.text)
				}
			}
			_, err = Create(path, &hostileOptions[0])
			is.True(errors.Is(err, os.ErrExist))
			after, err := os.Lstat(path)
			is.NoErr(err)
			is.True(os.SameFile(before, after))
			is.Equal(before.Size(), after.Size())
			is.Equal(before.Mode(), after.Mode())
		})
	}
	// The queue behind the link is untouched.
	b, err := os.ReadFile(queue)
	if err != nil || !bytes.Equal(b[:headerSize], whole[:headerSize]) {
		t.Errorf("the queue behind a link was changed: %v", err)
	}
}

// TestTryLeaseWithoutLanes: it does not wait for a lane either.
func TestTryLeaseWithoutLanes(t *testing.T) {
	is := is.New(t)
	q := named(t, uniqueName(t), &Options{Capacity: 8, MaxMessage: 8, Lanes: 3})()
	for range 8 {
		is.NoErr(q.TryPut([]byte("message")))
	}
	var leases []*Lease
	for {
		m, err := q.TryLease()
		if err != nil {
			is.True(errors.Is(err, ErrBusy))
			break
		}
		leases = append(leases, m)
	}
	is.True(len(leases) > 0)
	is.NoErr(leases[0].Ack())
}

// TestDeadWithoutQueue: a process died between creating or removing a dead-letter
// queue and its queue.
func TestDeadWithoutQueue(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "q")
	o := &Options{Capacity: 2, MaxMessage: 100, MaxAttempts: 1}
	q, err := Create(path, o)
	is.NoErr(err)
	is.NoErr(q.TryPut([]byte("letter")))
	m, err := q.TryLease()
	is.NoErr(err)
	is.NoErr(m.Nack())
	is.NoErr(q.Close())
	is.NoErr(os.Remove(path))

	q, err = Create(path, o) // the letter is kept
	is.NoErr(err)
	defer q.Close()
	d, err := Open(DeadName(path), nil)
	is.NoErr(err)
	defer d.Close()
	msg, err := d.TryGet()
	is.NoErr(err)
	is.Equal(string(msg), "letter")
	is.NoErr(Remove(path))
	left, err := os.ReadDir(dir)
	is.NoErr(err)
	is.Equal(len(left), 0)
}

// A dead-letter queue that is there already and takes other messages is in the way, which
// is not that the queue exists.
func TestDeadLettersOfOtherLength(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "q")
	d, err := Create(DeadName(path), &Options{Capacity: 2, MaxMessage: 100})
	is.NoErr(err)
	defer d.Close()
	for _, create := range []func(string, *Options) (*Queue, error){Create, OpenOrCreate} {
		_, err = create(path, &Options{Capacity: 2, MaxMessage: 99, MaxAttempts: 1})
		is.True(err != nil && !errors.Is(err, os.ErrExist)) // OpenOrCreate would try again
		is.True(strings.Contains(err.Error(), "100 bytes, not of 99"))
	}
	left, err := os.ReadDir(dir)
	is.NoErr(err)
	is.Equal(len(left), 1)
}

// TestCreateOverExisting leaves nothing beside a queue that was there before.
func TestCreateOverExisting(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "q")
	q, err := Create(path, &Options{Capacity: 2, MaxMessage: 100})
	is.NoErr(err)
	defer q.Close()
	_, err = Create(path, &Options{Capacity: 2, MaxMessage: 100, MaxAttempts: 1})
	is.True(errors.Is(err, os.ErrExist))
	left, err := os.ReadDir(dir)
	is.NoErr(err)
	is.Equal(len(left), 1)
}
