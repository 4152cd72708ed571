package socket

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket/internal/cpu"
)

func TestSpinnerLearns(t *testing.T) {
	is := is.New(t)
	var s spinner
	const limit = 1600 * time.Nanosecond
	never := func() bool { return false }
	always := func() bool { return true }
	tire := func(budgets ...time.Duration) {
		for _, want := range budgets {
			is.Equal(s.budget(limit), want)
			is.True(!s.poll(want, never))
			s.backoff = cpu.Backoff{} // whoever has had the CPU
		}
	}
	tire(1600, 800, 400, 200, 100)
	for range 3 { // given up, but for a retry that begins with twice the budget
		for range spinRetry - 1 {
			is.Equal(s.budget(limit), time.Duration(0))
		}
		tire(3200, 800, 400, 200, 100)
	}
	is.True(s.poll(limit, always))
	is.Equal(s.budget(limit), limit) // a success restores it

	s.shift = spinMaxShift + 1
	s.slept = spinReach * limit
	for range 3 * spinRetry { // the peer takes its time
		is.Equal(s.budget(limit), time.Duration(0))
	}
}

// In the middle of something long polling goes on when it has failed, but not for ever,
// nor after a wait that shows that the peer is not at work; and again once it has found
// something.
func TestSpinnerRest(t *testing.T) {
	is := is.New(t)
	var s spinner
	never := func() bool { return false }
	for range 3 {
		for range restVain {
			is.Equal(s.rest(), time.Duration(spinRest))
			is.True(!s.poll(0, never))
			s.backoff = cpu.Backoff{}
			s.slept = 2*spinRest - 1 // a wake-up or two
		}
		for range spinRetry - 1 {
			is.Equal(s.rest(), time.Duration(0))
		}
		is.Equal(s.rest(), 2*time.Duration(spinLong)) // one try, as ever
		is.True(s.poll(spinLong, func() bool { return true }))
	}
	is.Equal(s.rest(), time.Duration(spinRest))
	for range spinMaxShift + 1 {
		s.poll(0, never)
	}
	s.backoff = cpu.Backoff{}
	s.slept = 2 * spinRest
	is.Equal(s.rest(), time.Duration(0))
}

// Who loses the CPU twice while it polls sleeps for a while instead, though it found
// what it polled for.
func TestSpinnerLosesTheCPU(t *testing.T) {
	is := is.New(t)
	var s spinner
	const limit = time.Microsecond
	looks := 0
	taken := func() bool { // others compute until after its last look
		looks++
		for from := time.Now(); time.Since(from) < time.Millisecond; {
		}
		return looks > spinPerCheck
	}
	for range 2 {
		looks, s.shares = 0, false
		is.True(s.budget(limit) > 0)
		is.True(s.poll(time.Hour, taken))
	}
	is.Equal(s.budget(limit), time.Duration(0))
	is.Equal(s.rest(), time.Duration(0))
	is.Equal(s.found, uint8(0))

	s.backoff = cpu.Backoff{}
	is.True(s.poll(limit, func() bool { return true }))
	is.Equal(s.budget(limit), limit)
}

// What came while the CPU was given away is seen, however late that was.
func TestSpinnerLooksAfterItsLastYield(t *testing.T) {
	is := is.New(t)
	var s spinner
	const budget = spinCrowd // whatever others do
	for range 20 {
		start, last := time.Now(), time.Time{}
		is.True(!s.poll(budget, func() bool { last = time.Now(); return false }))
		is.True(!last.Before(start.Add(budget)))
	}
}

// What is found only because others, who had the CPU, gave it back after the budget was
// used up does not make the next poll longer.
func TestSpinnerFindsTooLate(t *testing.T) {
	is := is.New(t)
	var s spinner
	const budget = spinCrowd
	for shift := range uint8(spinMaxShift + 1) {
		is.Equal(s.shift, shift)
		start, looks, early := cpu.Clock(), 0, spinPerCheck
		if s.shares {
			early = 1
		}
		is.True(s.poll(budget, func() bool {
			for cpu.Clock()-start < 2*budget { // others have it
			}
			looks++
			return looks > early // after the next yield
		}))
		is.Equal(s.shift, shift+1)
	}
	is.Equal(s.budget(budget), time.Duration(0))
}

// One who polls lets other goroutines run only where another connection waits
// too, and not each time.
func TestSpinnerShares(t *testing.T) {
	is := is.New(t)
	a, b := spinner{c: new(Conn)}, spinner{c: new(Conn)}
	now := cpu.Clock() + time.Hour // whatever else has polled here
	b.share(now)
	a.share(now)
	is.True(a.shared != 0) // b has just polled
	was := a.shared
	a.share(was + spinSlice - 1)
	is.Equal(a.shared, was) // too soon
	a.share(was + spinSlice)
	is.True(a.shared > was)
	was = a.shared
	a.share(now + 2*spinLately)
	is.Equal(a.shared, was) // b has gone
}

// One of several connections does not poll for long, and stays where it is.
func TestSpinnerInACrowd(t *testing.T) {
	is := is.New(t)
	a, b := spinner{c: new(Conn)}, spinner{c: new(Conn)}
	b.share(cpu.Clock())
	is.True(!a.poll(time.Hour, func() bool { return false }))
	for range 2 * bellsAfter { // and does not move to bells
		is.True(a.poll(time.Hour, func() bool { return true }))
		b.share(cpu.Clock())
	}
	is.Equal(a.found, uint8(0))
}
