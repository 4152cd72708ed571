package queue

import (
	"fmt"
	"io"
	"slices"
)

// A ledger says where each message went, and checks that against what the
// queue promises.
type ledger struct {
	s      *scenario
	queued []string // waiting when the victim began, oldest first
	held   []string // on lease by the victim when it began

	second *scenario // what another victim did later, nil if there was none

	lived bool    // the victim came to the end of its operation
	out   outcome // if it lived
	acked bool    // held[0] was acknowledged, whether or not it lived
	idle  bool    // the victim's last record was idle when it died

	got    []delivery // in this order, to survivors
	extra  []string   // put by survivors while the victim was stopped or dead
	buried []string   // in the dead-letter queue

	faults []string
}

// delivery is a message that a survivor got; attempts is 0 if by Get.
type delivery struct {
	msg      string
	attempts int
	again    bool // Lease.Redelivered
}

func newLedger(s *scenario, level int) *ledger {
	return &ledger{s: s, queued: s.messages(1, level), held: s.heldMessages()}
}

func (l *ledger) fault(format string, args ...any) {
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
}

// take removes one message for good. It returns false if there is none.
func (l *ledger) take(q *Queue, byLease bool) bool {
	if !byLease {
		m, err := q.TryGet()
		if err == nil {
			l.got = append(l.got, delivery{msg: string(m)})
		} else if err != ErrEmpty && err != io.EOF {
			l.fault("a survivor's Get: %v", err)
		}
		return err == nil
	}
	m, err := q.TryLease()
	if err != nil {
		if err != ErrEmpty && err != io.EOF {
			l.fault("a survivor's Lease: %v", err)
		}
		return false
	}
	l.got = append(l.got, delivery{string(m.Bytes()), m.Attempts(), m.Redelivered()})
	if err := m.Ack(); err != nil {
		l.fault("a survivor's Ack: %v", err)
	}
	return true
}

// work is what survivors do while the victim is stopped or dead and nobody has
// cleaned up: each round must get a message in or out.
func (l *ledger) work(q *Queue, rounds int, byLease bool) {
	for range rounds {
		x := fmt.Sprintf("x%d", len(l.extra))
		err := q.TryPut([]byte(x))
		switch {
		case err == nil:
			l.extra = append(l.extra, x)
		case err != ErrFull && !closedWrite(q):
			l.fault("a survivor's Put: %v", err)
		}
		if !l.take(q, byLease) && err == ErrFull {
			l.fault("the queue is full and empty at once")
		}
	}
}

func closedWrite(q *Queue) bool { return q.r.word32(offState+stateFlags).Load()&closedBit != 0 }

// drain takes everything that is there or comes back.
func (l *ledger) drain(q *Queue, byLease bool) {
	for again := true; again; {
		again = false
		for l.take(q, byLease) {
			again = true
		}
		if err := q.reapDead(); err != nil {
			l.fault("reap: %v", err)
			return
		}
		again = again || q.Len() > 0
		if len(l.got) > 1000 {
			l.fault("messages without end")
			return
		}
	}
}

// end closes the queue for writing and expects that nothing can come any more.
func (l *ledger) end(q *Queue) {
	if err := q.CloseWrite(); err != nil {
		l.fault("CloseWrite: %v", err)
	}
	if _, err := q.TryGet(); err != io.EOF {
		l.fault("a closed and drained queue: %v, want EOF", err)
	}
	st := q.Stats()
	if st.Len != 0 || st.Entries != 0 || st.Leased != 0 || st.ChunksUsed != 0 {
		l.fault("statistics of a drained queue: %d messages, %d entries, %d leased, %d chunks", st.Len, st.Entries, st.Leased, st.ChunksUsed)
	}
	if st.Gets > st.Puts || st.Puts > 1<<(posBits+1) { // below zero, they would be huge
		l.fault("statistics: %d puts, %d gets", st.Puts, st.Gets)
	}
	l.check(int(st.Lost), int(st.LostAtMost))
}

