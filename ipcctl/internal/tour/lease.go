package tour

import (
	"fmt"
	"time"

	"github.com/ipcctl/ipc/queue"
)

// job is a worker's report about the message that it has on lease.
type job struct {
	Text     string
	Attempts int
}

// leaseStep: a worker is killed with a message in hand, which it has not
// acknowledged: the next worker gets it.
func leaseStep(g *guide, r *Result) error {
	q, err := queue.Create(g.prefix+leaseQueue, &queue.Options{Capacity: 8, MaxMessage: itemSize})
	if err != nil {
		return err
	}
	defer queue.Remove(q.Name())
	defer q.Close()
	if err := q.Put(g.ctx, []byte("the job")); err != nil {
		return err
	}
	first, err := g.start("worker", q.Name())
	if err != nil {
		return err
	}
	var j job
	if err := first.hear(g.ctx, &j); err != nil {
		return err
	}
	if want := (job{"the job", 1}); j != want {
		return fmt.Errorf("the first worker got %+v, want %+v", j, want)
	}
	second, err := g.start("worker", q.Name())
	if err != nil {
		return err
	}
	died := time.Now()
	first.kill()
	if err := second.hear(g.ctx, &j); err != nil {
		return err
	}
	if want := (job{"the job", 2}); j != want {
		return fmt.Errorf("the second worker got %+v, want %+v", j, want)
	}
	r.What = fmt.Sprintf("worker %d was killed with a message in hand; worker %d got it, attempt 2", first.pid(), second.pid())
	r.Figure = short(time.Since(died)) + " later"
	return nil
}

// playWorker takes a message from the queue args[0] on lease and keeps it
// until the end.
func playWorker(s *stage) error {
	q, err := queue.Open(s.args[0], nil)
	if err != nil {
		return err
	}
	defer q.Close()
	l, err := q.Lease(s.ctx)
	if err != nil {
		return err
	}
	if err := s.report(job{string(l.Bytes()), l.Attempts()}); err != nil {
		return err
	}
	<-s.ctx.Done()
	return l.Ack()
}
