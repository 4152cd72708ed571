// Package bench measures the mechanisms between separate processes on this
// machine. What it makes has no name (socket pairs, pipes, queues passed on as
// descriptors), so there is nothing to clean up, however it ends.
//
//	latency      this process ── message ──▶ echo ── the same ──▶ this process
//	throughput   producers ── messages ──▶ consumers
//
// A peer is "self bench-peer ROLE …"; it has its end of the mechanism as
// descriptor 3 (and 4), and ends with its stdin.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/ipcctl/ipc/pipe"
	"github.com/ipcctl/ipc/queue"
	"github.com/ipcctl/ipc/socket"
)

// Mechanisms lists what can be measured here. "shared" is a socket whose messages go through
// shared memory.
func Mechanisms() []string {
	if s, _, err := pair("shared", 1, 0); err != nil {
		return []string{"socket", "pipe", "queue"}
	} else {
		s.Close()
	}
	return []string{"socket", "shared", "pipe", "queue"}
}

const sharedBuffer = 256 << 10

// Latency is the distribution of round trips, in nanoseconds.
type Latency struct {
	Mechanism string        `json:"mechanism"`
	Size      int           `json:"size"` // bytes of a message
	Trips     int           `json:"trips"`
	Min       time.Duration `json:"min_ns"`
	P50       time.Duration `json:"p50_ns"`
	P90       time.Duration `json:"p90_ns"`
	P99       time.Duration `json:"p99_ns"`
	Max       time.Duration `json:"max_ns"`

	// Sorted holds every measurement, by length.
	Sorted []time.Duration `json:"-"`
}

// NewLatency sorts the measurements and picks the percentiles.
func NewLatency(mechanism string, size int, took []time.Duration) Latency {
	slices.Sort(took)
	at := func(percent int) time.Duration { return took[min(len(took)*percent/100, len(took)-1)] }
	return Latency{
		Mechanism: mechanism, Size: size, Trips: len(took),
		Min: took[0], P50: at(50), P90: at(90), P99: at(99), Max: took[len(took)-1], Sorted: took,
	}
}

// Throughput is how much went through one way.
type Throughput struct {
	Mechanism string  `json:"mechanism"`
	Size      int     `json:"size"`
	Batch     int     `json:"batch"`
	Producers int     `json:"producers"`
	Consumers int     `json:"consumers"`
	Messages  int     `json:"messages"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"messages_per_second"`
	Bytes     float64 `json:"bytes_per_second"`
}

// line is one end of a mechanism that can send and receive.
type line interface {
	send(ctx context.Context, msg []byte) error
	recv(ctx context.Context) ([]byte, error)
	Close() error
}

// pair makes a mechanism: this process's end, and the files of the other one.
func pair(mechanism string, size int, spin time.Duration) (line, []*os.File, error) {
	switch mechanism {
	case "socket", "shared":
		ours, theirs, err := socket.Pair()
		if err != nil {
			return nil, nil, err
		}
		defer theirs.Close()
		f, err := theirs.File()
		if err != nil {
			ours.Close()
			return nil, nil, err
		}
		l := newSocketLine(ours, mechanism, size, spin)
		if mechanism == "shared" {
			if err := ours.Share(context.Background()); err != nil {
				return nil, nil, errors.Join(err, ours.Close(), f.Close())
			}
		}
		return l, []*os.File{f}, nil
	case "pipe":
		r1, w1, err := pipe.New()
		if err != nil {
			return nil, nil, err
		}
		r2, w2, err := pipe.New()
		if err != nil {
			return nil, nil, errors.Join(err, r1.Close(), w1.Close())
		}
		in, err1 := r1.Detach()
		out, err2 := w2.Detach()
		l := newPipeLine(r2, w1, size)
		if err := errors.Join(err1, err2); err != nil {
			return nil, nil, errors.Join(err, l.Close())
		}
		return l, []*os.File{in, out}, nil
	case "queue":
		there, err := queue.Anonymous(&queue.Options{Capacity: 64, MaxMessage: size})
		if err != nil {
			return nil, nil, err
		}
		back, err := queue.Anonymous(&queue.Options{Capacity: 64, MaxMessage: size})
		if err != nil {
			return nil, nil, errors.Join(err, there.Close())
		}
		return &queueLine{get: back, put: there}, []*os.File{there.File(), back.File()}, nil
	}
	return nil, nil, fmt.Errorf("no mechanism %q", mechanism)
}

