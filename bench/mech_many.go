package main

import (
	"bufio"
	"fmt"
	"net"

	"github.com/ipcctl/ipc/queue"
	"github.com/ipcctl/ipc/socket"
)

// overMany makes round trips over many connections, each over the next one. All
// are open meanwhile, and each has been used once.
//
//go:noinline
func overMany(p *pinger) func(*Job) (func([]byte) error, error) {
	return func(j *Job) (func([]byte) error, error) {
		raiseDescriptors()
		calls := make([]func([]byte) error, j.Many)
		for i := range calls {
			call, err := p.dial(j)
			if err == nil {
				err = call(make([]byte, j.Size))
			}
			if err != nil {
				return nil, fmt.Errorf("connection %d: %w", i+1, err)
			}
			calls[i] = call
		}
		return takeTurns(calls), nil
	}
}

func takeTurns(calls []func([]byte) error) func([]byte) error {
	next := 0
	return func(msg []byte) error {
		call := calls[next]
		next = (next + 1) % len(calls)
		return call(msg)
	}
}

// manySockets answers each connection in a goroutine of its own.
var manySockets = &pinger{
	serve: func(j *Job, ready func()) error {
		raiseDescriptors()
		l, err := socket.Listen(socketPath(j), &socket.ListenOptions{MaxConns: j.Many + 1, Conn: connOptions(asIs)})
		if err != nil {
			return err
		}
		ready()
		for {
			c, err := l.Accept(ctx)
			if err != nil {
				return err
			}
			go func() {
				for buf := make([]byte, j.Size); ; {
					m, err := c.RecvInto(ctx, buf)
					if err != nil || c.Send(ctx, m.Data) != nil {
						return // the driver meets it too
					}
				}
			}()
		}
	},
	dial: overMany(socketPing(asIs)),
}

// manyUnixConns is the same with net.UnixConn.
var manyUnixConns = &pinger{
	serve: func(j *Job, ready func()) error {
		raiseDescriptors()
		l, err := net.Listen("unix", socketPath(j))
		if err != nil {
			return err
		}
		ready()
		for {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			go func() {
				r := bufio.NewReader(c)
				for buf := make([]byte, 4+j.Size); ; {
					frame, err := readPrefixed(r, buf)
					if err != nil {
						return // the driver meets it too
					}
					if _, err := c.Write(frame); err != nil {
						return
					}
				}
			}()
		}
	},
	dial: overMany(unixStream.ping()),
}

// manyCalls is for servers that take any number of connections anyway.
//
//go:noinline
func manyCalls(p *pinger) *pinger {
	return &pinger{
		serve: func(j *Job, ready func()) error {
			raiseDescriptors()
			return p.serve(j, ready)
		},
		dial: overMany(p),
	}
}

// manyQueues has a queue for each way there, with a goroutine of the server's
// waiting at each, and one for all answers.
var manyQueues = &pinger{
	serve: func(j *Job, ready func()) error {
		raiseDescriptors()
		out, err := queue.Create(j.Name+"-b", queueOptions(j, false))
		if err != nil {
			return err
		}
		failed := make(chan error)
		for i := range j.Many {
			in, err := queue.Create(manyName(j, i), &queue.Options{Capacity: 16, MaxMessage: j.Size})
			if err != nil {
				return err
			}
			go func() {
				for buf := []byte(nil); ; {
					var err error
					if buf, err = in.GetInto(ctx, buf); err == nil {
						err = out.Put(ctx, buf)
					}
					if err != nil {
						failed <- err
						return
					}
				}
			}()
		}
		ready()
		return <-failed
	},
	dial: func(j *Job) (func([]byte) error, error) {
		raiseDescriptors()
		in, err := queue.Open(j.Name+"-b", nil)
		if err != nil {
			return nil, err
		}
		buf := make([]byte, j.Size)
		calls := make([]func([]byte) error, j.Many)
		for i := range calls {
			out, err := queue.Open(manyName(j, i), nil)
			if err != nil {
				return nil, err
			}
			calls[i] = func(msg []byte) error {
				if err := out.Put(ctx, msg); err != nil {
					return err
				}
				buf, err = in.GetInto(ctx, buf)
				return sameLength(buf, msg, err)
			}
		}
		return takeTurns(calls), nil
	},
}

func manyName(j *Job, i int) string { return fmt.Sprintf("%s-many-%d", j.Name, i) }

// queues are the names of all queues that a job may leave behind.
func (j *Job) queues() []string {
	names := []string{j.Name, j.Name + "-a", j.Name + "-b"}
	for i := range j.Many {
		names = append(names, manyName(j, i))
	}
	return names
}
