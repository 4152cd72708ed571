package rpc

import "sync"

// A message of more than 16 KiB costs its receiver an allocation, and the garbage
// collector more than its way here did. Who has it, a handler or a caller, may say
// when it is done with; then its memory goes round:
//
//	freeMemory ──Recv──▶ message ──▶ handler: ReuseData ──reply sent──▶ freeMemory
//	                          ├────▶ caller: Request.Buffer ──copied────▶ freeMemory
//	                          └────▶ stream: RecvInto ────────copied────▶ freeMemory
//
// Nothing gets here but what somebody gave back, so who does not pays nothing. It is
// no sync.Pool: there, what one processor puts, another does not get.
type memory struct {
	mu   sync.Mutex
	free [maxFree][]byte // nil: none
	next int             // to be replaced, if there is no place
}

var freeMemory memory

const (
	// What is kept for the process: at most maxFree times mostReused bytes, 16 MiB.
	maxFree     = 8
	leastReused = 16 << 10
	mostReused  = maxKept
)

// take returns memory for a message of n bytes that was given back, or nil. It is
// at most twice as long: nobody can tell how long the message will be kept.
func (f *memory) take(n int) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, b := range f.free {
		if cap(b) >= n && cap(b) <= 2*n {
			f.free[i] = nil
			return b
		}
	}
	return nil
}

// give gives the memory of a message back.
func (f *memory) give(b []byte) {
	if cap(b) < leastReused || cap(b) > mostReused {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.free {
		if f.free[i] == nil {
			f.free[i] = b[:0]
			return
		}
	}
	f.free[f.next] = b[:0]
	f.next = (f.next + 1) % maxFree
}
