package queue

// This file is the whole shared layout: every byte that two processes agree
// on, and nothing else. PROTOCOL.md explains what the words mean and who may
// change them when.
//
//	offset
//	0        header      immutable after creation, covered by a CRC
//	256      tail        hint: a position <= the first one not yet put
//	384      head        hint: a position <= the first one not yet taken
//	512      notEmpty    seq u32 | armed u32     consumers sleep on seq
//	640      notFull     seq u32 | armed u32     producers sleep on seq
//	768      state       closed, removed, packed
//	1024     statistics
//	2048     lanes       K x 256 bytes
//	         slots       C x 64 bytes, one word each
//	         chunk words M x 4 bytes: 0 free, else 1 + the owning block
//	         blocks      N x B bytes, N = C + K: header 32, payload B-32
//	         chunks      M x Q bytes: payload of large messages
//
// A slot word says what position it is ready for and which block it names:
//
//	63          29 28  26 25           8 7      0
//	|    lap 35   | kind |  block 18    | next 8 |
//
// A lane's record says what its owner is doing, and with which blocks:
//
//	63  61 60              36 35            18 17             0
//	| op   |  position, low 25 |   own 18      |   other 18     |
//
// Positions start at C, lap 1, so that the zero in a fresh block's acquired word
// is older than every position.
//
// All words are in the byte order of the host, all 64-bit words are 8-byte
// aligned, and the layout is the same on every architecture: a 386 process
// and an amd64 process share one queue.

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// Offsets in the header.
const (
	hdrMagic       = 0  // [8]byte
	hdrVersion     = 8  // u32
	hdrOrder       = 12 // u32
	hdrCapacity    = 16 // u32  C, entries
	hdrLanes       = 20 // u32  K
	hdrBlockSize   = 24 // u32  B, bytes
	hdrChunks      = 28 // u32  M
	hdrChunkSize   = 32 // u32  Q, bytes; 0 if M is 0
	hdrMaxAttempts = 36 // u32  0: no limit
	hdrMaxMessage  = 40 // u64  bytes
	hdrSize        = 48 // u64  bytes of the whole file
	hdrCreated     = 56 // i64  nanoseconds since 1970
	hdrUUID        = 64 // [16]byte
	hdrDead        = 80 // u32  entries of the dead-letter queue, 0: none
	hdrFeatures    = 84 // u32  a bit that a reader does not know refuses it
	hdrCRC         = 124
	headerSize     = 128

	magic     = "ipcqueue"
	version   = 1
	byteOrder = 0x01020304 // written natively: a foreign host reads 0x04030201
)

// Offsets of the lines behind the header.
const (
	offTail     = 256
	offHead     = 384
	offNotEmpty = 512
	offNotFull  = 640
	offState    = 768
	offStats    = 1024
	offLanes    = 2048

	waitSeq   = 0 // in notEmpty and notFull: even, advanced by every wake-up
	waitArmed = 4 // 0 if nobody sleeps, else 1 + the seq that a sleeper saw

	stateFlags  = 0 // u32: closedBit, removedBit
	statePacked = 4 // u32: 1 once an entry with several messages was put

	closedBit  = 1
	removedBit = 2

	statHighWater = 0 // u64  most entries ever seen waiting
	statWaits     = 8 // u64  times a process went to sleep
	statHist      = 64
	histBuckets   = 48 // u64 each: bucket i counts times in [2^(i-1), 2^i) ns
)

// Offsets in a lane. The first line changes with every operation.
const (
	laneSize     = 256
	laneRecord   = 0   // u64  see above
	laneHigh     = 8   // u64  the record's position >> 25
	laneCursor   = 16  // u64  next message of the packed entry that is taken or leased
	laneInHand   = 24  // u32  messages that a running Get took out of a packed entry, or a GetBatch at all
	laneHolder   = 64  // u64  process id of the owner, 0 if none; for people
	laneSince    = 72  // i64  start of the lease, nanoseconds since 1970, to some ms; for people
	laneLost     = 128 // u64  messages lost in dead hands << 40 | the last one's position
	laneLostMany = 136 // u64  upper bound of messages lost out of packed entries and batches
	laneRequeued = 144 // u64  messages put back: by Nack or for a dead consumer
	laneDead     = 152 // u64  messages moved to the dead-letter queue
	lanePacked   = 160 // u64  messages put beyond the first of each entry
)

