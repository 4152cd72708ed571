package tour

import (
	"fmt"
	"strconv"

	"github.com/ipcctl/ipc/queue"
)

// victims is how many producers are killed, one after the other.
const victims = 20

// crashStep: while one producer and one consumer work on, other producers are
// killed with SIGKILL in the middle of putting. Nothing is torn, doubled or
// stuck; of a killed producer's messages an unbroken beginning arrives.
func crashStep(g *guide, r *Result) error {
	q, err := queue.Create(g.prefix+crashQueue, &queue.Options{Capacity: 256, MaxMessage: itemSize})
	if err != nil {
		return err
	}
	defer queue.Remove(q.Name())
	defer q.Close()
	consumer, err := g.ready("consumer", q.Name())
	if err != nil {
		return err
	}
	survivor, err := g.underWay(q.Name(), 0)
	if err != nil {
		return err
	}
	atLeast := make([]int, victims+1)
	for i := 1; i <= victims; i++ {
		victim, err := g.underWay(q.Name(), i)
		if err != nil {
			return err
		}
		atLeast[i] = underWay
		victim.kill()
	}
	if err := survivor.tell("stop"); err != nil {
		return err
	}
	if err := survivor.hear(g.ctx, &atLeast[0]); err != nil {
		return err
	}
	if err := q.CloseWrite(); err != nil {
		return err
	}
	hauls, err := g.hauls(consumer)
	if err != nil {
		return err
	}
	total := 0
	for i, least := range atLeast {
		got := hauls[0].count(uint32(i))
		if got < least || i == 0 && got != least {
			return fmt.Errorf("producer %d had put %d messages, %d arrived", i, least, got)
		}
		if err := complete(hauls, uint32(i), got); err != nil {
			return err
		}
		total += got
	}
	r.What = fmt.Sprintf("%d producers killed in the middle of putting; of %d messages none torn, lost or doubled", victims, total)
	r.Figure = short(hauls[0].Pause) + " longest pause"
	return nil
}

// underWay starts a producer without end and waits until it is well under way.
func (g *guide) underWay(queue string, id int) (*peer, error) {
	p, err := g.ready("producer", queue, strconv.Itoa(id), "-1")
	if err != nil {
		return nil, err
	}
	if err := p.tell("go"); err != nil {
		return nil, err
	}
	return p, p.hear(g.ctx, new(int))
}
