package queue

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// The crash tests put a victim into a queue in a known state, let it begin one
// operation, and kill or stop it before the n-th shared-memory step of that
// operation, for every n. A scenario is that operation and what it may do:
//
//	fresh queue ──arrange──▶ [held by the victim] + level entries ──act──▶ dies at step n
//
// All messages are distinct, so where each of them ends tells what happened.
type scenario struct {
	name string
	// entry is what one PutBatch puts as entry i when the queue is filled.
	entry func(i int) []string
	// holds: the victim has entry 0 on lease before it acts.
	holds  bool
	levels []int // entries waiting when it acts; nil: fillLevels
	// maxAttempts sends what is given back to the dead-letter queue.
	maxAttempts int
	sealed      bool
	// spare: the victim has leased and reserved before, and kept the lane for the next time.
	spare bool
	// waits: act blocks until another process makes room, or puts.
	waits bool
	// packed: act's puts share an entry, so they are there all or none.
	packed bool

	puts    []string // messages that act puts, in order
	takes   int      // messages that act may remove at most
	leases  bool     // act leases, so what it took comes back
	acks    bool     // act acknowledges the first message held
	returns bool     // act gives back what is held
	act     func(v *victim) outcome
}

// victim is the process that dies, or is stopped.
type victim struct {
	q    *Queue
	held *Lease
	s    *scenario
}

// outcome is what an operation told its caller, if it lived that long.
type outcome struct {
	got    []string // delivered
	put    int      // how many of scenario.puts were accepted
	acked  bool
	leased string // and still on lease
	err    error
}

const (
	crashCapacity = 3
	crashLanes    = 8
)

// longest is the length of a message of two chunks, or of one under the race
// detector, which sees every byte.
var longest = map[bool]int{false: 5000, true: 800}[underRace]

func (s *scenario) options() *Options {
	return &Options{
		Capacity: crashCapacity, Lanes: crashLanes, MaxAttempts: s.maxAttempts,
		MaxMessage: 5000, EntrySize: 128, Memory: 52 << 10,
	}
}

// label makes the distinct message name of about n bytes.
func label(name string, n int) string {
	return name + strings.Repeat("."+name, max(0, n-len(name))/(len(name)+1))
}

func single(i int) []string { return []string{label(fmt.Sprintf("e%d", i), 40)} }
func packed3(i int) []string {
	return []string{fmt.Sprintf("e%d.0", i), fmt.Sprintf("e%d.1", i), fmt.Sprintf("e%d.2", i)}
}
func long(i int) []string { return []string{label(fmt.Sprintf("e%d", i), longest-100)} }

// fillLevels are the numbers of entries in the queue when a victim acts.
var fillLevels = []int{0, 1, crashCapacity - 1, crashCapacity}

// hasty is a context that ends once somebody has asked whether it has: an
// operation tries, and gives up instead of waiting.
type hasty struct {
	context.Context
	cancel context.CancelFunc
}

func newHasty() hasty {
	ctx, cancel := context.WithCancel(context.Background())
	return hasty{ctx, cancel}
}

func (h hasty) Err() error {
	defer h.cancel()
	return h.Context.Err()
}

func put(v *victim) outcome {
	err := v.q.TryPut([]byte(v.s.puts[0]))
	if err != nil {
		return outcome{err: err}
	}
	return outcome{put: 1}
}

func putBatch(v *victim) outcome {
	msgs := make([][]byte, len(v.s.puts))
	for i, m := range v.s.puts {
		msgs[i] = []byte(m)
	}
	n, err := v.q.PutBatch(newHasty(), msgs)
	return outcome{put: n, err: err}
}

func reserve(v *victim) outcome {
	r, err := v.q.Reserve(context.Background(), len(v.s.puts[0]))
	if err != nil {
		return outcome{err: err}
	}
	defer r.Abort()
	copy(r.Bytes(), v.s.puts[0])
	if err := r.Commit(newHasty()); err != nil {
		return outcome{err: err}
	}
	return outcome{put: 1}
}

func get(v *victim) outcome {
	m, err := v.q.TryGet()
	if err != nil {
		return outcome{err: err}
	}
	return outcome{got: []string{string(m)}}
}

func getBatch(max int) func(v *victim) outcome {
	return func(v *victim) outcome {
		msgs, err := v.q.GetBatch(newHasty(), max)
		o := outcome{err: err}
		for _, m := range msgs {
			o.got = append(o.got, string(m))
		}
		return o
	}
}

func lease(v *victim) outcome {
	m, err := v.q.TryLease()
	if err != nil {
		return outcome{err: err}
	}
	v.held = m
	return outcome{leased: string(m.Bytes())}
}

func ack(v *victim) outcome {
	if err := v.held.Ack(); err != nil {
		return outcome{err: err}
	}
	return outcome{acked: true}
}

func nack(v *victim) outcome     { return outcome{err: v.held.Nack()} }
func closeIt(v *victim) outcome  { return outcome{err: v.q.Close()} }
func closePut(v *victim) outcome { return outcome{err: v.q.CloseWrite()} }

// ackClose closes with the rest of a packed entry kept.
func ackClose(v *victim) outcome {
	o := ack(v)
	v.q.Close()
	return o
}

// drain meets the end of a queue that is closed for writing, and seals it.
func drainOut(v *victim) outcome {
	var o outcome
	for {
		m, err := v.q.TryGet()
		if err != nil {
			if err != io.EOF {
				o.err = err
			}
			return o
		}
		o.got = append(o.got, string(m))
	}
}

