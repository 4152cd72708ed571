package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
)

// sameLength is err, or what is wrong with an answer.
func sameLength(got, msg []byte, err error) error {
	if err == nil && len(got) != len(msg) {
		err = fmt.Errorf("an answer of %d bytes to %d", len(got), len(msg))
	}
	return err
}

// prefixed and readPrefixed are what one writes by hand: a length, then the bytes.

// prefixed returns what writes messages of a size to w, the fastest way there is: short ones
// are copied behind their length; what is longer than that pays is not copied.
func prefixed(w io.Writer, size int) func(msg []byte) error {
	frame := make([]byte, 4+size)
	binary.BigEndian.PutUint32(frame, uint32(size))
	switch w.(type) {
	case *net.UnixConn:
		if size >= 64<<10 {
			return func(msg []byte) error {
				parts := net.Buffers{frame[:4], msg}
				_, err := parts.WriteTo(w)
				return err
			}
		}
	case *os.File:
		if size >= 64<<10 {
			return func(msg []byte) error {
				if _, err := w.Write(frame[:4]); err != nil {
					return err
				}
				_, err := w.Write(msg)
				return err
			}
		}
	}
	return func(msg []byte) error {
		copy(frame[4:], msg)
		_, err := w.Write(frame)
		return err
	}
}

// readerFor returns what one reads messages of a size through that follow one another: then a
// length costs no system call of its own, and several short messages come with one. Long ones
// hardly go through the buffer.
func readerFor(r io.Reader, size int) io.Reader {
	if size >= longMessage {
		return bufio.NewReader(r)
	}
	return bufio.NewReaderSize(r, 64<<10)
}

// From longMessage bytes on, ours ask the kernel for more room than a pipe or a socket has at
// first; so whoever writes by hand does.
const (
	longMessage = 16 << 10
	roomyPipe   = 256 << 10
	roomySocket = 512 << 10
)

// makeRoom asks the kernel for as much room as ours do for messages of a size, or for
// many at a time.
func makeRoom(w io.Writer, size int, many bool) error {
	switch w := w.(type) {
	case *net.UnixConn:
		if size >= longMessage {
			return w.SetWriteBuffer(roomySocket)
		}
	case *os.File:
		if size >= longMessage || many {
			return setPipeSize(w, roomyPipe)
		}
	}
	return nil
}

func readPrefixed(r io.Reader, buf []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, buf[:4]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(buf)
	if int(n) > len(buf)-4 {
		return nil, fmt.Errorf("a message of %d bytes", n)
	}
	_, err := io.ReadFull(r, buf[4:4+n])
	return buf[:4+n], err
}

// A stream is how two processes get bytes through.
type stream struct {
	listen func(j *Job, ready func()) (io.Reader, io.Writer, error)
	dial   func(j *Job) (io.Reader, io.Writer, error)
}

var unixStream = stream{
	listen: func(j *Job, ready func()) (io.Reader, io.Writer, error) {
		l, err := net.Listen("unix", socketPath(j))
		if err != nil {
			return nil, nil, err
		}
		ready()
		c, err := l.Accept()
		return c, c, err
	},
	dial: func(j *Job) (io.Reader, io.Writer, error) {
		c, err := net.Dial("unix", socketPath(j))
		return c, c, err
	},
}

var osPipe = stream{
	listen: func(j *Job, ready func()) (io.Reader, io.Writer, error) {
		f, err := pipeEnds(0, 3)
		if err != nil {
			return nil, nil, err
		}
		ready()
		return f[0], f[1], nil
	},
	dial: func(j *Job) (io.Reader, io.Writer, error) {
		f, err := pipeEnds(2, 1)
		if err != nil {
			return nil, nil, err
		}
		return f[0], f[1], nil
	},
}

//go:noinline
func (s stream) ping() *pinger {
	return &pinger{
		serve: func(j *Job, ready func()) error {
			r, w, err := s.listen(j, ready)
			if err == nil {
				err = makeRoom(w, j.Size, false)
			}
			if err != nil {
				return err
			}
			r = bufio.NewReader(r)
			for buf := make([]byte, 4+j.Size); ; {
				frame, err := readPrefixed(r, buf)
				if err != nil {
					return err
				}
				j.think()
				if _, err := w.Write(frame); err != nil {
					return err
				}
			}
		},
		dial: func(j *Job) (func([]byte) error, error) {
			r, w, err := s.dial(j)
			if err == nil {
				err = makeRoom(w, j.Size, false)
			}
			if err != nil {
				return nil, err
			}
			r = bufio.NewReader(r)
			send, buf := prefixed(w, j.Size), make([]byte, 4+j.Size)
			return func(msg []byte) error {
				if err := send(msg); err != nil {
					return err
				}
				got, err := readPrefixed(r, buf)
				if err != nil {
					return err
				}
				return sameLength(got[4:], msg, nil)
			}, nil
		},
	}
}

//go:noinline
func (s stream) flow(buffered bool) *flow {
	return &flow{
		setup: nothing,
		produce: func(j *Job) (func([]byte, int) error, func() error, error) {
			_, w, err := s.dial(j)
			if err == nil {
				err = makeRoom(w, j.Size, buffered)
			}
			if err != nil {
				return nil, nil, err
			}
			out, to := bufio.NewWriterSize(w, 64<<10), w
			if buffered {
				to = out
			}
			send := prefixed(to, j.Size)
			return func(msg []byte, n int) error {
					for range n {
						if err := send(msg); err != nil {
							return err
						}
					}
					return nil
				}, func() error {
					if err := out.Flush(); err != nil {
						return err
					}
					return w.(io.Closer).Close()
				}, nil
		},
		consume: func(j *Job, ready func()) (n int64, err error) {
			r, w, err := s.listen(j, ready)
			if err != nil {
				return 0, err
			}
			if f, ok := w.(*os.File); ok {
				defer f.Close()
			}
			r = readerFor(r, j.Size)
			for buf := make([]byte, 4+j.Size); ; n++ {
				if _, err := readPrefixed(r, buf); err == io.EOF {
					return n, nil
				} else if err != nil {
					return n, err
				}
			}
		},
	}
}

// Echo is the service of net/rpc.
type Echo struct{}

// Echo answers with what it was sent.
func (Echo) Echo(req []byte, reply *[]byte) error {
	*reply = req
	return nil
}

var netRPC = &pinger{
	serve: func(j *Job, ready func()) error {
		l, err := net.Listen("unix", socketPath(j))
		if err != nil {
			return err
		}
		srv := rpc.NewServer()
		if err := srv.Register(Echo{}); err != nil {
			return err
		}
		ready()
		srv.Accept(l)
		return nil
	},
	dial: func(j *Job) (func([]byte) error, error) {
		cl, err := rpc.Dial("unix", socketPath(j))
		if err != nil {
			return nil, err
		}
		return func(msg []byte) error {
			var got []byte
			err := cl.Call("Echo.Echo", msg, &got)
			return sameLength(got, msg, err)
		}, nil
	},
}