// Offsets in a block.
const (
	blockAcquired = 0  // u64  position at which a slot last gave this block away
	blockMeta     = 8  // u64  what the payload is: see meta
	blockTries    = 16 // u64  deliveries by lease so far: see attempts
	blockStamp    = 24 // i64  when it was put if sampled, else 0; nanoseconds since 1970
	blockHeader   = 32
)

const (
	slotSize  = 64
	lineAlign = 64
	pageAlign = 4096

	blockBits = 18
	maxBlocks = 1 << blockBits
	maxLanes  = 4096
	maxPacked = 255

	// hintInterval is how many positions apart the hints are stored: a power of 2.
	// A ring with fewer slots stores them every time.
	hintInterval = 8
)

// The fields must not overlap and 64-bit words must be aligned: each line
// below fails to compile (a negative constant or a non-zero array index)
// when an edit breaks that.
const (
	_ = uint(offTail - headerSize)
	_ = uint(headerSize - hdrCRC - 4)
	_ = uint(offLanes - offStats - statHist - 8*histBuckets)
	_ = uint(laneSize - lanePacked - 8)
	_ = uint(blockHeader - blockStamp - 8)
	_ = -(offTail % 64) - (offHead % 64) - (offNotEmpty % 64) - (offNotFull % 64)
	_ = uint(0 - offStats%64 - offLanes%64 - laneSize%64 - blockStamp%8 - laneHolder%64)
)

// Kinds of a slot. Zero is none of them, so that a hole punched into the
// file reads as corruption and not as an empty slot.
const (
	kindEmpty  = 1 // ready for a message of its lap; names a spare block
	kindOne    = 2 // one message
	kindMany   = 3 // several messages packed in one block, from next on
	kindLarge  = 4 // one message in chunks, listed in the block
	kindSealed = 5 // kindEmpty, and no producer may publish here any more
)

// Operations of a lane.
const (
	opIdle    = 1 // owns block own
	opPut     = 2 // publishing own at position, to receive other
	opTake    = 3 // giving own at position, to receive the message other
	opLease   = 4 // the same, and the message must come back if the owner dies
	opRequeue = 5 // publishing a leased message own again, to receive other
	opHold    = 6 // owns block own, which holds a leased message
)

const (
	lapShift   = 29
	kindShift  = 26
	blockShift = 8
	blockMask  = maxBlocks - 1

	opShift  = 61
	posShift = 36
	posBits  = 25
	posMask  = 1<<posBits - 1
)

// slotWord is the content of a slot.
type slotWord uint64

func makeSlot(lap uint64, kind, block, next uint32) slotWord {
	return slotWord(lap<<lapShift | uint64(kind)<<kindShift | uint64(block)<<blockShift | uint64(next))
}

func (w slotWord) lap() uint64   { return uint64(w) >> lapShift }
func (w slotWord) kind() uint32  { return uint32(w>>kindShift) & 7 }
func (w slotWord) block() uint32 { return uint32(w>>blockShift) & blockMask }
func (w slotWord) next() uint32  { return uint32(w) & 0xff }

// is reports whether the slot is of that lap and kind. Of lap it looks at the bits
// that a slot has: the shift drops the others.
func (w slotWord) is(lap uint64, kind uint32) bool {
	return uint64(w)^(lap<<lapShift|uint64(kind)<<kindShift) < 1<<kindShift
}

// blockIf returns the block that the slot names if it is of that lap and kind; else
// what no block's number can be, because the bits that differ are above those.
func (w slotWord) blockIf(lap uint64, kind uint32) uint64 {
	return (uint64(w) ^ (lap<<lapShift | uint64(kind)<<kindShift)) >> blockShift
}

// filled reports whether the slot holds a message.
func (w slotWord) filled() bool {
	k := w.kind()
	return k == kindOne || k == kindMany || k == kindLarge
}

// free reports whether the slot holds none.
func (w slotWord) free() bool { k := w.kind(); return k == kindEmpty || k == kindSealed }

// ahead returns by how many laps the slot is ahead of lap; negative: behind.
func (w slotWord) ahead(lap uint64) int64 {
	return int64((w.lap()-lap)<<lapShift) >> lapShift
}

// record is the content of a lane's record word.
type record uint64

func makeRecord(op uint32, pos uint64, own, other uint32) record {
	return record(uint64(op)<<opShift | (pos&posMask)<<posShift | uint64(own)<<blockBits | uint64(other))
}

