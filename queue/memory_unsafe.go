package queue

// Every conversion of shared bytes into words is in this file. The memory is
// page-aligned when mapped and 64-byte aligned when on the heap (checked by
// newRing), every offset below is a multiple of the word's size by the
// constants in layout.go, and every index was checked against the private
// geometry by its caller; the slice expressions check the bounds once more.

import (
	"errors"
	"sync/atomic"
	"unsafe"
)

// maxPrefetch is how long blocks may be, in bytes, to have lines of them fetched ahead. All
// lines of longer ones would be so many that they keep others waiting.
const maxPrefetch = 9 * lineAlign // a message of 512 bytes

// newRing returns the ring over mem, whose header has been checked.
func newRing(mem []byte, g geometry) (*ring, error) {
	if uintptr(unsafe.Pointer(unsafe.SliceData(mem)))%lineAlign != 0 {
		return nil, errors.New("queue: memory is not aligned to 64 bytes")
	}
	r := &ring{geometry: g, mem: mem[:g.size:g.size]}
	r.slots = unsafe.Slice((*slotLine)(unsafe.Pointer(&r.mem[g.offSlots])), g.capacity)
	r.first, r.stride = r.blockHead(0), uintptr(g.blockSize)
	r.blockHead(g.blocks - 1) // and so all between them are in mem
	r.prefetch = g.blockSize <= maxPrefetch
	r.tail, r.head = r.word(offTail), r.word(offHead)
	r.notEmpty, r.notFull = r.word32(offNotEmpty+waitArmed), r.word32(offNotFull+waitArmed)
	r.small = min(r.inline, r.maxMessage, pieces)
	if r.capacity >= hintInterval {
		r.hintMask = hintInterval - 1
	}
	r.state = r.word32(offState + stateFlags)
	return r, nil
}

// slotLine is a slot on a line of its own.
type slotLine struct {
	word atomic.Uint64
	_    [slotSize - 8]byte
}

// blockHead is the header of a block.
type blockHead struct {
	acquired atomic.Uint64
	meta     atomic.Uint64
	tries    atomic.Uint64
	stamp    atomic.Uint64
}

func (r *ring) word(off int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&r.mem[off]))
}

func (r *ring) word32(off int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&r.mem[off]))
}

func (r *ring) slot(i uint32) *atomic.Uint64 { return &r.slots[i].word }

// blockHead returns the header of block b. The whole block is in mem: the index of
// its last byte is checked here.
func (r *ring) blockHead(b uint32) *blockHead {
	last := &r.mem[r.blockOffset(b)+int(r.blockSize)-1]
	return (*blockHead)(unsafe.Add(unsafe.Pointer(last), 1-int(r.blockSize)))
}

// checked is blockHead for a b that is known to be less than blocks: newRing has looked
// at the last one.
func (r *ring) checked(b uint32) *blockHead {
	return (*blockHead)(unsafe.Add(unsafe.Pointer(r.first), uintptr(b)*r.stride))
}

// bytes returns the bytes behind h, which blockHead or checked has returned.
func (r *ring) bytes(h *blockHead) []byte {
	return (*[maxBlockSize]byte)(unsafe.Add(unsafe.Pointer(h), blockHeader))[:r.inline:r.inline]
}

// prefetchAhead has lines fetched that are next, after an operation at slot: that of the
// third slot from there, and some of the block that the second one names. Nearer is too
// late where a line takes long, farther takes from others what they work on. Behind the last
// slot it fetches what nobody needs; the blocks follow there, so it is memory of the queue.
func (r *ring) prefetchAhead(slot *atomic.Uint64, lines int) {
	second := (*atomic.Uint64)(unsafe.Add(unsafe.Pointer(slot), 2*slotSize))
	third := (*atomic.Uint64)(unsafe.Add(unsafe.Pointer(slot), 3*slotSize))
	prefetch(third, second, r, lines)
}

// prefetchInOrder is prefetchAhead for a taker that got block b and knows which ones
// follow: it need not look at a slot that a producer may be working on. The processor
// fetches lines that follow each other by itself, but for reading, and the taker marks
// each block as acquired. Behind the last block there may be anything, so that is no pointer.
func (r *ring) prefetchInOrder(slot *atomic.Uint64, b uint64) {
	second := (*atomic.Uint64)(unsafe.Add(unsafe.Pointer(slot), 2*slotSize))
	prefetchBlock(second, uintptr(unsafe.Pointer(r.first))+uintptr(b+2)*r.stride)
}

// prefetchSlot has the line of the second slot from there fetched.
func (r *ring) prefetchSlot(slot *atomic.Uint64) {
	prefetchLine((*atomic.Uint64)(unsafe.Add(unsafe.Pointer(slot), 2*slotSize)))
}

// linesOf returns how many lines of a block a message of n bytes takes.
func linesOf(n int) int { return int(uint(blockHeader+n+lineAlign-1) / lineAlign) }

// prefetchHere has the lines fetched that the taker of the message at slot goes to.
func (r *ring) prefetchHere(slot *atomic.Uint64) { prefetch(slot, slot, r, 2) }

func (r *ring) laneWord(lane uint32, field int) *atomic.Uint64 {
	return r.word(offLanes + int(lane)*laneSize + field)
}

func (r *ring) laneWord32(lane uint32, field int) *atomic.Uint32 {
	return r.word32(offLanes + int(lane)*laneSize + field)
}

func (r *ring) chunkWord(i uint32) *atomic.Uint32 { return r.word32(r.offChunkWords + int(i)*4) }

func (r *ring) blockOffset(b uint32) int { return r.offBlocks + int(b)*int(r.blockSize) }

func (r *ring) blockWord(b uint32, field int) *atomic.Uint64 {
	return r.word(r.blockOffset(b) + field)
}

// table returns the first n words of a payload p, which begins at a multiple of 4:
// the ends of packed messages, or the chunks of a long one.
func table(p []byte, n int) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(p[:4*n]))), n)
}

// payload returns the bytes of block b behind its header.
func (r *ring) payload(b uint32) []byte {
	off := r.blockOffset(b) + blockHeader
	return r.mem[off : off+r.inline : off+r.inline]
}

// chunk returns the bytes of chunk i.
func (r *ring) chunk(i uint32) []byte {
	off := r.offChunks + int(i)*int(r.chunkSize)
	return r.mem[off : off+int(r.chunkSize) : off+int(r.chunkSize)]
}

// contains reports whether addr lies in the ring's memory, for telling a
// fault of ours from a bug elsewhere.
func (r *ring) contains(addr uintptr) bool {
	base := uintptr(unsafe.Pointer(unsafe.SliceData(r.mem)))
	return addr >= base && addr-base < uintptr(len(r.mem))
}