// inherited makes a line of the descriptors that pair left to this process.
func inherited(mechanism string, size int, spin time.Duration) (line, error) {
	switch mechanism {
	case "socket", "shared":
		c, err := socket.FromFile(os.NewFile(3, "socket"))
		if err != nil {
			return nil, err
		}
		return newSocketLine(c, mechanism, size, spin), nil
	case "pipe":
		r, err := pipe.NewReader(os.NewFile(3, "in"))
		if err != nil {
			return nil, err
		}
		w, err := pipe.NewWriter(os.NewFile(4, "out"))
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		return newPipeLine(r, w, size), nil
	case "queue":
		get, err := queue.FromFile(os.NewFile(3, "there"))
		if err != nil {
			return nil, err
		}
		put, err := queue.FromFile(os.NewFile(4, "back"))
		if err != nil {
			return nil, errors.Join(err, get.Close())
		}
		return &queueLine{get: get, put: put}, nil
	}
	return nil, fmt.Errorf("no mechanism %q", mechanism)
}

type socketLine struct {
	*socket.Conn
	buf []byte
}

func newSocketLine(c *socket.Conn, mechanism string, size int, spin time.Duration) *socketLine {
	o := socket.ConnOptions{MaxMessage: max(size, 1), Spin: spin, MaxFiles: -1}
	if mechanism == "shared" {
		o.SharedBuffer = sharedBuffer
	}
	c.Configure(&o)
	return &socketLine{Conn: c}
}

func (l *socketLine) send(ctx context.Context, msg []byte) error { return l.Send(ctx, msg) }

func (l *socketLine) recv(ctx context.Context) ([]byte, error) {
	m, err := l.RecvInto(ctx, l.buf)
	if err == nil {
		l.buf = m.Data[:0]
	}
	return m.Data, err
}

type pipeLine struct {
	r   *pipe.Reader
	w   *pipe.Writer
	buf []byte
}

func newPipeLine(r *pipe.Reader, w *pipe.Writer, size int) *pipeLine {
	r.SetLimit(max(size, 1))
	w.SetLimit(max(size, 1))
	return &pipeLine{r: r, w: w}
}

func (l *pipeLine) send(ctx context.Context, msg []byte) error { return l.w.Send(ctx, msg) }

func (l *pipeLine) recv(ctx context.Context) ([]byte, error) {
	msg, err := l.r.RecvInto(ctx, l.buf)
	if err == nil {
		l.buf = msg[:0]
	}
	return msg, err
}

func (l *pipeLine) Close() error { return errors.Join(l.w.Close(), l.r.Close()) }

type queueLine struct {
	get, put *queue.Queue
	buf      []byte
}

func (l *queueLine) send(ctx context.Context, msg []byte) error { return l.put.Put(ctx, msg) }

func (l *queueLine) recv(ctx context.Context) ([]byte, error) {
	msg, err := l.get.GetInto(ctx, l.buf)
	if err == nil {
		l.buf = msg[:0]
	}
	return msg, err
}

func (l *queueLine) Close() error { return errors.Join(l.put.Close(), l.get.Close()) }

// peer is a started process.
type peer struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  io.ReadCloser
	errs strings.Builder
}

func start(self string, files []*os.File, args ...string) (*peer, error) {
	p := &peer{cmd: exec.Command(self, append([]string{"bench-peer", "--"}, args...)...)}
	p.cmd.ExtraFiles, p.cmd.Stderr = files, &p.errs
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	return p, p.cmd.Start()
}

// end lets the peer end, and returns what it had to complain about.
func (p *peer) end() error {
	p.in.Close()
	kill := time.AfterFunc(2*time.Second, func() { p.cmd.Process.Kill() })
	defer kill.Stop()
	if err := p.cmd.Wait(); err != nil && p.errs.Len() > 0 {
		return errors.New(strings.TrimSpace(p.errs.String()))
	}
	return nil
}
