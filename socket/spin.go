package socket

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/ipcctl/ipc/socket/internal/cpu"
)

// A spinner polls before a wait, for a time that it learns: what polling has
// brought lately. It starts with all of its budget; each failure halves it,
// each success restores it. When nothing is left it polls only every
// spinRetry-th time, to notice that the peer has become quick, and not even
// then while waits are so long that it has not.
//
// That retry begins with twice the budget. Once both sides sleep, each finds the
// other a wake-up away, tens of microseconds, and only one that waits through
// the other's wake-up is awake itself when the answer comes. It goes on with
// all that a new spinner would try, so that the retries of both sides meet.
//
// Now and then it offers the CPU to other processes, and after each look where
// somebody has taken it: the kernel likes to put a process beside the one that
// woke it, and there the peer waits for our CPU. It leaves the scheduler of this
// process alone. A call of Gosched with nothing else to run wakes another thread
// to look for work, which then competes with the peer for its CPU: that costs
// several times what the spin saves.
//
// So that one who always finds what it polls for does not keep the connections
// of the other goroutines waiting, it does call Gosched once in a spinSlice
// while another connection of this process has polled or slept lately.
type spinner struct {
	c *Conn

	shift   uint8 // the budget is divided by 1<<shift
	vain    uint8 // polls in a row that found nothing, up to restVain
	skipped uint8
	shares  bool // the CPU, with the peer or somebody else

	asleep time.Duration // since when; zero is not
	slept  time.Duration // how long the last wait in the kernel took; zero after a poll that found something

	backoff cpu.Backoff // from a CPU that others want

	found  uint8         // polls in a row that have found something, up to bellsAfter
	shared time.Duration // when other goroutines could last run
}

const (
	spinMaxShift = 4
	spinRetry    = 32
	spinPerCheck = 8 // polls between two looks at the clock

	// spinShares is how long a yield takes at least if somebody else has run.
	spinShares = 2 * time.Microsecond

	// While a long message is on its way, both sides poll in any case, unless
	// the connection's Spin forbids it: each is copying what the other needs
	// next. The kernel holds a fraction of such a message, so without that
	// they would take turns in waking each other.
	longMessage = 16 << 10
	spinLong    = 50 * time.Microsecond

	// spinRest is for how long they poll in the middle of one. It is longer than
	// a wake-up takes on both sides, so that a wait that had to sleep does not
	// make the next one of the other side sleep too, and so on. After restVain
	// polls in a row for nothing it is the peer, and not a wake-up, that is slow.
	spinRest = 200 * time.Microsecond
	restVain = 8

	// spinSlice is for how long a spinner keeps others from its processor.
	spinSlice = 200 * time.Microsecond

	// spinCrowd is the most for which one of several connections polls: the
	// messages of the others come meanwhile.
	spinCrowd = 50 * time.Microsecond

	// spinLately is how long another connection counts after it was seen. The
	// runtime looks for what has come every 10 ms at least.
	spinLately = 20 * time.Millisecond

	// spinReach is how many times the limit a wait may take, wake-ups on both
	// sides included, for a retry to be worth it.
	spinReach = 16
)

// poll calls ready until it returns true or the budget is used up.
func (s *spinner) poll(budget time.Duration, ready func() bool) bool {
	now, crowd := s.share(cpu.Clock())
	if crowd {
		budget = min(budget, spinCrowd)
	}
	lost := false
	for end := now + budget; ; {
		for range spinPerCheck {
			if ready() {
				if lost || now >= end { // as others had the CPU: to sleep would have been as quick
					s.miss()
					return true
				}
				s.backoff.Kept()
				s.shift, s.vain, s.slept = 0, 0, 0
				if !crowd { // among many, the runtime's poller serves several at once
					s.found = min(s.found+1, bellsAfter)
				}
				return true
			}
			if s.shares {
				break
			}
		}
		if lost || now >= end { // the looks above came after the last yield
			break
		}
		before, last := cpu.Clock(), now
		cpu.Yield()
		now = cpu.Clock()
		s.shares = now-before > spinShares
		lost = s.backoff.Lost(last, now)
	}
	s.miss()
	return false
}

// miss notes a poll that did not pay.
func (s *spinner) miss() {
	if s.shift <= spinMaxShift {
		s.shift++
	}
	s.vain = min(s.vain+1, restVain)
	s.found = 0
}

// budget returns for how long to poll now; zero is not at all.
func (s *spinner) budget(limit time.Duration) time.Duration {
	if s.backoff.Active() {
		return 0
	}
	if s.shift <= spinMaxShift {
		return limit >> s.shift
	}
	if s.skipped++; s.skipped < spinRetry {
		return 0
	}
	s.skipped = 0
	if !s.hopes(limit) {
		return 0
	}
	s.shift = 0
	return 2 * limit
}

// rest returns for how long to poll now, with something long half-way: spinRest,
// though polling may have failed a few times, unless the last wait took longer than
// the wake-ups on both sides: then the peer was not at work.
func (s *spinner) rest() time.Duration {
	if !s.backoff.Active() && s.slept < 2*spinRest && s.vain < restVain {
		return spinRest
	}
	return s.budget(spinLong)
}

// hopes reports whether polling pays, or would if both sides did it.
func (s *spinner) hopes(limit time.Duration) bool {
	return s.shift <= spinMaxShift || s.slept < spinReach*limit
}

// sleeps and woken enclose a wait in the kernel.
func (s *spinner) sleeps() { s.asleep = cpu.Clock() }

func (s *spinner) woken() {
	if s.asleep != 0 {
		now := cpu.Clock()
		s.slept = now - s.asleep
		s.shared = now
		s.asleep = 0
	}
}

// lately tells whether more than one connection of this process waits for its
// peer: the processors that spinners take are those of the whole process.
var lately struct {
	conn  atomic.Pointer[Conn] // the last that polled
	other atomic.Int64         // when that was another than before, in ns by cpu.Clock
}

// share lets other goroutines run, if they may have to and it is time. It
// returns the time, and whether other connections poll or sleep too.
func (s *spinner) share(now time.Duration) (time.Duration, bool) {
	if lately.conn.Load() != s.c {
		lately.conn.Store(s.c)
		lately.other.Store(int64(now))
	}
	crowd := now-time.Duration(lately.other.Load()) <= spinLately
	if crowd && now-s.shared >= spinSlice {
		runtime.Gosched()
		now = cpu.Clock()
		s.shared = now
	}
	return now, crowd
}
