package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	case PingPong, Paced, InFlight, Relay:
		return drivePing(m, j)
	case OneWay, Batched:
		return driveFlow(m, j)
	case Idle:
		return weigh(m.make, j.Size)
	case Decisions, Uncontended, Reading, Identity, Objects:
		op, err := m.local(j)
		if err != nil {
			return Result{}, err
		}
		return timeLocal(op, j.length())
	}
	return Result{}, fmt.Errorf("no work %q", j.Work)
}

func (j *Job) length() time.Duration { return time.Duration(j.Millis) * time.Millisecond }

func drivePing(m *mechanism, j *Job) (Result, error) {
	files, err := twoPipes()
	if err != nil {
		return Result{}, err
	}
	server, err := startRole("serve", j, files)
	if err != nil {
		return Result{}, err
	}
	defer server.kill()
	if err := server.ready(); err != nil {
		return Result{}, err
	}
	if err := j.apart(os.Getpid(), server.cmd.Process.Pid); err != nil {
		return Result{}, err
	}
	call, err := m.ping.dial(j)
	if err != nil {
		return Result{}, err
	}
	msg := make([]byte, j.Size)
	for i := range msg {
		msg[i] = byte(i) | 1
	}
	if j.Work == InFlight {
		return timeInFlight(call, msg, j.length())
	}
	pause := time.Duration(0)
	if j.Work == Paced {
		pause = pauseMicros * time.Microsecond
	}
	return timeRoundTrips(func() error { return call(msg) }, j.length(), pause)
}

// timeRoundTrips makes round trips one after the other. A pause before each is
// spent computing, not sleeping, so that only the other side is asleep.
func timeRoundTrips(call func() error, length, pause time.Duration) (Result, error) {
	samples := make([]int64, 0, 1<<20)
	clear(samples[:cap(samples)]) // have its pages before the clock runs
	start := time.Now()
	var before uint64
	for warm := true; len(samples) < cap(samples); {
		from := time.Since(start)
		for until := from + pause; from < until; {
			from = time.Since(start)
		}
		if err := call(); err != nil {
			return Result{}, err
		}
		now := time.Since(start)
		if warm {
			if now > length/5 {
				warm, before = false, mallocs()
				length += now
			}
			continue
		}
		samples = append(samples, int64(now-from))
		if now > length && len(samples) > 0 {
			break
		}
	}
	allocs := float64(mallocs()-before) / float64(len(samples))
	slices.Sort(samples)
	return Result{
		P50: float64(percentile(samples, 0.5)), P99: float64(percentile(samples, 0.99)), P999: float64(percentile(samples, 0.999)),
		Count: int64(len(samples)), Allocs: allocs,
	}, nil
}

func timeInFlight(call func([]byte) error, msg []byte, length time.Duration) (Result, error) {
	var stop, count atomic.Bool
	var total atomic.Int64
	errs := make(chan error, flying)
	for range flying {
		go func() {
			var n int64
			own := slices.Clone(msg)
			for !stop.Load() {
				if err := call(own); err != nil {
					errs <- err
					return
				}
				if count.Load() {
					n++
				}
			}
			total.Add(n)
			errs <- nil
		}()
	}
	time.Sleep(length / 5)
	before, start := mallocs(), time.Now()
	count.Store(true)
	time.Sleep(length)
	stop.Store(true)
	var err error
	for range flying {
		err = errors.Join(err, <-errs)
	}
	took, n := time.Since(start), total.Load()
	return Result{Rate: float64(n) / took.Seconds(), Count: n, Allocs: float64(mallocs()-before) / float64(n)}, err
}

// timeLocal times what needs no other process.
func timeLocal(op func() error, length time.Duration) (Result, error) {
	// Clock reads cost as much as a decision: time rounds of about 50 us.
	round := 1
	for {
		start := time.Now()
		for range round {
			if err := op(); err != nil {
				return Result{}, err
			}
		}
		if took := time.Since(start); took > 50*time.Microsecond || round > 1<<20 {
			break
		}
		round *= 2
	}
	var samples []int64
	before, n := mallocs(), int64(0)
	for start := time.Now(); time.Since(start) < length || len(samples) < 3; {
		from := time.Now()
		for range round {
			if err := op(); err != nil {
				return Result{}, err
			}
		}
		samples = append(samples, int64(time.Since(from))*1000/int64(round))
		n += int64(round)
	}
	allocs := float64(mallocs()-before) / float64(n)
	slices.Sort(samples)
	return Result{P50: float64(percentile(samples, 0.5)) / 1000, P99: float64(percentile(samples, 0.99)) / 1000, Count: n, Allocs: allocs}, nil
}

