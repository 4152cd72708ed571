// Package tour shows every mechanism at work between separate processes, and
// checks what it shows.
//
//	guide (ipcctl tour)
//	 ├── peer (ipcctl tour-peer ROLE …)   one process for each part in a step:
//	 │     orders on its stdin, reports as lines of JSON on its stdout
//	 ├── python3                          if there is one on PATH
//	 └── janitor (ipcctl tour-peer janitor …)
//	       removes what the tour made once the guide and all peers have ended,
//	       however they did: they hold the other end of its stdin
//
// A peer ends when its stdin does, so none outlives the guide.
package tour

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ipcctl/ipc/queue"
	"github.com/ipcctl/ipc/shm"
)

// Result is what one step showed.
type Result struct {
	Step    string        `json:"step"`
	OK      bool          `json:"ok"`
	Skipped bool          `json:"skipped"` // what it needs is not on this host: What says so
	What    string        `json:"what"`    // what happened, or why it failed
	Figure  string        `json:"figure"`  // what was measured, for a reader
	PIDs    []int         `json:"pids"`    // the processes that took part
	Took    time.Duration `json:"took"`
}

// stepLimit bounds a step that hangs, and hangLimit the end of its peers. The
// whole tour takes a second or two.
const (
	stepLimit = 10 * time.Second
	hangLimit = 5 * time.Second
)

// step is one part of the tour. It fills in what happened, and returns an
// error if something did not happen as it must.
type step struct {
	name string
	run  func(g *guide, r *Result) error
}

var steps = []step{
	{"socket", socketStep},
	{"acl", aclStep},
	{"pipe", pipeStep},
	{"shm", shmStep},
	{"queue", queueStep},
	{"crash", crashStep},
	{"lease", leaseStep},
	{"python", pythonStep},
}

// guide is one run of the tour.
type guide struct {
	ctx    context.Context // of the current step
	self   string          // the program to start as a peer
	dir    string          // for sockets and FIFOs, removed in the end
	prefix string          // of the names in shared memory, removed in the end
	tether *os.File        // held open by everybody but the janitor

	// Of the current step:
	r       *Result
	peers   []*peer
	trouble chan error // a peer that failed
}

// The names in shared memory that the steps use, after guide.prefix.
const (
	segment    = "segment"
	jobsQueue  = "jobs"
	crashQueue = "crash"
	leaseQueue = "lease"
)

// Run goes through all steps, calls report before (with no result) and after
// each of them, and removes everything that it made, also when ctx ends. self
// is the program that acts as "self tour-peer ROLE".
func Run(ctx context.Context, self string, report func(step string, r *Result)) (err error) {
	dir, err := os.MkdirTemp("", "ipcctl-tour-")
	if err != nil {
		return err
	}
	g := &guide{self: self, dir: dir, prefix: filepath.Base(dir) + "-"}
	defer func() {
		clean(g.dir, g.prefix)
		if left := leftovers(g.dir, g.prefix); left != nil && err == nil {
			err = fmt.Errorf("clean up: %v is still there", left)
		}
	}()
	janitor, err := startJanitor(g)
	if err != nil {
		return fmt.Errorf("janitor: %w", err)
	}
	defer janitor.dismiss()

	var failed []error
	for _, s := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		report(s.name, nil)
		r := g.do(ctx, s)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !r.OK && !r.Skipped {
			failed = append(failed, fmt.Errorf("step %s: %s", s.name, r.What))
		}
		report(s.name, r)
		if errors.Is(g.ctx.Err(), context.DeadlineExceeded) {
			break // the step's own fault; what it left may disturb the next ones
		}
	}
	return errors.Join(failed...)
}

// do runs one step and ends the peers that it leaves running.
func (g *guide) do(ctx context.Context, s step) *Result {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	r := &Result{Step: s.name, PIDs: []int{}}
	g.ctx, g.r, g.peers, g.trouble = ctx, r, nil, make(chan error, 1)
	begin := time.Now()
	done := make(chan error, 1)
	go func() {
		err := s.run(g, r)
		for _, p := range g.peers {
			p.dismiss()
		}
		done <- err
	}()
	var err error
	select {
	case err = <-done:
	case <-after(ctx, hangLimit): // a call that outlives its context: nothing can be shared with it any more
		return &Result{Step: s.name, PIDs: []int{}, What: "it hangs in a call that does not heed its context", Took: time.Since(begin)}
	}
	r.Took = time.Since(begin)
	r.OK = err == nil && !r.Skipped
	if err != nil {
		r.What, r.Figure = err.Error(), ""
	}
	return r
}

// after returns a channel that is closed that long after the end of ctx.
func after(ctx context.Context, d time.Duration) <-chan struct{} {
	late := make(chan struct{})
	context.AfterFunc(ctx, func() { time.AfterFunc(d, func() { close(late) }) })
	return late
}

// path returns a path for a file of the tour's own.
func (g *guide) path(name string) string { return filepath.Join(g.dir, name) }

// clean removes what a tour has made, whatever of it there is.
func clean(dir, prefix string) {
	for _, n := range []string{jobsQueue, crashQueue, leaseQueue} {
		queue.Remove(prefix + n)
	}
	shm.Remove(prefix + segment)
	os.RemoveAll(dir)
}

// leftovers lists what clean should have removed.
func leftovers(dir, prefix string) (left []string) {
	if _, err := os.Lstat(dir); err == nil {
		left = append(left, dir)
	}
	if found, _ := filepath.Glob("/dev/shm/*" + prefix + "*"); found != nil {
		left = append(left, found...)
	}
	return left
}
