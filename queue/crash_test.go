package queue

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

var crashAll = flag.Bool("crash.all", false, "enumerate every crash point with every variation, also in processes")

// world is a queue on the heap with its dead-letter queue.
type world struct {
	main, dead *heap
	letters    []*Queue // handles on dead
	above      bool     // a victim's lanes are not the first
}

// heapOf is a heap that holds a copy of mem.
func heapOf(mem []byte) *heap {
	raw := make([]byte, len(mem)+lineAlign)
	skip := -uintptr(unsafe.Pointer(&raw[0])) % lineAlign
	h := &heap{mem: raw[skip:][:len(mem)], held: map[int]*heapBacking{}}
	copy(h.mem, mem)
	return h
}

// newWorld makes a queue whose first message gets position start.
func newWorld(t testing.TB, s *scenario, start uint64) *world {
	t.Helper()
	h, err := newHeap(s.options())
	if err != nil {
		t.Fatal(err)
	}
	r, err := checkRing(h.mem)
	if err != nil {
		t.Fatal(err)
	}
	c := uint64(r.capacity)
	for pos := start; pos < start+c; pos++ {
		slot := r.slot(uint32(pos % c))
		slot.Store(uint64(makeSlot(pos/c, kindEmpty, slotWord(slot.Load()).block(), 0)))
	}
	r.word(offHead).Store(start)
	r.word(offTail).Store(start)
	w := &world{main: h}
	if r.dead > 0 {
		g := r.geometry
		g.capacity, g.dead, g.maxAttempts = r.dead, 0, 0
		if err := g.place(); err != nil {
			t.Fatal(err)
		}
		w.dead = heapOf(make([]byte, g.size))
		if err := g.init(w.dead.mem); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// clone copies the memory, as it is at this moment. Of the locks it copies
// those of b alone, which is then the one that never runs again.
func (w *world) clone(b *heapBacking) (*world, *heapBacking) {
	n := &world{main: heapOf(w.main.mem)}
	if w.dead != nil {
		n.dead = heapOf(w.dead.mem)
	}
	stopped := &heapBacking{h: n.main}
	for k, o := range w.main.held {
		if o == b {
			n.main.held[k] = stopped
		}
	}
	return n, stopped
}

// open opens a handle, as another process would.
func (w *world) open(t testing.TB) (*Queue, *heapBacking) {
	t.Helper()
	q, b, err := w.main.open()
	if err != nil {
		t.Fatal(err)
	}
	if w.dead != nil {
		d, _, err := w.dead.open()
		if err != nil {
			t.Fatal(err)
		}
		q.dead.q = d
		w.letters = append(w.letters, d)
	}
	return q, b
}

// buried returns the messages in the dead-letter queue.
func (w *world) buried(t testing.TB) (msgs []string) {
	if w.dead == nil {
		return nil
	}
	q, _, err := w.dead.open()
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for {
		m, err := q.TryGet()
		if err != nil {
			return msgs
		}
		msgs = append(msgs, string(m))
	}
}

// ring returns the ring without a handle.
func (w *world) ring(t testing.TB) *ring {
	r, err := checkRing(w.main.mem)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// death is what a victim left behind.
type death struct {
	*world
	stopped *heapBacking // the victim's locks
	at      step
	ledger  ledger
}

// lanesOf returns which lanes b has locked.
func (w *world) lanesOf(b *heapBacking) (lanes []int) {
	for k, o := range w.main.held {
		if o == b {
			lanes = append(lanes, k)
		}
	}
	return lanes
}

// perform arranges s, lets the victim act, and calls at before the n-th step. It
// returns once the victim is done, or dead by runtime.Goexit in at.
func (w *world) perform(t testing.TB, s *scenario, level, n int, at func(b *heapBacking, l *ledger, here step)) (l *ledger, b *heapBacking) {
	t.Helper()
	l = newLedger(s, level)
	var helper *Queue
	if s.waits || w.above {
		helper, _ = w.open(t)
	}
	q, b := w.open(t)
	if w.above && !s.waits {
		helper.Close()
		helper = nil
	}
	v, err := s.arrange(q, level)
	if err != nil {
		t.Fatal(err)
	}
	var cursor uint64
	if v.held != nil {
		cursor = q.r.laneWord(v.held.l.id, laneCursor).Load()
	}
	if !s.waits { // somebody sleeps on either side, so that waking is a step too
		q.r.arm(offNotEmpty)
		q.r.arm(offNotFull)
	}
	var heldLane *lane
	if v.held != nil {
		heldLane = v.held.l
	}
	look := func() { // what is known of the victim from outside
		if heldLane != nil {
			k := heldLane.id
			op := record(q.r.laneWord(k, laneRecord).Load()).op()
			l.acked = s.acks && (op == opIdle || q.r.laneWord(k, laneCursor).Load() != cursor)
		}
		l.idle = true
		for k, o := range w.main.held {
			if op := record(q.r.laneWord(uint32(k), laneRecord).Load()).op(); o == b && op != opIdle {
				l.idle = false
			}
		}
	}
	count, helped := 0, make(chan struct{})
	q.r.hook = func(here step) {
		if count++; count == n {
			if s.waits {
				<-helped
			}
			look()
			at(b, l, here)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.out = s.act(v)
		l.lived = true
	}()
	if s.waits {
		line := offNotFull
		if level == 0 {
			line = offNotEmpty
		}
		for q.r.word32(line+waitArmed).Load() == 0 {
			runtime.Gosched()
		}
		if level == 0 {
			l.queued = []string{"x"}
			helper.TryPut([]byte("x"))
		} else {
			var first ledger
			first.take(helper, false)
			defer func() { l.got = append(first.got, l.got...) }()
		}
		close(helped)
	}
	<-done
	if helper != nil {
		helper.Close()
	}
	q.r.hook = nil
	if l.lived {
		look()
		l.acked = l.acked && l.out.acked
	}
	return l, b
}

// kill performs s until the n-th step and returns what the victim leaves, or nil
// if the operation has fewer steps.
func kill(t testing.TB, s *scenario, level int, start uint64, n int, above bool) *death {
	t.Helper()
	w := newWorld(t, s, start)
	w.above = above
	var d *death
	l, b := w.perform(t, s, level, n, func(b *heapBacking, l *ledger, here step) {
		c, stopped := w.clone(b)
		d = &death{world: c, stopped: stopped, at: here}
		runtime.Goexit()
	})
	defer b.WaitSet.Close()
	for _, q := range w.letters {
		q.Close()
	}
	if d == nil {
		return nil
	}
	if !s.waits && !bytes.Equal(w.main.mem, d.main.mem) {
		t.Fatalf("%s, step %d: the dead victim wrote on", s.name, n)
	}
	d.ledger = *l
	return d
}

// variation is what survivors do about a death.
type variation struct {
	rounds  int  // puts and gets before anybody cleans up
	byLease bool // they take by lease
	byJoin  bool // lanes are cleaned by those who join them, not by the reaper
	reaper  int  // the first reaper dies at this step, 0: it lives
}

func (v variation) String() string {
	return fmt.Sprintf("after %d rounds, lease %v, join %v, reaper dies at %d", v.rounds, v.byLease, v.byJoin, v.reaper)
}

// survive checks one variation and reports whether the reaper came to the step at
// which it was to die.
func (d *death) survive(t testing.TB, v variation) (reaperDied bool) {
	t.Helper()
	w, stopped := d.clone(d.stopped)
	l := d.ledger
	l.got = append([]delivery(nil), l.got...)

	q, _ := w.open(t)
	reaper, reaperLocks := w.open(t)
	lanes := w.lanesOf(stopped)

	// As long as the victim is only stopped, everybody works and nobody touches its lanes.
	before := w.laneBytes(lanes)
	l.work(q, v.rounds, v.byLease)
	if err := q.reapDead(); err != nil {
		l.fault("reap: %v", err)
	}
	if !bytes.Equal(before, w.laneBytes(lanes)) {
		l.fault("the lane of a stopped process was changed")
	}

	// Now it is dead.
	stopped.kill()
	steps := 0
	reaper.r.hook = func(step) {
		if steps++; steps == v.reaper {
			reaperDied = true
			runtime.Goexit()
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if !v.byJoin {
			if err := reaper.reapDead(); err != nil {
				l.fault("reap: %v", err)
			}
			return
		}
		for range lanes {
			if x, err := reaper.join(); err == nil {
				reaper.joined(x)
				reaper.pool.idle = append(reaper.pool.idle, x)
			} else if err != ErrBusy {
				l.fault("join: %v", err)
			}
		}
	}()
	<-done
	reaper.r.hook = nil
	if reaperDied {
		reaperLocks.kill()
		reaperLocks.WaitSet.Close()
	}
	l.drain(q, v.byLease)
	l.buried = w.buried(t)
	l.end(q)
	if !reaperDied {
		reaper.Close()
	}
	w.close(t, q, &l)
	if len(l.faults) > 0 {
		t.Fatalf("at step kind %d, %v:\n\t%s", d.at, v, strings.Join(l.faults, "\n\t"))
	}
	return reaperDied
}

// close closes q, the last survivor, and looks whether all memory is there.
func (w *world) close(t testing.TB, q *Queue, l *ledger) {
	q.Close()
	for _, q := range w.letters {
		q.Close()
	}
	r := w.ring(t)
	if !reapAll(r, nil) {
		l.fault("a lane cannot be reaped")
	}
	l.faults = append(l.faults, audit(r)...)
}

// laneBytes returns the contents of lanes.
func (w *world) laneBytes(lanes []int) (all []byte) {
	for _, k := range lanes {
		all = append(all, w.main.mem[offLanes+k*laneSize:][:laneSize]...)
	}
	return all
}

// starts are the first positions of the queues. The record of a lane holds the low
// 25 bits of a position: the second one makes the operation itself the first
// behind the wrap, where the high bits are a step of their own.
func (s *scenario) starts(level int) []uint64 {
	wrap := uint64(1 << posBits)
	if len(s.puts) > 0 {
		wrap -= uint64(level)
	}
	if s.holds {
		wrap--
	}
	return []uint64{crashCapacity, wrap}
}

func (s *scenario) fills() []int {
	if s.levels != nil {
		return s.levels
	}
	return fillLevels
}

// TestCrash kills a process before every shared-memory step of every operation,
// at every fill level, and its reaper at every step of its own.
func TestCrash(t *testing.T) {
	points, checked := map[step]int{}, 0
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			for _, level := range s.fills() {
				for i, start := range s.starts(level) {
					for n := 1; ; n++ {
						d := kill(t, s, level, start, n, false)
						if d == nil {
							break
						}
						points[d.at]++
						t.Run(fmt.Sprintf("%d waiting from %d step %d", level, start, n), func(t *testing.T) {
							checked += d.everyVariation(t, i == 0)
						})
					}
				}
			}
		})
	}
	if t.Failed() {
		return
	}
	for here := range stepCount {
		if points[here] == 0 && here != stepReap && here != stepLinger {
			t.Errorf("no operation died at step %d", here)
		}
	}
	t.Logf("%d deaths, %d continuations", total(maps.Values(points)), checked)
}

func total(seq func(func(int) bool)) (n int) {
	for x := range seq {
		n += x
	}
	return n
}

// everyVariation returns how many it checked.
func (d *death) everyVariation(t testing.TB, fresh bool) (checked int) {
	rounds := []int{0, 1, 2*crashCapacity + 1}
	reapers := 1 << 10
	switch {
	case testing.Short(), underRace && !*crashAll:
		rounds = []int{0, 2*crashCapacity + 1}
		reapers = 1
	case !fresh && !*crashAll:
		reapers = 1
	}
	for _, r := range rounds {
		for _, byLease := range []bool{false, true} {
			for _, byJoin := range []bool{false, true} {
				d.survive(t, variation{rounds: r, byLease: byLease, byJoin: byJoin})
				checked++
				for n := 1; n < reapers && (byLease == byJoin || *crashAll) && d.survive(t, variation{r, byLease, byJoin, n}); n++ {
					checked++
				}
			}
		}
	}
	return checked
}

// TestStop stops a process before every step of every operation, lets others
// work for up to two laps, and lets it go on: it must end its operation as if
// nothing had been.
func TestStop(t *testing.T) {
	points := 0
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			for _, level := range s.fills() {
				for _, start := range s.starts(level) {
					for _, rounds := range []int{1, 2*crashCapacity + 1} {
						for _, byLease := range []bool{false, true} {
							for n := 1; s.stop(t, level, start, n, rounds, byLease); n++ {
								points++
							}
						}
					}
				}
			}
		})
	}
	t.Logf("%d stops", points)
}

// stop reports whether the operation has an n-th step.
func (s *scenario) stop(t *testing.T, level int, start uint64, n, rounds int, byLease bool) (reached bool) {
	t.Helper()
	w := newWorld(t, s, start)
	var q *Queue
	l, b := w.perform(t, s, level, n, func(b *heapBacking, l *ledger, _ step) {
		reached = true
		q, _ = w.open(t)
		lanes := w.lanesOf(b)
		before := w.laneBytes(lanes)
		l.work(q, rounds, byLease)
		if err := q.reapDead(); err != nil {
			l.fault("reap: %v", err)
		}
		if !bytes.Equal(before, w.laneBytes(lanes)) {
			l.fault("the lane of a stopped process was changed")
		}
	})
	if !reached {
		q, _ = w.open(t)
	}
	// What the victim still holds comes back when it dies.
	b.kill()
	b.WaitSet.Close()
	l.drain(q, byLease)
	l.buried = w.buried(t)
	l.end(q)
	w.close(t, q, l)
	if len(l.faults) > 0 {
		t.Errorf("%d waiting from %d, step %d, %d rounds, lease %v: result %+v:\n\t%s", level, start, n, rounds, byLease, l.out, strings.Join(l.faults, "\n\t"))
	}
	return reached
}
