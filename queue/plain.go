//go:build !race

package queue

// A block's bytes belong to one owner, who writes and reads them plainly; the
// slot's compare-and-swap orders them. Readers of packed entries and of a peek
// read without owning, and believe what they read only if the slot's word has
// not changed since. The race detector cannot know that: plain_race.go has the
// same functions with atomic accesses for it.

// storeBytes copies src into the shared dst in pieces: past some size Go's
// copy writes around the cache, which is slower when the reader comes soon.
func storeBytes(dst, src []byte) int {
	if len(src) <= pieces {
		return copy(dst, src)
	}
	n := 0
	for n < len(src) && n < len(dst) {
		n += copy(dst[n:min(n+pieces, len(dst))], src[n:])
	}
	return n
}

// storeShort is storeBytes for at most one piece.
func storeShort(dst, src []byte) { copy(dst, src) }

// appendBytes appends the shared src to buf.
func appendBytes(buf, src []byte) []byte { return append(buf, src...) }

// loadShort returns the shared src in buf if its capacity suffices, and in new memory
// otherwise.
func loadShort(buf, src []byte) []byte {
	if len(src) > cap(buf) {
		return append(buf[:0], src...)
	}
	buf = buf[:len(src)]
	copy(buf, src)
	return buf
}

func store32(w *uint32, v uint32) { *w = v }
func load32(w *uint32) uint32     { return *w }
