package queue

// What is in a block: one message, several packed ones, or the list of the
// chunks of a large one. The functions that write are called by the block's
// owner. Those that read get a block that may be anybody's by now, or hostile:
// they read each word once, check it against the private geometry, and leave
// it to the caller's compare-and-swap to say whether the bytes counted.

import "slices"

// pieces is how many bytes are copied at once.
const pieces = 64 << 10

// fillOne writes msg, which fits.
func (r *ring) fillOne(h *blockHead, msg []byte) {
	storeBytes(r.bytes(h), msg)
	h.describe(makeMeta(kindOne, len(msg), 1))
}

// describe writes the header of a block that holds a fresh message.
func (h *blockHead) describe(m meta) {
	storeRelease(&h.meta, uint64(m))
	storeRelease(&h.tries, 0)
	storeRelease(&h.stamp, 0)
}

func (r *ring) meta(b uint32) meta { return meta(r.blockWord(b, blockMeta).Load()) }

// packable returns how many of msgs fit one block together, at most maxPacked,
// none of them too long.
func (r *ring) packable(msgs [][]byte) int {
	used := 0
	for i, m := range msgs {
		if used += 4 + len(m); used > r.inline || i == maxPacked || len(m) > r.maxMessage {
			return i
		}
	}
	return len(msgs)
}

// fillMany packs msgs, which fit.
func (r *ring) fillMany(h *blockHead, msgs [][]byte) {
	p := r.bytes(h)
	words, end := table(p, len(msgs)), 4*len(msgs)
	for i, m := range msgs {
		storeBytes(p[end:], m)
		end += len(m)
		store32(&words[i], uint32(end))
	}
	h.describe(makeMeta(kindMany, end, len(msgs)))
}

// packed is the view of a block with several messages: its payload and its
// checked count.
type packed struct {
	payload []byte
	count   uint32
}

func (r *ring) packed(b uint32) (packed, bool) {
	m := r.meta(b)
	p := r.payload(b)
	ok := m.kind() == kindMany && m.count() <= maxPacked && m.count()*4 <= len(p)
	return packed{p, uint32(m.count())}, ok
}

// start returns the offset of message i, which is less than count; false if it
// makes no sense.
func (p packed) start(i uint32) (uint32, bool) {
	from := 4 * p.count
	if i > 0 {
		from = load32(&table(p.payload, int(i))[i-1])
	}
	return from, from >= 4*p.count && uint64(from) <= uint64(len(p.payload))
}

// message returns the bytes of message i in place; false if the table of
// offsets makes no sense.
func (p packed) message(i uint32) ([]byte, bool) {
	if i >= p.count {
		return nil, false
	}
	from, ok := p.start(i)
	to := load32(&table(p.payload, int(i)+1)[i])
	if !ok || from > to || uint64(to) > uint64(len(p.payload)) {
		return nil, false
	}
	return p.payload[from:to:to], true
}

// ends appends to dst where the n messages from i on end in a buffer in which
// the first of them begins at offset at; false if the table makes no sense. There
// are n more of them.
func (p packed) ends(dst []int, i uint32, n, at int) ([]int, bool) {
	from, ok := p.start(i)
	old := len(dst)
	dst = slices.Grow(dst, n)[:old+n]
	words, ends := table(p.payload, int(i)+n)[i:], dst[old:]
	last, limit := from, uint32(len(p.payload))
	for k := range words {
		to := load32(&words[k])
		if to < last || to > limit {
			return dst[:old], false
		}
		ends[k] = at + int(to-from)
		last = to
	}
	return dst, ok
}

// messages returns size bytes of messages, the first of which is i, in place; false
// if they are not there any more.
func (p packed) messages(i uint32, size int) ([]byte, bool) {
	from, ok := p.start(i)
	if !ok || size < 0 || uint64(from)+uint64(size) > uint64(len(p.payload)) {
		return nil, false
	}
	return p.payload[from:][:size:size], true
}

// one returns the message of a block with a single small one, in place.
func (r *ring) one(b uint32) ([]byte, bool) {
	m := r.meta(b)
	p := r.payload(b)
	if m.kind() != kindOne || m.length() > len(p) {
		return nil, false
	}
	return p[:m.length():m.length()], true
}