func (r record) op() uint32    { return uint32(r >> opShift) }
func (r record) low() uint64   { return uint64(r>>posShift) & posMask }
func (r record) own() uint32   { return uint32(r>>blockBits) & blockMask }
func (r record) other() uint32 { return uint32(r) & blockMask }

// meta says what a block's payload is. The owner of the block writes it before
// it publishes the block.
//
//	kindOne    length bytes of message
//	kindMany   count end offsets u32, then the messages; length counts both
//	kindLarge  the numbers u32 of the chunks that hold length bytes of message
type meta uint64

func makeMeta(kind uint32, length, count int) meta {
	return meta(uint64(uint32(length))<<32 | uint64(uint16(count))<<16 | uint64(kind))
}

// one returns the length of a kindOne, and what no length can be of another kind.
func (m meta) one() uint64 {
	if uint16(m) != kindOne {
		return math.MaxUint64
	}
	return uint64(m) >> 32
}

func (m meta) kind() uint32 { return uint32(m) & 0xffff }
func (m meta) count() int   { return int(uint16(m >> 16)) }
func (m meta) length() int  { return int(uint32(m>>32) & math.MaxInt32) }

// attempts says how often message number next of a block was delivered by lease.
// Another message of the block was not delivered yet: of a packed entry they are
// leased in order, and only the count of the latest matters.
//
//	63         62  40 39     32 31  30 29         0
//	| moved |    0   |  next 8 |  0  | deliveries |
//
// moved: the block was given back before.
type attempts uint64

const (
	movedBit   = 1 << 63
	triesShift = 32
	triesMask  = 1<<30 - 1
)

// of returns the deliveries of message next.
func (t attempts) of(next uint32) uint64 {
	if uint32(t>>triesShift)&0xff != next {
		return 0
	}
	return uint64(t) & triesMask
}

// again is t after one more delivery of message next.
func (t attempts) again(next uint32) attempts {
	return t&movedBit | attempts(next)<<triesShift | attempts(t.of(next)+1)&triesMask
}

func (t attempts) moved() bool { return t&movedBit != 0 }

// geometry is the header, copied once into private memory and checked: no
// bound used after attaching is ever read from shared memory again.
type geometry struct {
	capacity, lanes, blocks      uint32
	blockSize, chunks, chunkSize uint32
	maxAttempts, dead            uint32
	maxMessage                   int
	created                      int64
	uuid                         [16]byte
	offSlots, offChunkWords      int
	offBlocks, offChunks, size   int
	inline                       int // payload bytes of one block
}

const (
	maxSize      = int64(math.MaxInt/2) &^ (pageAlign - 1) // of a file: 1 GiB where int has 32 bits
	maxChunks    = 1 << 24
	maxChunkSize = 1 << 30
	maxBlockSize = maxChunkSize + lineAlign // for a message of maxChunkSize in one piece
)

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }

// place computes the derived fields of g, or says why g cannot be.
func (g *geometry) place() error {
	switch {
	case g.capacity < 1 || g.lanes < 1 || g.lanes > maxLanes:
		return fmt.Errorf("capacity %d or lanes %d out of range", g.capacity, g.lanes)
	case uint64(g.capacity)+uint64(g.lanes) > maxBlocks:
		return fmt.Errorf("capacity %d is above the limit of %d", g.capacity, maxBlocks-int(g.lanes))
	case g.blockSize <= blockHeader || g.blockSize > maxBlockSize || g.blockSize%lineAlign != 0:
		return fmt.Errorf("block size %d is not a multiple of %d up to %d", g.blockSize, lineAlign, maxBlockSize)
	case (g.chunks == 0) != (g.chunkSize == 0) || g.chunkSize%pageAlign != 0 || g.chunks > maxChunks || g.chunkSize > maxChunkSize:
		return fmt.Errorf("%d chunks of %d bytes", g.chunks, g.chunkSize)
	}
	g.blocks = g.capacity + g.lanes
	g.inline = int(g.blockSize) - blockHeader
	off := int64(offLanes) + int64(g.lanes)*laneSize
	g.offSlots = int(off)
	off += int64(g.capacity) * slotSize
	g.offChunkWords = int(off)
	off = roundUp(off+int64(g.chunks)*4, pageAlign)
	g.offBlocks = int(off)
	off = roundUp(off+int64(g.blocks)*int64(g.blockSize), pageAlign)
	g.offChunks = int(off)
	off += int64(g.chunks) * int64(g.chunkSize)
	if off > maxSize {
		return fmt.Errorf("%d bytes are more than the limit of %d", off, maxSize)
	}
	g.size = int(off)
	if g.maxMessage > g.inline {
		if n := g.chunksFor(g.maxMessage); n > int(g.chunks) || n > g.inline/4 {
			return fmt.Errorf("a message of %d bytes does not fit %d chunks of %d bytes", g.maxMessage, g.chunks, g.chunkSize)
		}
	}
	return nil
}

