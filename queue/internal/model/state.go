package model

// Bounds of the arrays in a state. They are small so that a state is small.
const (
	maxCap    = 3 // slots
	maxLanes  = 5
	maxBlocks = 8
	maxChunks = 3
	maxProcs  = 5
	maxMsgs   = 6 // messages are numbered from 1
	maxPack   = 3 // messages in a packed entry
)

// Kinds of a slot and of a block's contents, as in package queue.
const (
	kindEmpty  = 1
	kindOne    = 2
	kindMany   = 3
	kindLarge  = 4
	kindSealed = 5
)

// Operations in a lane's record, as in package queue.
const (
	opIdle    = 1
	opPut     = 2
	opTake    = 3
	opLease   = 4
	opRequeue = 5
	opHold    = 6
)

// word is a slot: lap 8 | kind 3 | block 3 | next 2.
type word uint16

func makeWord(lap int, kind, block, next uint8) word {
	return word(lap)<<8 | word(kind)<<5 | word(block)<<2 | word(next)
}

func (w word) lap() int     { return int(w >> 8) }
func (w word) kind() uint8  { return uint8(w>>5) & 7 }
func (w word) block() uint8 { return uint8(w>>2) & 7 }
func (w word) next() uint8  { return uint8(w) & 3 }
func (w word) filled() bool {
	k := w.kind()
	return k == kindOne || k == kindMany || k == kindLarge
}

// record is a lane's record: op 3 | low bits of the position 7 | own 3 | other 3.
// A configuration uses only a few of the low bits, so that the high word
// changes within a short run.
type record uint16

func makeRecord(op, low, own, other uint8) record {
	return record(op)<<13 | record(low)<<6 | record(own)<<3 | record(other)
}

func (r record) op() uint8    { return uint8(r >> 13) }
func (r record) low() uint8   { return uint8(r>>6) & 0x7f }
func (r record) own() uint8   { return uint8(r>>3) & 7 }
func (r record) other() uint8 { return uint8(r) & 7 }

// lane is a lane's shared words, and its lock in the kernel.
type lane struct {
	rec      record
	high     uint8
	cursor   uint8
	inHand   uint8
	lostPos  uint8 // laneLost: the position that was counted last, plus 1
	lost     uint8 // laneLost: the count
	lostMany uint8
	holder   uint8 // not 0: somebody must reap the lane when its lock is free
	lock     uint8 // 1 + the process that holds it
}

// A process is alive until its script has ended or it is killed.
const (
	alive = iota
	done  // it keeps its lane
	dead
)

// proc is what a process knows privately. The first group lasts, the second
// lives within one operation and is zero outside.
type proc struct {
	pc     pc
	mode   uint8
	sc     uint8 // place in its script
	lane   uint8 // the lane it acts as
	has    bool  // it owns lane
	own    uint8 // worker: the block it holds
	high   uint8
	tail   uint8 // positions
	head   uint8
	leased bool  // own holds a leased message
	lnext  uint8 // which of a packed entry

	temp
}

// temp is without holes, like all of a state: it is hashed in one go then.
type temp struct {
	rec, rec2 record // read by the reaper
	word      word   // read from a slot
	retPub    pc     // where publish, announce, free and giveBack return to
	retAnn    pc
	retFree   pc
	retGive   pc
	retWake   pc
	res       result
	c         uint8 // cursor of a walk
	op        uint8 // arguments of publish and of a take
	kind      uint8
	next      uint8
	pos       uint8
	limit     uint8
	i, n      uint8 // loop and its bound
	got       [maxPack]uint8
	line      uint8 // which side it waits on or wakes
	old       uint8 // what it read of seq or armed
	tried     bool  // again since it armed
	asleep    bool  // in the kernel
	announced bool  // the record names a lease that another consumer got
	flag      bool  // the reaper's verdict: lost
	lease     bool  // the reaper's verdict: leased
}