// list returns the words of block b for the numbers of the chunks that it owns.
func (r *ring) list(b uint32) []uint32 { return table(r.payload(b), r.inline/4) }

// A chunk word is 0, or 1 + the block that owns the chunk. Any lane may claim a
// free chunk for a block that it owns; only the block's owner may free it. So
// whoever inherits a block inherits its chunks, and the reaper needs to know
// nothing else.

// fillLarge claims chunks for msg and copies it there. It returns false, with
// nothing claimed, if not enough are free.
func (r *ring) fillLarge(b uint32, msg []byte, from uint32) bool {
	list := r.list(b)
	need := r.chunksFor(len(msg))
	got := 0
	for i := uint32(0); i < r.chunks && got < need; i++ {
		c := (from + i) % r.chunks
		w := r.chunkWord(c)
		if w.Load() != 0 {
			continue
		}
		r.at(stepChunk)
		if !w.CompareAndSwap(0, b+1) { // SYNC(chunk): freeList -> fillLarge
			continue
		}
		store32(&list[got], c)
		got++
	}
	if got < need {
		r.freeList(b, got)
		return false
	}
	for i, rest := 0, msg; i < need; i++ {
		n := storeBytes(r.chunk(load32(&list[i])), rest)
		rest = rest[n:]
	}
	r.blockHead(b).describe(makeMeta(kindLarge, len(msg), 0))
	return true
}

// appendLarge appends the message of block b, owned by the caller, to buf.
func (r *ring) appendLarge(buf []byte, b uint32) ([]byte, bool) {
	m := r.meta(b)
	n := m.length()
	if m.kind() != kindLarge || n > r.maxMessage {
		return buf, false
	}
	list := r.list(b)
	for i := 0; n > 0; i++ {
		c := load32(&list[i])
		if c >= r.chunks || r.chunkWord(c).Load() != b+1 {
			return buf, false
		}
		part := min(n, int(r.chunkSize))
		buf = appendBytes(buf, r.chunk(c)[:part])
		n -= part
	}
	return buf, true
}

// freeLarge frees the chunks of a large message in block b, which the caller owns.
func (r *ring) freeLarge(b uint32) {
	if m := r.meta(b); m.kind() == kindLarge && m.length() <= r.maxMessage && r.chunks > 0 {
		r.freeList(b, r.chunksFor(m.length()))
	}
}

// freeList frees the first n chunks that block b lists.
func (r *ring) freeList(b uint32, n int) {
	list := r.list(b)
	for i := range min(n, len(list)) {
		if c := load32(&list[i]); c < r.chunks {
			r.at(stepChunk)
			r.chunkWord(c).CompareAndSwap(b+1, 0) // SYNC(chunk): freeList -> fillLarge
		}
	}
}

// freeAll frees every chunk of block b, whether listed or not: for the reaper,
// which inherits a block in the middle of anything.
func (r *ring) freeAll(b uint32) {
	for c := uint32(0); c < r.chunks; c++ {
		if w := r.chunkWord(c); w.Load() == b+1 {
			r.at(stepChunk)
			w.CompareAndSwap(b+1, 0)
		}
	}
}

// chunksUsed counts the chunks in use.
func (r *ring) chunksUsed() int {
	n := 0
	for c := uint32(0); c < r.chunks; c++ {
		if r.chunkWord(c).Load() != 0 {
			n++
		}
	}
	return n
}

// appendMessage appends the whole message of block b, owned by the caller, to
// buf. For a packed entry it is message next.
func (r *ring) appendMessage(buf []byte, b, next uint32) ([]byte, bool) {
	m, p := meta(r.blockHead(b).meta.Load()), r.payload(b)
	if m.kind() == kindOne && m.length() <= len(p) {
		return appendBytes(buf, p[:m.length()]), true
	}
	return r.appendOther(buf, b, next, m)
}

func (r *ring) appendOther(buf []byte, b, next uint32, m meta) ([]byte, bool) {
	switch m.kind() {
	case kindMany:
		p, ok := r.packed(b)
		if !ok {
			return buf, false
		}
		m, ok := p.message(next)
		if !ok {
			return buf, false
		}
		return appendBytes(buf, m), true
	case kindLarge:
		return r.appendLarge(buf, b)
	}
	return buf, false
}
