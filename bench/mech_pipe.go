package main

import (
	"io"
	"os"

	"github.com/ipcctl/ipc/pipe"
)

func pipeSides(in, out int) (*pipe.Reader, *pipe.Writer, error) {
	f, err := pipeEnds(in, out)
	if err != nil {
		return nil, nil, err
	}
	r, err := pipe.NewReader(f[0])
	if err != nil {
		return nil, nil, err
	}
	r.SetLimit(8 << 20)
	w, err := pipe.NewWriter(f[1])
	return r, w, err
}

var pipePing = &pinger{
	serve: func(j *Job, ready func()) error {
		r, w, err := pipeSides(0, 3)
		if err != nil {
			return err
		}
		ready()
		for buf := make([]byte, j.Size); ; {
			m, err := r.RecvInto(ctx, buf)
			if err != nil {
				return err
			}
			j.think()
			if err := w.Send(ctx, m); err != nil {
				return err
			}
		}
	},
	dial: func(j *Job) (func([]byte) error, error) {
		r, w, err := pipeSides(2, 1)
		if err != nil {
			return nil, err
		}
		buf := make([]byte, j.Size)
		return func(msg []byte) error {
			if err := w.Send(ctx, msg); err != nil {
				return err
			}
			m, err := r.RecvInto(ctx, buf)
			return sameLength(m, msg, err)
		}, nil
	},
}

//go:noinline
func pipeFlow(coalesced bool) *flow {
	return &flow{
		setup: nothing,
		produce: func(j *Job) (func([]byte, int) error, func() error, error) {
			f, err := pipeEnds(1)
			if err != nil {
				return nil, nil, err
			}
			w, err := pipe.NewWriter(f[0])
			if err != nil {
				return nil, nil, err
			}
			return func(msg []byte, n int) (err error) {
					for range n {
						if coalesced {
							err = w.SendBuffered(ctx, msg)
						} else {
							err = w.Send(ctx, msg)
						}
						if err != nil {
							return err
						}
					}
					return nil
				}, func() error {
					if err := w.Flush(ctx); err != nil {
						return err
					}
					return w.Close()
				}, nil
		},
		consume: func(j *Job, ready func()) (n int64, err error) {
			f, err := pipeEnds(0)
			if err != nil {
				return 0, err
			}
			r, err := pipe.NewReader(f[0])
			if err != nil {
				return 0, err
			}
			r.SetLimit(8 << 20)
			ready()
			for buf := make([]byte, j.Size); ; n++ {
				if _, err := r.RecvInto(ctx, buf); err == io.EOF {
					return n, nil
				} else if err != nil {
					return n, err
				}
			}
		},
	}
}

// rawFlow carries bytes without any frame; a write is as long as a message, and
// a read takes what there is, at most 64 KiB.
//
//go:noinline
func rawFlow(write func(f *os.File, size int) (io.WriteCloser, error), read func(*os.File) (io.Reader, error)) *flow {
	return &flow{
		setup: nothing,
		produce: func(j *Job) (func([]byte, int) error, func() error, error) {
			f, err := pipeEnds(1)
			if err != nil {
				return nil, nil, err
			}
			w, err := write(f[0], j.Size)
			if err != nil {
				return nil, nil, err
			}
			return func(msg []byte, n int) error {
				for range n {
					if _, err := w.Write(msg); err != nil {
						return err
					}
				}
				return nil
			}, w.Close, nil
		},
		consume: func(j *Job, ready func()) (int64, error) {
			f, err := pipeEnds(0)
			if err != nil {
				return 0, err
			}
			r, err := read(f[0])
			if err != nil {
				return 0, err
			}
			ready()
			total, buf := int64(0), make([]byte, 64<<10)
			for {
				n, err := r.Read(buf)
				total += int64(n)
				if err == io.EOF {
					return total / int64(j.Size), nil
				}
				if err != nil {
					return 0, err
				}
			}
		},
	}
}

var pipeRaw = rawFlow(
	func(f *os.File, _ int) (io.WriteCloser, error) { return pipe.NewWriter(f) },
	func(f *os.File) (io.Reader, error) { return pipe.NewReader(f) })

var osPipeRaw = rawFlow(
	func(f *os.File, size int) (io.WriteCloser, error) {
		if size <= 64<<10 { // as ours
			return f, nil
		}
		return f, setPipeSize(f, roomyPipe)
	},
	func(f *os.File) (io.Reader, error) { return f, nil })
