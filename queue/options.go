package queue

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"
)

// Options of Create and Anonymous. The zero value is useful.
type Options struct {
	// Capacity is how many entries the queue holds; 0 means 1024, the most is
	// 262,144 less the lanes. An entry is one message, or those messages of
	// one PutBatch that were packed together. All of them are used in turn,
	// however few messages wait: with long entries, as few of them as fit the
	// CPU's cache together are two to three times as fast.
	Capacity int

	// MaxMessage is the longest message in bytes; 0 means 64 KiB, the most is
	// 1 GiB.
	MaxMessage int

	// Memory is the budget for the messages' bytes. It is reserved at
	// creation, or less where every entry can be as long as MaxMessage with
	// less; 0 means that if 16 MiB do for it, else 1 KiB an entry and a pool
	// of at least four of the longest messages. Long messages share the pool:
	// when it is used up, the queue is full.
	Memory int

	// EntrySize is how many bytes one entry holds without the pool, and so how
	// much one PutBatch packs into an entry; 0 means MaxMessage or half of
	// what the budget allows, but not less than 1 KiB.
	EntrySize int

	// Lanes is how many operations, leases and reservations can be under way at
	// a time in all processes together; 0 means 64, the most is 4,096. Each open
	// queue has one or two, up to four while its goroutines operate at the same
	// time, and one more for each lease and reservation. What it no longer
	// needs it gives back when it has waited for a while, or is closed.
	Lanes int

	// MaxAttempts is after how many deliveries by Lease without an Ack a
	// message moves to the dead-letter queue; 0 means never, the most is
	// 1,073,741,823. While the dead-letter queue is full, or cannot be opened,
	// it goes back to the queue instead, and is delivered once more.
	MaxAttempts int

	// DeadLetters is the capacity of the dead-letter queue; 0 means Capacity,
	// at most 1024. It exists only if MaxAttempts is set, beside the queue under
	// the name that DeadName returns. If somebody removes it alone, a process of
	// the queue's owner makes it again when it has a message for it.
	DeadLetters int

	// Mode holds the permission bits of the file, and of that of the dead letters;
	// 0 means 0600. The umask does not apply. Whoever may write the file may use
	// the queue, and can also destroy its contents.
	Mode os.FileMode
}

const (
	defaultCapacity   = 1024
	defaultMaxMessage = 64 << 10
	defaultLanes      = 64
	defaultMemory     = 16 << 20
	minEntry          = 1 << 10
)

// errOption is wrapped by every refusal of an option.
var errOption = errors.New("invalid option")

// Size returns how many bytes Create reserves with these options in memory or on disk, the
// dead-letter queue included. It returns the error of options that Create refuses.
func (o *Options) Size() (int64, error) {
	g, err := o.plan()
	if err != nil || g.dead == 0 {
		return int64(g.size), err
	}
	d, err := g.ofDead()
	return int64(g.size) + int64(d.size), err
}