// chunksFor returns how many chunks a large message of n bytes takes.
func (g *geometry) chunksFor(n int) int {
	if g.chunkSize == 0 {
		return math.MaxInt
	}
	return (n + int(g.chunkSize) - 1) / int(g.chunkSize)
}

// encode writes the header.
func (g *geometry) encode(h []byte) {
	e := binary.NativeEndian
	copy(h[hdrMagic:], magic)
	e.PutUint32(h[hdrVersion:], version)
	e.PutUint32(h[hdrOrder:], byteOrder)
	e.PutUint32(h[hdrCapacity:], g.capacity)
	e.PutUint32(h[hdrLanes:], g.lanes)
	e.PutUint32(h[hdrBlockSize:], g.blockSize)
	e.PutUint32(h[hdrChunks:], g.chunks)
	e.PutUint32(h[hdrChunkSize:], g.chunkSize)
	e.PutUint32(h[hdrMaxAttempts:], g.maxAttempts)
	e.PutUint64(h[hdrMaxMessage:], uint64(g.maxMessage))
	e.PutUint64(h[hdrSize:], uint64(g.size))
	e.PutUint64(h[hdrCreated:], uint64(g.created))
	copy(h[hdrUUID:hdrUUID+16], g.uuid[:])
	e.PutUint32(h[hdrDead:], g.dead)
	e.PutUint32(h[hdrCRC:], crc32.ChecksumIEEE(h[:hdrCRC]))
}

// decode reads and checks a header that anybody may have written. size is
// the size of the file.
func decode(shared []byte, size int) (geometry, error) {
	var g geometry
	if len(shared) < offLanes {
		return g, fmt.Errorf("%w: %d bytes are too few for a queue", ErrNotQueue, len(shared))
	}
	var h [headerSize]byte
	copy(h[:], shared)
	e := binary.NativeEndian
	if string(h[hdrMagic:hdrMagic+8]) != magic {
		return g, fmt.Errorf("%w: it does not begin with %q", ErrNotQueue, magic)
	}
	if o := e.Uint32(h[hdrOrder:]); o != byteOrder {
		return g, fmt.Errorf("%w: its byte order is %#x, this process uses %#x", ErrVersion, o, byteOrder)
	}
	if v := e.Uint32(h[hdrVersion:]); v != version {
		return g, fmt.Errorf("%w: its layout is version %d, this process speaks version %d", ErrVersion, v, version)
	}
	if f := e.Uint32(h[hdrFeatures:]); f != 0 {
		return g, fmt.Errorf("%w: it uses features %#x, this process knows none", ErrVersion, f)
	}
	if c := crc32.ChecksumIEEE(h[:hdrCRC]); c != e.Uint32(h[hdrCRC:]) {
		return g, fmt.Errorf("%w: header checksum", ErrCorrupt)
	}
	g.capacity = e.Uint32(h[hdrCapacity:])
	g.lanes = e.Uint32(h[hdrLanes:])
	g.blockSize = e.Uint32(h[hdrBlockSize:])
	g.chunks = e.Uint32(h[hdrChunks:])
	g.chunkSize = e.Uint32(h[hdrChunkSize:])
	g.maxAttempts = e.Uint32(h[hdrMaxAttempts:])
	g.dead = e.Uint32(h[hdrDead:])
	g.created = int64(e.Uint64(h[hdrCreated:]))
	copy(g.uuid[:], h[hdrUUID:])
	mm := e.Uint64(h[hdrMaxMessage:])
	if mm > maxChunkSize {
		return g, fmt.Errorf("%w: message limit %d", ErrCorrupt, mm)
	}
	g.maxMessage = int(mm)
	if err := g.place(); err != nil {
		return g, fmt.Errorf("%w: header: %w", ErrCorrupt, err)
	}
	if s := e.Uint64(h[hdrSize:]); s != uint64(g.size) || size < g.size {
		return g, fmt.Errorf("%w: the file has %d bytes, its header says %d and its parts need %d", ErrCorrupt, size, s, g.size)
	}
	return g, nil
}
