package model

import (
	"fmt"
	"hash/maphash"
	"strings"
)

// machine runs one configuration, perhaps with a fault.
type machine struct {
	config
	mutant   mutant
	failure  string // the first violation
	accesses int    // made so far
	sawEOF   bool
}

func newMachine(c config, f mutant) *machine {
	c.prepare()
	return &machine{config: c, mutant: f}
}

// report is what a search found.
type report struct {
	states    int
	soloMost  int    // accesses that an operation needed alone, at most
	violation string // with its trace; empty if there is none
}

// fingerprints is a set of 64-bit hashes. With n states the chance that two
// share one, so that one is not visited, is about n²/2⁶⁵: 1 in 37,000 for 30
// million.
type fingerprints struct {
	slots []uint64
	n     int
}

func (f *fingerprints) add(h uint64) bool {
	if h == 0 {
		h = 1
	}
	if f.n*2 >= len(f.slots) {
		old := f.slots
		f.slots = make([]uint64, max(1<<12, 2*len(old)))
		for _, h := range old {
			if h != 0 {
				f.slots[f.find(h)] = h
			}
		}
	}
	i := f.find(h)
	if f.slots[i] == h {
		return false
	}
	f.slots[i] = h
	f.n++
	return true
}

func (f *fingerprints) find(h uint64) int {
	mask := len(f.slots) - 1
	i := int(h) & mask
	for f.slots[i] != 0 && f.slots[i] != h {
		i = (i + 1) & mask
	}
	return i
}

// crashed marks a move that kills the process.
const crashed = 0x80

// node is a state in the search and its place in the order of discovery.
type node struct {
	s  state
	id uint32
}

// search visits the reachable states breadth first, so that a trace is as
// short as it can be. Alone is how many states apart it runs each process alone,
// and the clean-up after all; 1 is every state.
func search(m *machine, alone uint64) report {
	var (
		r        report
		seen     fingerprints
		seed     = maphash.MakeSeed()
		parent   = []uint32{0}
		move     = []uint8{0}
		level    = []node{{s: m.initial()}}
		next     []node
		cleaning = newCleaner(m)
	)
	seen.add(maphash.Comparable(seed, level[0].s))
	violation := func(n *node, last ...uint8) report {
		var moves []uint8
		for id := n.id; id != 0; id = parent[id] {
			moves = append([]uint8{move[id]}, moves...)
		}
		r.states = len(parent)
		r.violation = trace(m, append(moves, last...))
		return r
	}
	for len(level) > 0 {
		for i := range level {
			n := &level[i]
			final := true
			for p := range m.procs {
				for _, kill := range [2]uint8{0, crashed} {
					s := n.s
					if kill == 0 {
						if !m.enabled(&s, p) {
							continue
						}
						final = false
						m.step(&s, p)
						m.checkBlocks(&s)
					} else {
						if s.crashes == 0 || s.proc[p].mode == dead || s.proc[p].mode == done && !s.proc[p].has {
							continue
						}
						s.crashes--
						m.crash(&s, p)
					}
					if m.failure != "" {
						return violation(n, uint8(p)|kill)
					}
					h := maphash.Comparable(seed, s)
					if !seen.add(h) {
						continue
					}
					next = append(next, node{s, uint32(len(parent))})
					parent = append(parent, n.id)
					move = append(move, uint8(p)|kill)
				}
			}
			if final {
				m.checkAwake(&n.s)
				if m.failure == "" {
					m.failure = cleaning.checkEnd(&n.s)
				}
			}
			if m.failure == "" && uint64(n.id)%alone == 0 {
				r.soloMost = max(r.soloMost, m.checkAlone(&n.s))
				if m.failure == "" {
					m.failure = cleaning.check(&n.s)
				}
			}
			if m.failure != "" {
				return violation(n)
			}
		}
		level, next = next, level[:0]
	}
	r.states = len(parent)
	return r
}

// soloBound is how many accesses an operation may need alone, from any state.
const soloBound = 40

// checkAlone runs each process alone to the end of its operation.
func (m *machine) checkAlone(n *state) int {
	most := 0
	for p := range m.procs {
		s := *n
		before := m.accesses
		for m.enabled(&s, p) && s.proc[p].sc == n.proc[p].sc && m.failure == "" {
			m.step(&s, p)
			if m.accesses-before > soloBound {
				m.fail("process %d alone does not finish within %d accesses", p, soloBound)
			}
		}
		if m.failure != "" {
			m.failure = fmt.Sprintf("then process %d runs alone: %s", p, m.failure)
			return most
		}
		most = max(most, m.accesses-before)
	}
	return most
}

