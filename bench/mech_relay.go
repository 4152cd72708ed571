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

// relayPing moves a stream into a pipe; its server drains the pipe, in the
// kernel where that can be.
//
//go:noinline
func relayPing(from relaySource, relay bool) *pinger {
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
			_, w, err := pipeSides(2, 1)
			if err != nil {
				return nil, err
			}
			next, err := from.open(j)
			if err != nil {
				return nil, err
			}
			buf := make([]byte, 64<<10)
			return func([]byte) error {
				src, err := next()
				if err != nil {
					return err
				}
				var n int64
				if relay {
					m, err := pipe.Relay(ctx, w, src)
					if err != nil {
						return err
					}
					n = m.Out
				} else if n, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{src}, buf); err != nil {
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
