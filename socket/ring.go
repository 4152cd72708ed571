package socket

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/ipcctl/ipc/socket/frame"
	"github.com/ipcctl/ipc/socket/internal/cpu"
)

// A ring is one direction of a stream in memory that both processes map: bytes that
// its writer has published and its reader has not yet taken.
//
//	data   [ free | tail ... published ... head | free ]     head - tail <= len(data)
//
// head and tail count bytes since the beginning. Each is stored by one side only, which
// goes by its own copy of it; what the other side stores it believes only as far as the
// picture above allows. Each word that a side stores has a cache line of its own, and a
// neighbour that is fetched along:
//
//	line 0  head, records   stored by the writer with each piece that it publishes
//	line 1  tail            stored by the reader with each piece that it takes
//	line 2  reader          whether the reader sleeps, has gone, has entered the ring
//	line 3  writer          whether the writer sleeps; where its stream enters the ring
//
// Who finds nothing to do sets asleep in its line, looks once more, and sleeps until it
// hears the bell; who then publishes, or takes, finds asleep, clears it and rings. Bells,
// and the news that a side has died, come over sockets: see shared.
//
// Who dies leaves behind what it has published, since head is stored last, and nothing
// that the other side would have to wait for.
type ring struct {
	data []byte

	head, tail     *atomic.Uint64
	records        *atomic.Uint64 // of descriptors, sent before what is published next
	reader, writer *atomic.Uint32 // asleep, gone, entered

	// switched is 1 + the length of the stream before it enters the ring, which goes over
	// the socket; 0 while all of it does.
	switched *atomic.Uint64

	hook func(ringStep) // tests only
}

const (
	lineLen    = 128
	ringHead   = 4 * lineLen
	sharedHead = 2 * ringHead // of both rings

	asleep  = 1
	gone    = 2 // it has closed
	entered = 4 // it has read all that came over the socket

	// ringPiece is the most that is copied before the other side learns of it: both work at
	// the same time, and what one has written is still in a cache when the other reads it.
	ringPiece = 32 << 10
)

// ringStep is a step of the protocol, at which tests kill.
type ringStep int

const (
	stepCopied   ringStep = iota // bytes are in the ring, or out of it
	stepMoved                    // head or tail has moved
	stepAnnounce                 // asleep is set
	stepBell                     // asleep is cleared, the bell has not rung
	stepRecord                   // a record of descriptors is sent
	stepSwitch                   // a stream is about to enter the ring
	ringSteps
)

func (r *ring) at(s ringStep) {
	if r.hook != nil {
		r.hook(s)
	}
}

// ringIn returns ring i of the two in mem, which has size bytes for the data of each.
func ringIn(mem []byte, i, size int) ring {
	word := func(line, at int) unsafe.Pointer { return unsafe.Pointer(&mem[i*ringHead+line*lineLen+at]) }
	data := sharedHead + i*size
	return ring{
		data:     mem[data : data+size : data+size],
		head:     (*atomic.Uint64)(word(0, 0)),
		records:  (*atomic.Uint64)(word(0, 8)),
		tail:     (*atomic.Uint64)(word(1, 0)),
		reader:   (*atomic.Uint32)(word(2, 0)),
		writer:   (*atomic.Uint32)(word(3, 0)),
		switched: (*atomic.Uint64)(word(3, 8)),
	}
}

// errRing says that the peer has stored what no peer stores.
var errRing = fmt.Errorf("the peer has spoilt the shared memory: %w", frame.ErrCorrupt)

// A ringWriter is the end of a ring's writer.
type ringWriter struct {
	ring
	at   uint64 // head
	seen uint64 // tail when we last looked
	look uint64 // when at passes this, it is time to look again
	bulk bool   // more is being written than the ring holds
}

// room returns how much can be written at once, at least need if that is possible. still
// reports that the reader has not taken anything since the last look, though it could.
func (w *ringWriter) room(need int) (free int, still bool, err error) {
	size := uint64(len(w.data))
	free = int(size - (w.at - w.seen))
	if free >= need && w.at < w.look {
		return free, false, nil
	}
	w.look = w.at + size/16
	tail := w.tail.Load()
	if tail < w.seen || tail > w.at {
		return 0, false, errRing
	}
	still = tail == w.seen && tail != w.at
	w.seen = tail
	return int(size - (w.at - tail)), still, nil
}

// put writes as much of p, and then of q, as fits into free, piece by piece. rings is
// called when the reader sleeps.
func (w *ringWriter) put(p, q []byte, free int, rings func() error) (n int, err error) {
	for n < free && len(p)+len(q) > 0 {
		k := w.copy(p, min(free-n, ringPiece))
		p = p[k:]
		if len(p) == 0 && len(q) > 0 {
			w.at += uint64(k)
			j := w.copy(q, min(free-n, ringPiece)-k)
			w.at -= uint64(k)
			q = q[j:]
			k += j
		}
		w.ring.at(stepCopied)
		w.at += uint64(k)
		n += k
		w.head.Store(w.at)
		w.ring.at(stepMoved)
		if w.reader.Load()&asleep != 0 && w.reader.And(^uint32(asleep))&asleep != 0 {
			w.ring.at(stepBell)
			if err := rings(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// copy copies up to most bytes of p behind at.
func (w *ringWriter) copy(p []byte, most int) int {
	p = p[:min(len(p), most)]
	i := int(w.at & uint64(len(w.data)-1))
	if w.bulk {
		k := cpu.CopyOver(w.data[i:], p)
		return k + cpu.CopyOver(w.data, p[k:])
	}
	k := copy(w.data[i:], p)
	return k + copy(w.data, p[k:])
}

// A ringReader is the end of a ring's reader.
type ringReader struct {
	ring
	at   uint64 // tail
	seen uint64 // head when we last looked
	sent uint64 // records when we last looked: at least those of what is before seen
}

// here returns how many bytes there are.
func (r *ringReader) here() (int, error) {
	if r.seen == r.at {
		head := r.head.Load()
		if head-r.at > uint64(len(r.data)) {
			return 0, errRing
		}
		r.seen = head
		r.sent = r.records.Load()
	}
	return int(r.seen - r.at), nil
}

// take moves up to len(p) of the bytes that are here into p, piece by piece. rings is
// called when the writer sleeps and there is room for it.
func (r *ringReader) take(p []byte, rings func()) int {
	p = p[:min(uint64(len(p)), r.seen-r.at)]
	for rest := p; len(rest) > 0; {
		i := int(r.at & uint64(len(r.data)-1))
		k := copy(rest[:min(len(rest), ringPiece)], r.data[i:])
		rest = rest[k:]
		r.ring.at(stepCopied)
		r.at += uint64(k)
		r.tail.Store(r.at)
		r.ring.at(stepMoved)
		if r.writer.Load()&asleep != 0 && int(r.head.Load()-r.at) <= len(r.data)/2 && r.writer.And(^uint32(asleep))&asleep != 0 {
			r.ring.at(stepBell)
			rings()
		}
	}
	return len(p)
}

// announce says in word that its side is about to sleep. What is announced is seen by who
// stores after the next look. SYNC(ring): announce -> look; publish -> find asleep
func (r *ring) announce(word *atomic.Uint32) {
	if word.Load()&asleep == 0 {
		word.Or(asleep)
		r.at(stepAnnounce)
	}
}

// withdraw takes back announce.
func (r *ring) withdraw(word *atomic.Uint32) {
	if word.Load()&asleep != 0 {
		word.And(^uint32(asleep))
	}
}