// check compares with what the documentation of the package promises.
func (l *ledger) check(lost, lostAtMost int) {
	count := map[string]int{}
	for _, m := range slices.Concat(l.queued, l.held, l.s.puts, l.extra) {
		count[m] = 0
	}
	seen := func(m, by string) {
		if _, ok := count[m]; !ok {
			l.fault("%s got what nobody put: %.40q", by, m)
		}
		count[m]++
	}
	if l.second != nil {
		for _, m := range l.second.puts {
			count[m] = 0
		}
	}
	for _, d := range l.got {
		seen(d.msg, "a survivor")
	}
	for _, m := range l.out.got {
		seen(m, "the victim")
	}
	// A death between the two queues leaves a dead letter in both, never in none.
	for _, m := range l.buried {
		if count[m]++; count[m] == 2 {
			count[m] = 1
		}
	}
	for m, n := range count {
		if n > 1 {
			l.fault("%.20q was delivered %d times", m, n)
		}
	}
	if l.second != nil {
		l.checkTwo(count, lost)
		return
	}
	missing := func(msgs []string) (n int) {
		for _, m := range msgs {
			if count[m] == 0 {
				n++
			}
		}
		return n
	}
	// prefix reports whether the first n of msgs, and no others, are missing.
	prefix := func(msgs []string, n int) bool { return missing(msgs[:n]) == n && missing(msgs[n:]) == 0 }

	if n := missing(l.extra); n > 0 {
		l.fault("%d messages of survivors are lost", n)
	}
	gone := missing(l.queued)
	switch {
	case !prefix(l.queued, gone):
		l.fault("other than the oldest messages are lost: %v", count)
	case l.lived && gone > 0, gone > l.s.takes:
		l.fault("%d messages are lost", gone)
	case l.lived && lost+lostAtMost > 0:
		l.fault("counted %d and %d messages as lost, but nobody died with one", lost, lostAtMost)
	case l.s.takes == 1 && !l.idle && lost+lostAtMost < gone:
		l.fault("counted %d lost messages, %d are", lost, gone)
	case lost > gone:
		l.fault("counted %d lost messages, %d are", lost, gone)
	}
	gone = missing(l.held)
	if l.acked && gone != 1 || !l.acked && gone != 0 || !prefix(l.held, gone) {
		l.fault("acknowledged: %v, but %d leased messages are gone: %v", l.acked, gone, count)
	}
	if l.s.maxAttempts == 1 && !slices.Contains(l.buried, l.held[0]) {
		l.fault("%.20q was delivered once, which is enough, and is not in the dead-letter queue", l.held[0])
	}
	in := len(l.s.puts) - missing(l.s.puts)
	switch {
	case missing(l.s.puts[:in]) > 0:
		l.fault("a batch was put with a gap: %v", count)
	case l.lived && in != l.out.put:
		l.fault("the victim put %d messages, %d came", l.out.put, in)
	case l.s.packed && in != 0 && in != len(l.s.puts):
		l.fault("%d of %d messages packed together came", in, len(l.s.puts))
	}
	l.checkOrder()
}

// checkTwo is for two victims: either may have died with a message in hand,
// also with one that the other put.
func (l *ledger) checkTwo(count map[string]int, lost int) {
	gone := 0
	for _, m := range slices.Concat(l.queued, l.held, l.extra) {
		if count[m] == 0 {
			gone++
		}
	}
	hands := l.s.takes + l.second.takes
	if l.acked {
		hands++
	}
	inDoubt := 0
	for _, m := range slices.Concat(l.s.puts, l.second.puts) {
		if count[m] == 0 {
			inDoubt++
		}
	}
	switch {
	case gone > hands:
		l.fault("%d messages are lost, but at most %d were in hand: %v", gone, hands, count)
	case lost > gone+inDoubt:
		l.fault("counted %d lost messages, %d are", lost, gone)
	}
	l.checkOrder()
}

// checkOrder: messages come in the order of their puts, but for those that
// came back from a lease and say so.
func (l *ledger) checkOrder() {
	const behind = 1 << 20
	rank := map[string]int{}
	returned := map[string]bool{}
	for i, m := range l.held {
		rank[m] = i - behind
		returned[m] = true
	}
	for i, m := range l.queued {
		rank[m] = i
	}
	if l.s.leases {
		mine := l.s.entry(1) // what it leased is what was oldest, unless others were faster
		if l.lived {
			mine = []string{l.out.leased}
			for i := range crashCapacity {
				if e := l.s.entry(1 + i); slices.Contains(e, l.out.leased) {
					mine = e
				}
			}
		}
		for _, m := range mine {
			returned[m] = true
		}
	}
	for i, m := range l.s.puts {
		rank[m] = behind + i
	}
	if l.second != nil {
		for i, m := range l.second.puts {
			rank[m] = behind + len(l.s.puts) + i
		}
		if l.second.leases {
			for m := range rank {
				returned[m] = true
			}
		}
	}
	for i, m := range l.extra {
		rank[m] = 2*behind + i
	}
	last, lastPut := -2*behind, 0
	for _, d := range l.got {
		if d.again {
			if !returned[d.msg] {
				l.fault("%.20q is flagged as given back: %v", d.msg, l.order())
			}
			continue
		}
		if d.attempts == 0 && returned[d.msg] {
			continue // Get does not tell
		}
		r := rank[d.msg]
		if l.lived && r >= behind && r < 2*behind { // put at any time while survivors put
			if r < lastPut {
				l.fault("%.20q came too late", d.msg)
			}
			lastPut = r
			continue
		}
		if r < last {
			l.fault("%.20q came too late and is not flagged as given back: %v", d.msg, l.order())
		}
		last = r
	}
	for i, m := range l.out.got {
		if i > 0 && rank[m] < rank[l.out.got[i-1]] {
			l.fault("the victim got %.20q too late", m)
		}
	}
	// The first message that was held was delivered once, so it says 2 now.
	for _, d := range l.got {
		if l.second != nil && l.second.leases {
			break // or 3
		}
		if len(l.held) > 0 && d.msg == l.held[0] && d.attempts != 0 && d.attempts != 2 {
			l.fault("%.20q came back with %d attempts, want 2", d.msg, d.attempts)
		}
	}
}

func (l *ledger) order() (s []string) {
	for _, d := range l.got {
		s = append(s, fmt.Sprintf("%.6s/%d/%v", d.msg, d.attempts, d.again))
	}
	return s
}
