package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A pinger answers and makes round trips.
type pinger struct {
	// serve answers until its peer goes or it is killed; it calls ready as
	// soon as clients may come.
	serve func(j *Job, ready func()) error
	// dial returns one round trip with msg; it must be safe for concurrent use
	// where the mechanism is measured InFlight.
	dial func(j *Job) (call func(msg []byte) error, err error)
}

// A flow carries messages from producers to consumers.
type flow struct {
	// setup makes what all share, in the driver, and returns how to end it for
	// the consumers once the producers have finished, and how to remove it.
	setup func(j *Job) (end func() error, remove func(), err error)
	// produce returns a function that sends msg n times, and one that sends
	// what is still buffered and leaves.
	produce func(j *Job) (send func(msg []byte, n int) error, leave func() error, err error)
	// consume takes messages until the end and counts them.
	consume func(j *Job, ready func()) (int64, error)
}

// report is what a producer or consumer tells the driver.
type report struct {
	Count int64 `json:"count"`
	Start int64 `json:"start"` // on the clock that all processes share, ns
	End   int64 `json:"end"`
}

// runRole is the life of a process that was started for one part of a Job.
func runRole(role, spec string) error {
	j := new(Job)
	if err := json.Unmarshal([]byte(spec), j); err != nil {
		return err
	}
	m := mechanisms[j.Mech]
	if m == nil {
		return fmt.Errorf("no mechanism %q", j.Mech)
	}
	ready := sync.OnceFunc(func() { fmt.Println("ready") })
	switch role {
	case "compute":
		return compute(j, ready)
	case "drive":
		res, err := drive(m, j)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(res)
	case "serve":
		return m.ping.serve(j, ready)
	case "consume":
		n, err := m.flow.consume(j, ready)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(report{Count: n, End: sharedClock()})
	case "produce":
		return produce(m.flow, j, ready)
	}
	return fmt.Errorf("no role %q", role)
}

func drive(m *mechanism, j *Job) (Result, error) {
	switch j.Work {
	case PingPong, Paced, Asleep, Many, InFlight, Relay:
		return drivePing(m, j)
	case OneWay, Batched, Streamed:
		return driveFlow(m, j)
	case Idle:
		return weigh(m.make, j.Size)
	case Objects:
		return timeObject(m.object, j)
	case Decisions, Uncontended, Reading, Identity, Memory:
		op, err := m.local(j)
		if err != nil {
			return Result{}, err
		}
		return timeLocal(op, j.length())
	}
	return Result{}, fmt.Errorf("no work %q", j.Work)
}

func (j *Job) length() time.Duration { return time.Duration(j.Millis) * time.Millisecond }

// sharedClock is the same clock in every process of the machine.
func sharedClock() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // this clock always exists
	return ts.Nano()
}
