package tour

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/ipcctl/ipc/queue"
)

const itemsEach = 50_000

// haul is a consumer's report: what it got of each producer, in order, as runs
// of consecutive numbers. One consumer that gets everything has one run of each
// producer, however many messages that are.
type haul struct {
	Runs  map[uint32][]run
	Pause time.Duration // the longest between two messages
}

// run is the numbers from First up to, but without, End.
type run struct{ First, End uint32 }

// got notes the next message.
func (h *haul) got(producer, number uint32) {
	runs := h.Runs[producer]
	if n := len(runs); n > 0 && runs[n-1].End == number {
		runs[n-1].End++
		return
	}
	h.Runs[producer] = append(runs, run{number, number + 1})
}

// count returns how many messages of a producer it got.
func (h *haul) count(producer uint32) (n int) {
	for _, r := range h.Runs[producer] {
		n += int(r.End - r.First)
	}
	return n
}

// queueStep: two producers and two consumers share a queue; every message
// arrives exactly once, and each consumer sees each producer's in order.
func queueStep(g *guide, r *Result) error {
	q, err := queue.Create(g.prefix+jobsQueue, &queue.Options{Capacity: 1024, MaxMessage: itemSize})
	if err != nil {
		return err
	}
	defer queue.Remove(q.Name())
	defer q.Close()
	var producers, consumers []*peer
	for i := range 2 {
		c, err := g.ready("consumer", q.Name())
		if err != nil {
			return err
		}
		p, err := g.ready("producer", q.Name(), strconv.Itoa(i), strconv.Itoa(itemsEach))
		if err != nil {
			return err
		}
		producers, consumers = append(producers, p), append(consumers, c)
	}
	begin := time.Now()
	for _, p := range producers {
		if err := p.tell("go"); err != nil {
			return err
		}
	}
	for _, p := range producers {
		if err := p.hear(g.ctx, new(struct{})); err != nil {
			return err
		}
	}
	if err := q.CloseWrite(); err != nil {
		return err
	}
	hauls, err := g.hauls(consumers...)
	if err != nil {
		return err
	}
	took := time.Since(begin)
	for i := range producers {
		if err := complete(hauls, uint32(i), itemsEach); err != nil {
			return err
		}
	}
	r.What = fmt.Sprintf("2 processes put %d messages, 2 got each exactly once, in order", 2*itemsEach)
	r.Figure = perSecond(2*itemsEach, took)
	return nil
}

// ready starts a peer and waits until it is ready.
func (g *guide) ready(role string, args ...string) (*peer, error) {
	p, err := g.start(role, args...)
	if err != nil {
		return nil, err
	}
	return p, p.hear(g.ctx, new(struct{}))
}

func (g *guide) hauls(consumers ...*peer) ([]haul, error) {
	hauls := make([]haul, len(consumers))
	for i, c := range consumers {
		if err := c.hear(g.ctx, &hauls[i]); err != nil {
			return nil, err
		}
	}
	return hauls, nil
}

// complete checks that the consumers together got the messages 0 to n-1 of a
// producer, each once, and each consumer got its share in order.
func complete(hauls []haul, producer uint32, n int) error {
	times := make([]int, n)
	for i, h := range hauls {
		next := uint32(0)
		for _, r := range h.Runs[producer] {
			if r.First < next {
				return fmt.Errorf("consumer %d got message %d of producer %d after %d", i, r.First, producer, next-1)
			}
			if int(r.End) > n {
				return fmt.Errorf("consumer %d got message %d of producer %d, which put %d", i, r.End-1, producer, n)
			}
			for k := r.First; k < r.End; k++ {
				times[k]++
			}
			next = r.End
		}
	}
	for number, k := range times {
		if k != 1 {
			return fmt.Errorf("message %d of producer %d was delivered %d times", number, producer, k)
		}
	}
	return nil
}

// playProducer puts args[2] items of producer args[1] into the queue args[0]. If
// args[2] is -1 it goes on until it is told to stop, reports once it is well
// under way, and in the end how many it has put.
func playProducer(s *stage) error {
	id, err := strconv.ParseUint(s.args[1], 10, 32)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(s.args[2])
	if err != nil {
		return err
	}
	q, err := queue.Open(s.args[0], nil)
	if err != nil {
		return err
	}
	defer q.Close()
	if err := s.report(struct{}{}); err != nil {
		return err
	}
	if err := s.await(); err != nil {
		return err
	}
	item := make([]byte, itemSize)
	for i := 0; i != n; i++ {
		if n < 0 {
			if i == underWay {
				if err := s.report(i); err != nil {
					return err
				}
			}
			select {
			case <-s.orders:
				return s.report(i)
			default:
			}
		}
		makeItem(item, uint32(id), uint32(i))
		if err := q.Put(s.ctx, item); err != nil {
			return err
		}
	}
	return s.report(struct{}{})
}

// underWay is after how many messages a producer without end reports.
const underWay = 500

// playConsumer gets items from the queue args[0] until it is closed for
// writing and drained.
func playConsumer(s *stage) error {
	q, err := queue.Open(s.args[0], nil)
	if err != nil {
		return err
	}
	defer q.Close()
	if err := s.report(struct{}{}); err != nil {
		return err
	}
	h := haul{Runs: map[uint32][]run{}}
	var last time.Time
	for {
		b, err := q.Get(s.ctx)
		if errors.Is(err, io.EOF) {
			return s.report(h)
		}
		if err != nil {
			return err
		}
		producer, number, err := readItem(b)
		if err != nil {
			return err
		}
		now := time.Now()
		if !last.IsZero() {
			h.Pause = max(h.Pause, now.Sub(last))
		}
		last = now
		h.got(producer, number)
	}
}