// plan turns options into a geometry.
func (o *Options) plan() (geometry, error) {
	var opt Options
	if o != nil {
		opt = *o
	}
	for _, f := range []struct {
		name  string
		value int
	}{
		{"Capacity", opt.Capacity}, {"MaxMessage", opt.MaxMessage}, {"Memory", opt.Memory}, {"EntrySize", opt.EntrySize},
		{"Lanes", opt.Lanes}, {"MaxAttempts", opt.MaxAttempts}, {"DeadLetters", opt.DeadLetters},
	} {
		if f.value < 0 {
			return geometry{}, fmt.Errorf("%w: %s is %d", errOption, f.name, f.value)
		}
	}
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&opt.Capacity, defaultCapacity)
	def(&opt.MaxMessage, defaultMaxMessage)
	def(&opt.Lanes, defaultLanes)
	switch {
	case opt.Lanes > maxLanes:
		return geometry{}, fmt.Errorf("%w: Lanes is %d, the limit is %d", errOption, opt.Lanes, maxLanes)
	case opt.Capacity > maxBlocks-opt.Lanes:
		return geometry{}, fmt.Errorf("%w: Capacity is %d, the limit with %d lanes is %d", errOption, opt.Capacity, opt.Lanes, maxBlocks-opt.Lanes)
	case opt.MaxMessage > maxChunkSize || opt.EntrySize > maxChunkSize:
		return geometry{}, fmt.Errorf("%w: MaxMessage is %d and EntrySize %d, the limit is %d", errOption, opt.MaxMessage, opt.EntrySize, maxChunkSize)
	case opt.MaxAttempts > triesMask:
		return geometry{}, fmt.Errorf("%w: MaxAttempts is %d, the limit is %d", errOption, opt.MaxAttempts, triesMask)
	}
	g := geometry{
		capacity: uint32(opt.Capacity), lanes: uint32(opt.Lanes),
		maxMessage: opt.MaxMessage, maxAttempts: uint32(opt.MaxAttempts),
		created: time.Now().UnixNano(),
	}
	rand.Read(g.uuid[:])
	if opt.MaxAttempts > 0 {
		def(&opt.DeadLetters, min(opt.Capacity, 1024))
		if opt.DeadLetters > maxBlocks-opt.Lanes {
			return geometry{}, fmt.Errorf("%w: DeadLetters is %d, the limit is %d", errOption, opt.DeadLetters, maxBlocks-opt.Lanes)
		}
		g.dead = uint32(opt.DeadLetters)
	} else if opt.DeadLetters > 0 {
		return geometry{}, fmt.Errorf("%w: DeadLetters without MaxAttempts", errOption)
	}
	if err := g.divide(opt); err != nil {
		return geometry{}, err
	}
	if err := g.place(); err != nil {
		return geometry{}, fmt.Errorf("%w: %w", errOption, err)
	}
	return g, nil
}

// divide splits the memory between blocks, one for each entry and lane, and
// the pool of chunks.
func (g *geometry) divide(opt Options) error {
	blocks := int64(opt.Capacity) + int64(opt.Lanes)
	longest := int64(opt.MaxMessage)
	blockFor := func(payload int64) int64 { return roundUp(blockHeader+payload, lineAlign) }

	// A chunk is a 64th of the longest message, or a page, so that the list
	// of a message's chunks is short.
	chunk := roundUp(max(longest/64, pageAlign), pageAlign)
	list := 4 * ((longest + chunk - 1) / chunk)

	entry := int64(opt.EntrySize)
	all := entry
	if entry == 0 {
		all = max(longest, minEntry)
	}
	budget := int64(opt.Memory)
	if budget == 0 {
		pool := max(defaultMemory/2, 4*longest)
		least := blocks * offset(blockFor(max(entry, minEntry, list)))
		budget = min(blocks*blockFor(max(all, longest)), max(defaultMemory, least+pool))
	}
	if blocks*blockFor(all) <= budget && all >= longest {
		g.blockSize = uint32(offset(blockFor(all)))
		return nil
	}
	if entry == 0 {
		entry = max(minEntry, list, budget/2/blocks-blockHeader-2*lineAlign)
		entry = min(entry, longest)
	}
	entry = max(entry, list)
	g.blockSize = uint32(offset(blockFor(entry)))
	g.chunkSize = uint32(chunk)
	n := (budget - blocks*int64(g.blockSize)) / chunk
	if need := (longest + chunk - 1) / chunk; n < need {
		return fmt.Errorf("%w: Memory of %d bytes is too little for %d entries and one message of %d bytes: at least %d",
			errOption, budget, opt.Capacity, longest, blocks*int64(g.blockSize)+need*chunk)
	}
	g.chunks = uint32(min(n, maxChunks))
	return nil
}

// offset makes a block's size an odd number of cache lines, so that the blocks'
// headers spread over all sets of a cache.
func offset(size int64) int64 {
	if size/lineAlign%2 == 0 {
		size += lineAlign
	}
	return size
}
