package queue

import (
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/ipcctl/ipc/shm"
)

// A Reader looks at a queue and changes nothing: its memory is mapped
// read-only, so it needs no more than permission to read the file, takes no lane
// and wakes nobody. All its methods may be called concurrently.
type Reader struct {
	q    *Queue // only its memory, guard and probes are used
	mu   sync.RWMutex
	gone bool
}

// OpenReader opens a queue for looking. Errors are those of Open.
func OpenReader(name string) (*Reader, error) {
	r, err := openReader(name)
	return r, wrap("open", name, err)
}

func openReader(name string) (*Reader, error) {
	obj, err := object(name)
	if err != nil {
		return nil, err
	}
	reg, err := shm.OpenReader(obj, nil)
	if err != nil {
		return nil, notQueue(err)
	}
	seg, err := newSegment(reg, true)
	if err != nil {
		return nil, err
	}
	r, err := checkRing(seg.mem)
	if err != nil {
		seg.Close()
		return nil, err
	}
	return &Reader{q: &Queue{name: name, r: r, os: seg}}, nil
}

// Name returns the name that the queue was opened by.
func (r *Reader) Name() string { return r.q.name }

// read runs f on memory that stays mapped for it.
func (r *Reader) read(f func()) (err error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.gone {
		return wrap("read", r.q.name, os.ErrClosed)
	}
	defer func() { err = wrap("read", r.q.name, err) }()
	defer r.q.guard(debug.SetPanicOnFault(true), &err)
	f()
	return nil
}

// Stats reads the queue's numbers. It returns os.ErrClosed, or ErrCorrupt if the
// memory is gone.
func (r *Reader) Stats() (s Stats, err error) {
	err = r.read(func() { s = r.q.stats() })
	return s, err
}

// A Peeked message is a copy of one that is waiting.
type Peeked struct {
	Position uint64    // of its entry: grows by one with each entry put
	Data     []byte    // the first bytes of the message
	Size     int       // of the whole message in bytes
	Attempts int       // deliveries so far by Lease
	Put      time.Time // when it was put, of one message in 64; else zero
}

// Peek returns up to max of the oldest messages that are waiting, and the first
// limit bytes of each. Messages that are taken meanwhile may be missing. Errors
// are those of Stats.
func (r *Reader) Peek(max, limit int) (msgs []Peeked, err error) {
	if limit < 0 {
		limit = 0
	}
	err = r.read(func() {
		g := r.q.r
		t, h := g.ends()
		for pos := h; int64(t-pos) > 0 && len(msgs) < max && pos-h < uint64(g.capacity); pos++ {
			found, ok := g.look(pos, limit)
			if ok {
				msgs = append(msgs, found[:min(len(found), max-len(msgs))]...)
			}
		}
	})
	return msgs, err
}

// look copies the messages of the entry at pos; false if it was taken meanwhile.
func (r *ring) look(pos uint64, limit int) ([]Peeked, bool) {
	c := r.cursorAt(pos)
	slot := r.slot(c.index)
	word := slotWord(slot.Load())
	b := word.block()
	if word.ahead(c.lap) != 0 || !word.filled() || b >= r.blocks {
		return nil, false
	}
	var found []Peeked
	add := func(i uint32, data []byte, size int) {
		p := Peeked{
			Position: pos, Size: size, Data: data,
			Attempts: int(attempts(r.blockWord(b, blockTries).Load()).of(i)),
		}
		if stamp := r.blockWord(b, blockStamp).Load(); stamp != 0 {
			p.Put = time.Unix(0, int64(stamp))
		}
		found = append(found, p)
	}
	switch m := r.meta(b); m.kind() {
	case kindOne:
		if msg, ok := r.one(b); ok {
			add(0, beginning(msg, limit), len(msg))
		}
	case kindMany:
		p, ok := r.packed(b)
		for i := word.next(); ok && i < p.count; i++ {
			if msg, ok := p.message(i); ok {
				add(i, beginning(msg, limit), len(msg))
			}
		}
	case kindLarge:
		if n := m.length(); n <= r.maxMessage {
			add(0, r.lookLarge(b, min(n, limit)), n)
		}
	}
	loadsDone()
	return found, slotWord(slot.Load()) == word
}

// beginning copies at most limit bytes of the shared msg.
func beginning(msg []byte, limit int) []byte {
	return appendBytes(nil, msg[:min(len(msg), limit)])
}

// lookLarge copies the first n bytes, at most maxMessage, of the message in the
// chunks that block b lists; fewer if the list makes no sense.
func (r *ring) lookLarge(b uint32, n int) (data []byte) {
	list := r.list(b)
	for i := 0; len(data) < n; i++ {
		c := load32(&list[i])
		if c >= r.chunks {
			break
		}
		data = append(data, beginning(r.chunk(c), n-len(data))...)
	}
	return data
}

// Close ends the use of the queue. It is idempotent.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		return nil
	}
	r.gone = true
	return r.q.os.Close()
}
