package queue

import (
	"fmt"
	"slices"
)

// audit checks that the ring's memory is all there: each block is named by
// exactly one slot or lane, and each chunk is free or listed once by the block
// that owns it. Preconditions: every lane was reaped and nobody uses the ring.
func audit(r *ring) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	owner := make([]string, r.blocks)
	own := func(b uint32, who string) {
		switch {
		case b >= r.blocks:
			fault("%s names block %d of %d", who, b, r.blocks)
		case owner[b] != "":
			fault("block %d: %s and %s", b, owner[b], who)
		default:
			owner[b] = who
		}
	}
	chunkOwner := make([]string, r.chunks)
	ends := make([]uint64, 0, r.capacity)
	for i := range r.capacity {
		w := slotWord(r.slot(i).Load())
		who := fmt.Sprintf("slot %d", i)
		own(w.block(), who)
		if !w.filled() && !w.free() {
			fault("%s: kind %d", who, w.kind())
		}
		pos := w.lap()*uint64(r.capacity) + uint64(i)
		if w.filled() {
			pos += uint64(r.capacity) // the next put comes here
		}
		ends = append(ends, pos)
		if w.kind() != kindLarge || w.block() >= r.blocks {
			continue
		}
		m := r.meta(w.block())
		for j := range r.chunksFor(m.length()) {
			c := load32(&r.list(w.block())[j])
			switch {
			case c >= r.chunks:
				fault("%s lists chunk %d of %d", who, c, r.chunks)
			case chunkOwner[c] != "":
				fault("chunk %d: %s and %s", c, chunkOwner[c], who)
			case r.chunkWord(c).Load() != w.block()+1:
				fault("chunk %d, listed by %s: owner word %d, want %d", c, who, r.chunkWord(c).Load(), w.block()+1)
			default:
				chunkOwner[c] = who
			}
		}
	}
	for k := range r.lanes {
		rec := record(r.laneWord(k, laneRecord).Load())
		if rec.op() != opIdle {
			fault("lane %d: operation %d after it was reaped", k, rec.op())
		}
		own(rec.own(), fmt.Sprintf("lane %d", k))
	}
	for b, who := range owner {
		if who == "" {
			fault("block %d is lost", b)
		}
	}
	for c := range r.chunks {
		if w := r.chunkWord(c).Load(); w != 0 && chunkOwner[c] == "" {
			fault("chunk %d is lost to block %d", c, w-1)
		}
	}
	// The slots are ready for consecutive positions: no hole, no repetition.
	slices.Sort(ends)
	for i := 1; i < len(ends); i++ {
		if ends[i] != ends[i-1]+1 {
			fault("slots are ready for positions %d", ends)
			break
		}
	}
	return faults
}

// reapAll reaps every lane of a ring that nobody uses, until no message is
// left in one. It returns false if there was no room for a message.
func reapAll(r *ring, dead bury) bool {
	ok := true
	for k := range r.lanes {
		if _, err := r.reap(k, dead); err != nil {
			ok = false
		}
	}
	return ok
}
