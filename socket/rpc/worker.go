package rpc

// The reader of a session queues calls of methods that are not known to be
// quick (inline.go), and workers run them:
//
//	reader ──push──▶ queue ──pop──▶ worker: handler, reply, next
//	                   └──────pop──▶ worker …
//
// A worker that takes a call and leaves others behind starts another one
// first. So a call never waits for a handler: while the queue is not empty, a
// goroutine that will take from it is on its way (coming). While handlers
// are quick, one worker has emptied the queue before the next gets a CPU, and
// calls cost no goroutine each. A worker ends when there is nothing left.

// work runs calls until there are none.
func (x *session) work() {
	x.mu.Lock()
	x.coming = false
	for {
		call := x.queue.pop()
		if call == nil {
			break
		}
		start := x.wantWorker()
		x.mu.Unlock()
		if start {
			go x.work()
		}
		call.run()
		x.mu.Lock()
	}
	x.mu.Unlock()
}

// wantWorker reports whether the caller must start a worker. Precondition: mu
// is held.
func (x *session) wantWorker() bool {
	if x.coming || x.queue.empty() {
		return false
	}
	x.coming = true
	return true
}

// calls is a queue of calls.
type calls struct {
	list []*Call
	next int // the first in list that was not popped
}

func (q *calls) empty() bool { return q.next == len(q.list) }

func (q *calls) push(c *Call) {
	if q.next > 0 && len(q.list) == cap(q.list) { // make use of what pop left
		n := copy(q.list, q.list[q.next:])
		clear(q.list[n:])
		q.list, q.next = q.list[:n], 0
	}
	q.list = append(q.list, c)
}

func (q *calls) pop() *Call {
	if q.empty() {
		return nil
	}
	c := q.list[q.next]
	q.list[q.next] = nil
	q.next++
	if q.empty() {
		q.list, q.next = q.list[:0], 0
	}
	return c
}