// join joins one more lane, as Open does.
func join(v *victim) outcome {
	l, err := v.q.join()
	if err != nil {
		return outcome{err: err}
	}
	v.q.mu.Lock()
	defer v.q.mu.Unlock()
	v.q.joined(l)
	v.q.pool.idle = append(v.q.pool.idle, l)
	return outcome{}
}

// waitPut puts to a full queue, where another process makes room.
func waitPut(v *victim) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := v.q.Put(ctx, []byte(v.s.puts[0])); err != nil {
		return outcome{err: err}
	}
	return outcome{put: 1}
}

// waitGet gets from an empty queue, where another process puts.
func waitGet(v *victim) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	m, err := v.q.Get(ctx)
	if err != nil {
		return outcome{err: err}
	}
	return outcome{got: []string{string(m)}}
}

var (
	small = []string{label("p0", 50)}
	large = []string{label("p0", longest)}
	mixed = []string{"p0", "p1", label("p2", longest-500), "p3", label("p4", 100), label("p5", 100)}
)

var scenarios = []*scenario{
	{name: "Put", entry: single, puts: small, act: put},
	{name: "Put large", entry: long, puts: large, act: put},
	{name: "PutBatch", entry: packed3, puts: []string{"p0", "p1", "p2", "p3"}, packed: true, act: putBatch},
	{name: "PutBatch of all kinds", entry: single, puts: mixed, act: putBatch},
	{name: "Reserve", entry: single, puts: small, act: reserve},
	{name: "Reserve again", entry: single, spare: true, puts: small, act: reserve},
	{name: "Put that waits", entry: single, levels: []int{crashCapacity}, waits: true, puts: small, act: waitPut},
	{name: "Get", entry: single, takes: 1, act: get},
	{name: "Get that waits", entry: single, levels: []int{0}, waits: true, takes: 1, act: waitGet},
	{name: "Get packed", entry: packed3, takes: 1, act: get},
	{name: "Get large", entry: long, takes: 1, act: get},
	{name: "GetBatch", entry: single, takes: 2, act: getBatch(2)},
	{name: "GetBatch packed", entry: packed3, takes: 2, act: getBatch(2)},
	{name: "GetBatch over packed", entry: packed3, takes: 5, act: getBatch(5)},
	{name: "GetBatch large", entry: long, takes: 2, act: getBatch(2)},
	{name: "Lease", entry: single, leases: true, act: lease},
	{name: "Lease again", entry: single, spare: true, leases: true, act: lease},
	{name: "Lease packed", entry: packed3, leases: true, act: lease},
	{name: "Lease large", entry: long, leases: true, act: lease},
	{name: "Ack", entry: single, holds: true, acks: true, act: ack},
	{name: "Ack packed", entry: packed3, holds: true, acks: true, act: ack},
	{name: "Ack large", entry: long, holds: true, acks: true, act: ack},
	{name: "Nack", entry: single, holds: true, returns: true, act: nack},
	{name: "Nack packed", entry: packed3, holds: true, returns: true, act: nack},
	{name: "Nack large", entry: long, holds: true, returns: true, act: nack},
	{name: "Nack to the dead", entry: single, holds: true, returns: true, maxAttempts: 1, act: nack},
	{name: "Nack packed to the dead", entry: packed3, holds: true, returns: true, maxAttempts: 1, act: nack},
	{name: "Nack large to the dead", entry: long, holds: true, returns: true, maxAttempts: 1, act: nack},
	{name: "join", entry: single, act: join},
	{name: "Close", entry: single, act: closeIt},
	{name: "Close with a lease", entry: single, holds: true, act: closeIt},
	{name: "Close with a packed rest", entry: packed3, holds: true, acks: true, returns: true, act: ackClose},
	{name: "CloseWrite", entry: single, act: closePut},
	{name: "Get to the end", entry: single, sealed: true, takes: crashCapacity, act: drainOut},
}

// messages returns the messages of n entries.
func (s *scenario) messages(from, n int) []string {
	var all []string
	for i := range n {
		all = append(all, s.entry(from+i)...)
	}
	return all
}

// arrange brings the queue to where act begins.
func (s *scenario) arrange(q *Queue, level int) (*victim, error) {
	v := &victim{q: q, s: s}
	fill := func(i int) error {
		var msgs [][]byte
		for _, m := range s.entry(i) {
			msgs = append(msgs, []byte(m))
		}
		n, err := q.PutBatch(newHasty(), msgs)
		if err == nil && n != len(msgs) {
			err = fmt.Errorf("entry %d: %d of %d messages put", i, n, len(msgs))
		}
		return err
	}
	if s.holds {
		if err := fill(0); err != nil {
			return nil, err
		}
		m, err := q.TryLease()
		if err != nil {
			return nil, err
		}
		v.held = m
	}
	for i := range level {
		if err := fill(1 + i); err != nil {
			return nil, err
		}
	}
	if s.spare {
		l, err := q.leaseLaneNow()
		if err != nil {
			return nil, err
		}
		l.puts, l.tail = 1, q.fast.tail
		q.release(l)
	}
	if s.sealed {
		if err := q.CloseWrite(); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// heldMessages returns what the victim has on lease when it acts.
func (s *scenario) heldMessages() []string {
	if s.holds {
		return s.entry(0)
	}
	return nil
}