// state is everything. It holds no pointers and is compared by value.
type state struct {
	slot [maxCap]word
	lane [maxLanes]lane

	acquired  [maxBlocks]uint8
	meta      [maxBlocks]uint8 // kind<<4 | count
	pay       [maxBlocks][maxPack]uint8
	chunk     [maxChunks]uint8 // 0 or 1 + the owning block
	chunkData [maxChunks]uint8
	hintTail  uint8
	hintHead  uint8
	closed    bool
	seq       [2]uint8 // notEmpty, notFull
	armed     [2]uint8

	crashes uint8 // that may still happen

	ghost
	proc [maxProcs]proc
}

// ghost is what the observer knows. The protocol never reads it.
type ghost struct {
	gtail, ghead uint8                     // positions that the next publish and take must have
	owner        [maxLanes]uint8           // block that each lane owns
	content      [maxBlocks][maxPack]uint8 // unfinished messages in a block, by index
	hand         [maxLanes][maxPack]uint8  // messages that a lane advanced past and has not delivered
	fate         [maxMsgs + 1]uint8
	eof          bool  // somebody was told that no message can come any more
	lost         uint8 // messages that died with a taker
	lostMany     uint8 // the same, out of packed entries that stayed in their slot
}

// Fates of a message.
const (
	unput     = iota
	queued    // in a slot
	inHand    // taken by Get, not yet delivered
	leased    // taken by Lease, not yet acknowledged
	delivered // by Get, or acknowledged
	gone      // died with its taker
)

// Kinds of operations in a script.
type opcode uint8

const (
	Put opcode = iota
	PutMany
	PutLarge
	Get // one message, of whatever entry
	GetMany
	Lease
	Ack
	Nack
	Close // CloseWrite
	Reap  // wait for a lane whose owner is dead and clean up after it
	Join  // lock any free lane, clean up after its owner, and keep it
	Leave // give the lane up
)

// do is one operation of a script and the messages that it puts.
type do struct {
	op   opcode
	msgs [maxPack]uint8
}

// config is a configuration: who does what, in a queue of what shape.
type config struct {
	name    string
	cap     int
	procs   [][]do // one script each; scripts that begin with Reap or Join have no lane
	crashes int
	posBits int // of a position in the record; 0 means all
	chunks  int
	need    int  // chunks of a large message
	hurry   int  // steps of a walk after which it looks at the hint; 0: never
	sleep   bool // operations that find no message or no room wait
	room    bool // producers look for room before they fill their block, and swap with the word they saw

	lanes, blocks int // set by prepare
	packed        bool
	closing       bool
}

func outsider(script []do) bool {
	return len(script) > 0 && (script[0].op == Reap || script[0].op == Join)
}

// prepare derives the rest of c.
func (c *config) prepare() {
	c.lanes = 0
	for _, s := range c.procs {
		if !outsider(s) {
			c.lanes++
		}
		for _, o := range s {
			c.packed = c.packed || o.op == PutMany
			c.closing = c.closing || o.op == Close
		}
	}
	c.blocks = c.cap + c.lanes
	if c.posBits == 0 {
		c.posBits = 7
	}
}

// initial is a fresh queue with every worker at the start of its script.
func (m *machine) initial() state {
	var s state
	first := uint8(m.cap) // positions start at lap 1
	for i := range m.cap {
		s.slot[i] = makeWord(1, kindEmpty, uint8(i), 0)
	}
	s.hintTail, s.hintHead, s.gtail, s.ghead = first, first, first, first
	s.crashes = uint8(m.crashes)
	k := 0
	for p, script := range m.procs {
		if !outsider(script) {
			m.openLane(&s, k, p)
			k++
		}
		m.begin(&s, p)
	}
	return s
}

// openLane makes lane k, with the block behind those of the slots, process p's.
func (m *machine) openLane(s *state, k, p int) {
	b := uint8(m.cap + k)
	s.lane[k] = lane{rec: makeRecord(opIdle, 0, b, 0), holder: 1, lock: uint8(p + 1)}
	s.owner[k] = b
	s.proc[p] = proc{lane: uint8(k), has: true, own: b, tail: s.hintTail, head: s.hintHead}
}
