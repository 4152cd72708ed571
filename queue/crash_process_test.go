//go:build unix

package queue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The scenarios of crash_test.go with real processes: the victim sends itself
// a signal before the n-th step. What it says on the way:
//
//	ready LANE CURSOR      arranged; the lane and cursor of its lease, or -1 0
//	step                   the next thing is the signal
//	done RESULT            it came to the end of its operation

var victimMain = registerChild("victim", runVictim)

// fate is what happens to a victim at its n-th step.
type fate int

const (
	killed     fate = iota // by itself
	stopped                // and killed while stopped
	continued              // stopped, and then it goes on
	fatesCount             // the number of fates
)

func (f fate) String() string {
	return [...]string{"killed", "stopped and killed", "stopped and continued"}[f]
}

// result is an outcome as the victim prints it.
type result struct {
	Got    []string
	Put    int
	Acked  bool
	Leased string
	Err    string
}

// runVictim is the victim's main: queue, scenario, level, step, fate.
func runVictim(args []string) error {
	var level, n, f int
	if _, err := fmt.Sscan(strings.Join(args[2:], " "), &level, &n, &f); err != nil {
		return err
	}
	s := scenarioNamed(args[1])
	q, err := Open(args[0], nil)
	if err != nil {
		return err
	}
	v, err := s.arrange(q, level)
	if err != nil {
		return err
	}
	lane, cursor := -1, uint64(0)
	if v.held != nil {
		lane = int(v.held.l.id)
		cursor = q.r.laneWord(v.held.l.id, laneCursor).Load()
	}
	fmt.Println("ready", lane, cursor)
	count := 0
	q.r.hook = func(step) {
		if count++; count != n {
			return
		}
		fmt.Println("step")
		if fate(f) == killed {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		os.Stdin.Read(make([]byte, 1)) // a stop takes effect a little later in other threads than the signalled one
	}
	o := s.act(v)
	q.r.hook = nil
	r := result{Got: o.got, Put: o.put, Acked: o.acked, Leased: o.leased}
	if o.err != nil {
		r.Err = o.err.Error()
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	fmt.Printf("done %s\n", line)
	os.Stdin.Read(make([]byte, 1)) // lives on with what it holds until it is killed
	select {}
}

func scenarioNamed(name string) *scenario {
	i := slices.IndexFunc(scenarios, func(s *scenario) bool { return s.name == name })
	return scenarios[i]
}

// laneState returns what everybody can see of lanes.
func laneState(r *ring, lanes []uint32) (all []byte) {
	for _, k := range lanes {
		all = append(all, r.mem[offLanes+int(k)*laneSize:][:laneSize]...)
	}
	return all
}

// process runs one victim and reports whether it came to its n-th step.
func (s *scenario) process(t *testing.T, level, n int, f fate, rounds int, byLease bool) (reached bool) {
	t.Helper()
	name := uniqueName(t)
	q := named(t, name, s.options())()
	defer q.Close()
	l := newLedger(s, level)

	c := spawn(t, victimMain, name, s.name, strconv.Itoa(level), strconv.Itoa(n), strconv.Itoa(int(f)))
	defer c.kill()
	line := func() string {
		text, err := c.line()
		if err != nil {
			t.Fatalf("victim: %v\n%s", err, c.err.String())
		}
		return text
	}
	var leaseLane int
	var cursor uint64
	if _, err := fmt.Sscanf(line(), "ready %d %d", &leaseLane, &cursor); err != nil {
		t.Fatal(err)
	}
	if s.waits {
		wait := offNotFull
		if level == 0 {
			wait = offNotEmpty
		}
		for q.r.word32(wait+waitArmed).Load() == 0 {
			runtime.Gosched()
		}
		if level == 0 {
			l.queued = []string{"x"}
			if err := q.TryPut([]byte("x")); err != nil {
				t.Fatal(err)
			}
		} else {
			l.take(q, false)
		}
	}
	told := line()
	reached = told == "step"
	if reached && f == killed {
		if err := c.cmd.Wait(); err == nil {
			t.Fatal("the victim lives")
		}
	}
	// Which lanes are the victim's, and what it was doing.
	var lanes []uint32
	l.idle = true
	for k := range q.r.lanes {
		if q.r.laneWord(k, laneHolder).Load() == uint64(c.cmd.Process.Pid) {
			lanes = append(lanes, k)
			l.idle = l.idle && record(q.r.laneWord(k, laneRecord).Load()).op() == opIdle
		}
	}
	if leaseLane >= 0 {
		k := uint32(leaseLane)
		l.acked = s.acks && (record(q.r.laneWord(k, laneRecord).Load()).op() == opIdle || q.r.laneWord(k, laneCursor).Load() != cursor)
	}
	before := laneState(q.r, lanes)
	l.work(q, rounds, byLease)
	if reached && f != killed {
		if err := q.reapDead(); err != nil {
			l.fault("reap: %v", err)
		}
		if !bytes.Equal(before, laneState(q.r, lanes)) {
			l.fault("the lane of a stopped process was changed")
		}
	}
	if reached && f == continued {
		told = c.resume(t)
	}
	if text, ok := strings.CutPrefix(told, "done "); ok {
		var r result
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		l.lived = true
		l.out = outcome{got: r.Got, put: r.Put, acked: r.Acked, leased: r.Leased, err: errors.New(r.Err)}
		l.acked = r.Acked
	}
	c.kill()
	l.drain(q, byLease)
	if s.maxAttempts > 0 {
		l.buried = letters(t, name)
	}
	l.end(q)
	if !reapAll(q.r, nil) {
		l.fault("a lane cannot be reaped")
	}
	l.faults = append(l.faults, audit(q.r)...)
	if len(l.faults) > 0 {
		t.Errorf("%d waiting, step %d, %v, %d rounds, lease %v: %s:\n\t%s", level, n, f, rounds, byLease, told, strings.Join(l.faults, "\n\t"))
	}
	q.Close()
	if err := Remove(name); err != nil {
		t.Error(err)
	}
	return reached
}

// stopped returns once the child has stopped with all its threads, which is a little
// after the signal: until then it could take a message.
func (c *child) stopped(t *testing.T) {
	t.Helper()
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(c.cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil || !status.Stopped():
			t.Fatalf("the child did not stop: %v, %#x", err, status)
		default:
			return
		}
	}
}

// resume lets a stopped child go on and returns the next line that it prints. The
// stop itself may come a moment after the line that announced it, so SIGCONT
// is sent until the child has moved.
func (c *child) resume(t *testing.T) string {
	t.Helper()
	c.in.Write([]byte{'\n'})
	told := make(chan string)
	go func() {
		defer close(told)
		if s, err := c.line(); err == nil {
			told <- s
		}
	}()
	for {
		c.cmd.Process.Signal(syscall.SIGCONT)
		select {
		case s := <-told:
			return s
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// letters takes everything out of the dead-letter queue of name.
func letters(t *testing.T, name string) (msgs []string) {
	t.Helper()
	q, err := Open(DeadName(name), nil)
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

// TestCrashProcesses kills and stops real processes at every step: of a few
// operations, or of all with -crash.all.
func TestCrashProcesses(t *testing.T) {
	some := map[string]int{ // and at which fill level
		"Put": 2, "Put large": 0, "PutBatch": 1, "Put that waits": crashCapacity, "Get": 1, "GetBatch over packed": 2,
		"Get large": 3, "Get that waits": 0, "Lease": 1, "Lease packed": 2, "Ack large": 0, "Ack packed": 1, "Nack packed": 2,
		"Nack large to the dead": 1, "join": 0, "Close with a packed rest": 2, "Get to the end": 1,
	}
	points := 0
	for _, s := range scenarios {
		fills := s.fills()
		if !*crashAll {
			level, ok := some[s.name]
			if !ok {
				continue
			}
			fills = []int{level}
		}
		t.Run(s.name, func(t *testing.T) {
			for _, level := range fills {
				for f := range fatesCount {
					if testing.Short() && f == stopped {
						continue
					}
					for n := 1; ; n++ {
						reached := true
						for i := range 4 { // all four, or one of them in turn
							if (*crashAll || i == n%4) && !t.Failed() {
								reached = s.process(t, level, n, f, []int{0, 2*crashCapacity + 1}[i/2], i%2 == 0)
							}
						}
						if !reached || t.Failed() {
							break
						}
						points++
					}
				}
			}
		})
	}
	t.Logf("%d points", points)
}

// TestStoppedWhileWaiting stops, and then kills, a consumer that sleeps in Get. The
// wake-ups that go to it must not be missing elsewhere for long, and it takes
// nothing.
func TestStoppedWhileWaiting(t *testing.T) {
	name := uniqueName(t)
	q := named(t, name, &Options{Capacity: 4, MaxMessage: 100})()
	log := filepath.Join(t.TempDir(), "log")
	c := spawn(t, consumerMain, name, log, "0", "1")
	if line, err := c.line(); err != nil {
		t.Fatal(line, err, c.err.String())
	}
	for q.Stats().Waits == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx := patient(t)
	got := make(chan error)
	take := func() { // a second consumer, asleep too before anything is put
		before := q.Stats().Waits
		go func() { _, err := q.Get(ctx); got <- err }()
		for q.Stats().Waits == before {
			time.Sleep(time.Millisecond)
		}
	}
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		if err := c.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if signal == syscall.SIGKILL {
			c.cmd.Wait()
		} else {
			c.stopped(t)
		}
		for range 3 {
			take()
			if err := q.Put(ctx, []byte("message")); err != nil {
				t.Fatal(err)
			}
			if err := <-got; err != nil {
				t.Fatal(err)
			}
		}
	}
	if b, err := os.ReadFile(log); err != nil || len(b) != 0 {
		t.Errorf("the stopped consumer took something: %q, %v", b, err)
	}
}