// cleaner brings a queue to rest after all that happened in a state, with a
// reaper and a consumer that has a lane of its own.
type cleaner struct {
	machine
	workers int
}

const (
	cleanReaper = iota
	cleanConsumer
	cleaners
)

func newCleaner(m *machine) *cleaner {
	c := &cleaner{machine: *m, workers: len(m.procs)}
	c.lanes++
	c.blocks++
	c.sleep = false
	c.procs = make([][]do, cleaners)
	return c
}

// check kills everybody in n, and looks at what became of everything. It
// returns the first violation.
func (c *cleaner) check(n *state) string {
	s := *n
	for p := range c.workers {
		c.crash(&s, p)
	}
	c.clean(&s)
	if c.failure == "" {
		c.checkClean(&s)
	}
	return c.result("then everybody is killed")
}

// checkEnd is for a state in which nobody has anything left to do; whoever is
// alive stays so. If the queue is closed, a consumer must learn that it ended.
func (c *cleaner) checkEnd(n *state) string {
	if !n.closed {
		return ""
	}
	for p := range c.workers {
		if n.proc[p].leased {
			return "" // that message may come back
		}
	}
	s := *n
	c.clean(&s)
	c.run(&s, cleanConsumer, Get)
	if c.failure == "" && !c.sawEOF {
		c.fail("no end of file from a queue that is closed and empty, and nothing is leased")
	}
	return c.result("all have finished")
}

func (c *cleaner) result(when string) string {
	f := c.failure
	c.failure = ""
	if f != "" {
		f = when + ", the dead are reaped and the rest is got: " + f
	}
	return f
}

// clean reaps the dead and gets all messages.
func (c *cleaner) clean(s *state) {
	s.proc[cleanReaper] = proc{}
	c.openLane(s, c.lanes-1, cleanConsumer)
	for range c.lanes + 1 { // a lane may have to wait for room
		for range c.lanes {
			if c.freeLane(s, Reap) >= 0 {
				c.run(s, cleanReaper, Reap)
			}
		}
		for n := 0; s.gtail != s.ghead && n <= 2*maxPack*c.cap; n++ {
			c.run(s, cleanConsumer, Get)
		}
	}
}

// run lets process p do op alone.
func (c *cleaner) run(s *state, p int, op opcode) {
	c.procs[p] = []do{{op: op}, {op: Reap}} // the second keeps the process
	c.sawEOF = false
	s.proc[p].sc = 0
	c.begin(s, p)
	for n := 0; s.proc[p].sc == 0 && c.failure == ""; n++ {
		if n > 2*soloBound || !c.enabled(s, p) {
			c.fail("the clean-up does not end")
			return
		}
		c.step(s, p)
		c.checkBlocks(s)
	}
}

// trace tells what the moves from the initial state do.
func trace(m *machine, moves []uint8) string {
	var b strings.Builder
	again := newMachine(m.config, m.mutant)
	s := again.initial()
	fmt.Fprintf(&b, "%s; %s: %s\n", m.name, m.mutant, m.failure)
	for p, script := range m.procs {
		fmt.Fprintf(&b, "  process %d: %v\n", p, script)
	}
	for _, mv := range moves {
		p := int(mv &^ crashed)
		if mv&crashed != 0 {
			s.crashes--
			again.crash(&s, p)
			fmt.Fprintf(&b, "  %d killed\n", p)
			continue
		}
		at := s.proc[p].pc
		again.step(&s, p)
		fmt.Fprintf(&b, "  %d %-18v", p, at)
		for i := range m.cap {
			w := s.slot[i]
			fmt.Fprintf(&b, " S%d=%s(lap%d b%d n%d)", i, kindNames[w.kind()], w.lap(), w.block(), w.next())
		}
		for k := range m.lanes {
			l := s.lane[k]
			fmt.Fprintf(&b, " R%d=%s(own%d other%d low%d high%d)", k, opNames[l.rec.op()], l.rec.own(), l.rec.other(), l.rec.low(), l.high)
		}
		fmt.Fprintf(&b, " A=%d\n", s.acquired[:m.blocks])
	}
	return b.String()
}

var kindNames = [...]string{"?", "EMPTY", "ONE", "MANY", "LARGE", "SEALED", "?", "?"}
var opNames = [...]string{"?", "IDLE", "PUT", "TAKE", "LEASE", "REQUEUE", "HOLD", "?"}