func driveFlow(m *mechanism, j *Job) (Result, error) {
	files, err := twoPipes()
	if err != nil {
		return Result{}, err
	}
	end, remove, err := m.flow.setup(j)
	if err != nil {
		return Result{}, err
	}
	defer remove()
	var producers, consumers []*process
	start := func(role string, n int, into *[]*process) error {
		for range n {
			p, err := startRole(role, j, files)
			if err != nil {
				return err
			}
			*into = append(*into, p)
			if err := p.ready(); err != nil {
				return err
			}
		}
		return nil
	}
	defer func() {
		for _, p := range append(producers, consumers...) {
			p.kill()
		}
	}()
	if err := start("consume", j.Consumers, &consumers); err != nil {
		return Result{}, err
	}
	if err := start("produce", j.Producers, &producers); err != nil {
		return Result{}, err
	}
	for _, f := range files {
		f.Close()
	}
	if err := j.apart(producers[0].cmd.Process.Pid, consumers[0].cmd.Process.Pid); err != nil {
		return Result{}, err
	}
	for _, p := range producers {
		if _, err := io.WriteString(p.in, "go\n"); err != nil {
			return Result{}, err
		}
	}
	var sent, got, first, last int64
	for i, p := range producers {
		r, err := p.report()
		if err != nil {
			return Result{}, err
		}
		sent += r.Count
		if i == 0 || r.Start < first {
			first = r.Start
		}
	}
	if err := end(); err != nil {
		return Result{}, err
	}
	for _, p := range consumers {
		r, err := p.report()
		if err != nil {
			return Result{}, err
		}
		got += r.Count
		last = max(last, r.End)
	}
	if got != sent {
		return Result{}, fmt.Errorf("%d messages were sent and %d arrived", sent, got)
	}
	return Result{Rate: float64(got) / (float64(last-first) / 1e9), Count: got}, nil
}

func produce(f *flow, j *Job, ready func()) error {
	send, leave, err := f.produce(j)
	if err != nil {
		return err
	}
	msg := make([]byte, j.Size)
	for i := range msg {
		msg[i] = byte(i) | 1
	}
	burst := batchSize
	if j.Size >= 16<<10 {
		burst = 4
	}
	ready()
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	r := report{Start: sharedClock()}
	for begin := time.Now(); time.Since(begin) < j.length(); r.Count += int64(burst) {
		if err := send(msg, burst); err != nil {
			return err
		}
	}
	if err := leave(); err != nil {
		return err
	}
	r.End = sharedClock()
	return json.NewEncoder(os.Stdout).Encode(r)
}

// process is a child of the driver.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	err *tail
}

// startRole starts this program once more. Descriptors 3 to 6 are two pipes,
// read and write end each, for the mechanisms that need them.
func startRole(role string, j *Job, files []*os.File) (*process, error) {
	cmd, err := roleCommand(role, j)
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = files
	p := &process{cmd: cmd, err: &tail{}}
	cmd.Stderr = p.err
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, cmd.Start()
}

func roleCommand(role string, j *Job) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	spec, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "BENCH_ROLE="+role, "BENCH_JOB="+string(spec))
	return cmd, nil
}

// ready waits until the process says so.
func (p *process) ready() error {
	line, err := p.out.ReadString('\n')
	if err != nil || line != "ready\n" {
		return p.failed(fmt.Errorf("said %q, not that it is ready", strings.TrimSpace(line)))
	}
	return nil
}

func (p *process) report() (r report, err error) {
	line, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err != nil {
		return r, p.failed(err)
	}
	return r, nil
}

// failed is err with what the process said last.
func (p *process) failed(err error) error {
	p.kill()
	if said := p.err.String(); said != "" {
		return errors.New(said)
	}
	return fmt.Errorf("another process of the measurement: %w", err)
}

func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill() // it may have ended already
		_ = p.cmd.Wait()         // killed is how it should end
	}
}

// tail keeps the last line written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if n := len(t.text); n > 8<<10 {
		t.text = t.text[n-8<<10:]
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(string(t.text))
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// twoPipes makes descriptors 3 to 6 of the other processes.
func twoPipes() ([]*os.File, error) {
	for range 2 {
		var fds [2]int
		if err := unix.Pipe(fds[:]); err != nil {
			return nil, err
		}
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
		inherited = append(inherited, os.NewFile(uintptr(fds[0]), "pipe"), os.NewFile(uintptr(fds[1]), "pipe"))
	}
	return inherited, nil
}

// inherited are the pipes of the measurement: in the driver those that it made,
// elsewhere descriptors 3 to 6.
var inherited []*os.File

// pipeEnds returns some ends of the pipes, as os.Pipe would have made them. It
// closes the others, so that the end of a pipe is noticed.
func pipeEnds(keep ...int) ([]*os.File, error) {
	files := inherited
	for fd := 3; len(files) < 4; fd++ {
		files = append(files, os.NewFile(uintptr(fd), "pipe"))
	}
	var kept []*os.File
	for _, k := range keep {
		fd, err := unix.Dup(int(files[k].Fd()))
		if err != nil {
			return nil, err
		}
		if err := unix.SetNonblock(fd, true); err != nil {
			return nil, err
		}
		kept = append(kept, os.NewFile(uintptr(fd), "pipe"))
	}
	for _, f := range files {
		f.Close()
	}
	return kept, nil
}

// sharedClock is the same clock in every process of the machine.
func sharedClock() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // this clock always exists
	return ts.Nano()
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
