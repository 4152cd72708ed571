package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/ipcctl/ipc/pipe"
)

// A relaySource gives a stream of Size bytes, again and again.
type relaySource struct {
	serve func(j *Job) error // in the server, if it is what fills the source
	open  func(j *Job) (next func() (io.Reader, error), err error)
}

var fromFile = relaySource{open: func(j *Job) (func() (io.Reader, error), error) {
	path := filepath.Join(j.Dir, "file")
	if err := os.WriteFile(path, make([]byte, j.Size), 0o600); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	return func() (io.Reader, error) {
		_, err := f.Seek(0, io.SeekStart)
		return f, err
	}, err
}}

// fromSocket is a connection for each stream, which the server fills.
var fromSocket = relaySource{
	serve: func(j *Job) error {
		l, err := net.Listen("unix", socketPath(j))
		if err != nil {
			return err
		}
		go func() {
			data := make([]byte, j.Size)
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Write(data) // less than all is an error in the driver
				c.Close()
			}
		}()
		return nil
	},
	open: func(j *Job) (func() (io.Reader, error), error) {
		var last net.Conn
		return func() (_ io.Reader, err error) {
			if last != nil {
				last.Close()
			}
			last, err = net.Dial("unix", socketPath(j))
			return last, err
		}, nil
	},
}

// A mover moves a stream into a pipe.
type mover func(f *os.File) (move func(io.Reader) (int64, error), err error)

func byRelay(f *os.File) (func(io.Reader) (int64, error), error) {
	w, err := pipe.NewWriter(f)
	return func(src io.Reader) (int64, error) {
		m, err := pipe.Relay(ctx, w, src)
		return m.Out, err
	}, err
}

// byCopy is io.Copy as it is: from a socket, os.File splices.
func byCopy(f *os.File) (func(io.Reader) (int64, error), error) {
	return func(src io.Reader) (int64, error) { return io.Copy(f, src) }, nil
}

// byHand copies through user space: what hides the types keeps io.Copy from splicing.
func byHand(f *os.File) (func(io.Reader) (int64, error), error) {
	buf := make([]byte, 64<<10)
	return func(src io.Reader) (int64, error) {
		return io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{src}, buf)
	}, nil
}

// relayPing moves a stream into a pipe; its server drains the pipe, in the
// kernel where that can be, and makes it as large as Relay does.
//
//go:noinline
func relayPing(from relaySource, by mover) *pinger {
	return &pinger{
		serve: func(j *Job, ready func()) error {
			r, _, err := pipeSides(0, 3)
			if err != nil {
				return err
			}
			null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			if from.serve != nil {
				if err := from.serve(j); err != nil {
					return err
				}
			}
			ready()
			_, err = pipe.Relay(ctx, null, r)
			return err
		},
		dial: func(j *Job) (func([]byte) error, error) {
			f, err := pipeEnds(1)
			if err != nil {
				return nil, err
			}
			move, err := by(f[0])
			if err != nil {
				return nil, err
			}
			next, err := from.open(j)
			if err != nil {
				return nil, err
			}
			return func([]byte) error {
				src, err := next()
				if err != nil {
					return err
				}
				n, err := move(src)
				if err != nil {
					return err
				}
				if n != int64(j.Size) {
					return fmt.Errorf("%d bytes were moved of %d", n, j.Size)
				}
				return nil
			}, nil
		},
	}
}
