//go:build unix

package pipe

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// The other process of every benchmark. Each reads on descriptor 3 and, where
// it answers, writes on 4.
func init() {
	// drain: throws bytes away, by the kernel where it can.
	roles["drain"] = func([]string) error {
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		r, err := NewReader(os.NewFile(3, ""))
		if err != nil {
			return err
		}
		_, err = Relay(context.Background(), null, r)
		return err
	}
	// read: reads bytes into user space.
	roles["read"] = func([]string) error {
		r, err := NewReader(os.NewFile(3, ""))
		if err != nil {
			return err
		}
		return readBytes(r)
	}
	roles["read os"] = func([]string) error { return readBytes(nonblocking(3)) }
	// recv N: receives N messages and answers.
	roles["recv"] = func(args []string) error {
		ctx := context.Background()
		r, err := NewReader(os.NewFile(3, ""))
		if err != nil {
			return err
		}
		var buf []byte
		for range atoi(args[0]) {
			if buf, err = r.RecvInto(ctx, buf); err != nil {
				return err
			}
		}
		_, err = os.NewFile(4, "").Write([]byte{1})
		return err
	}
	roles["recv os"] = func(args []string) error {
		r := bufio.NewReader(nonblocking(3))
		var buf []byte
		for range atoi(args[0]) {
			var err error
			if buf, err = readPrefixed(r, buf); err != nil {
				return err
			}
		}
		_, err := os.NewFile(4, "").Write([]byte{1})
		return err
	}
	// pong: sends every message back.
	roles["pong"] = func([]string) error {
		ctx := context.Background()
		r, err := NewReader(os.NewFile(3, ""))
		if err != nil {
			return err
		}
		w, err := NewWriter(os.NewFile(4, ""))
		if err != nil {
			return err
		}
		var buf []byte
		for {
			if buf, err = r.RecvInto(ctx, buf); err != nil {
				return nil
			}
			if err = w.Send(ctx, buf); err != nil {
				return err
			}
		}
	}
	roles["pong os"] = func([]string) error {
		r, w := bufio.NewReader(nonblocking(3)), prefixed{w: nonblocking(4)}
		var buf []byte
		for {
			var err error
			if buf, err = readPrefixed(r, buf); err != nil {
				return nil
			}
			if err = w.send(buf); err != nil {
				return err
			}
		}
	}
}

func readBytes(r io.Reader) error {
	buf := make([]byte, 64<<10)
	for {
		if _, err := r.Read(buf); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// nonblocking wraps an inherited descriptor as os.Pipe does.
func nonblocking(fd int) *os.File {
	f, err := nonblock(fd, "")
	if err != nil {
		panic(err)
	}
	return f
}

// prefixed and readPrefixed are what people write on os.Pipe: a length and the bytes, one
// write for both unless they are long, and a bufio.Reader.
type prefixed struct {
	w     *os.File
	frame []byte // reused
}

func (p *prefixed) send(msg []byte) error {
	p.frame = binary.BigEndian.AppendUint32(p.frame[:0], uint32(len(msg)))
	if len(msg) < 64<<10 {
		p.frame = append(p.frame, msg...)
		_, err := p.w.Write(p.frame)
		return err
	}
	if _, err := p.w.Write(p.frame); err != nil {
		return err
	}
	_, err := p.w.Write(msg)
	return err
}

func readPrefixed(r io.Reader, buf []byte) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(head[:]))
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	_, err := io.ReadFull(r, buf)
	return buf, err
}

// child is another process that has the read end of w and the write end of r.
type child struct {
	cmd *exec.Cmd
	w   *os.File
	r   *os.File
}

func startChild(b *testing.B, role string, args ...string) *child {
	b.Helper()
	in, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	r, out, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd := self(role, args...)
	cmd.ExtraFiles = []*os.File{in, out}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	in.Close()
	out.Close()
	c := &child{cmd, w, r}
	b.Cleanup(func() {
		c.w.Close()
		c.r.Close()
		_ = cmd.Wait()
	})
	return c
}

// ours makes the child's pipes a Reader and a Writer.
func (c *child) ours(b *testing.B) (*Reader, *Writer) {
	b.Helper()
	r, err := NewReader(c.r)
	return closing(b, r, err), c.writer(b)
}

func (c *child) writer(b *testing.B) *Writer {
	b.Helper()
	w, err := NewWriter(c.w)
	return closing(b, w, err)
}

var benchSizes = []struct {
	name string
	n    int
}{{"64B", 64}, {"4KiB", 4 << 10}, {"64KiB", 64 << 10}, {"1MiB", 1 << 20}}

// Bytes one way to another process.
func BenchmarkRawOtherProcess(b *testing.B) {
	for _, size := range benchSizes {
		p := pattern(size.n)
		b.Run(size.name+"/pipe", func(b *testing.B) {
			_, w := startChild(b, "read").ours(b)
			run(b, size.n, func() error { _, err := w.Write(p); return err })
		})
		b.Run(size.name+"/os.Pipe", func(b *testing.B) {
			c := startChild(b, "read os")
			run(b, size.n, func() error { _, err := c.w.Write(p); return err })
		})
	}
}

func run(b *testing.B, size int, turn func() error) {
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if err := turn(); err != nil {
			b.Fatal(err)
		}
	}
}

// Messages one way to another process. The clock stops when it has the last.
func BenchmarkMessagesOtherProcess(b *testing.B) {
	ctx := context.Background()
	for _, size := range benchSizes {
		p := pattern(size.n)
		b.Run(size.name+"/SendBuffered", func(b *testing.B) {
			oneWay(b, size.n, "recv", func(b *testing.B, c *child, n int) error {
				w := c.writer(b)
				for range n {
					if err := w.SendBuffered(ctx, p); err != nil {
						return err
					}
				}
				return w.Flush(ctx)
			})
		})
		b.Run(size.name+"/Send", func(b *testing.B) {
			oneWay(b, size.n, "recv", func(b *testing.B, c *child, n int) error {
				w := c.writer(b)
				for range n {
					if err := w.Send(ctx, p); err != nil {
						return err
					}
				}
				return nil
			})
		})
		b.Run(size.name+"/os.Pipe", func(b *testing.B) {
			oneWay(b, size.n, "recv os", func(b *testing.B, c *child, n int) error {
				w := prefixed{w: c.w}
				for range n {
					if err := w.send(p); err != nil {
						return err
					}
				}
				return nil
			})
		})
		b.Run(size.name+"/os.Pipe and bufio", func(b *testing.B) {
			oneWay(b, size.n, "recv os", func(b *testing.B, c *child, n int) error {
				w := bufio.NewWriterSize(c.w, 64<<10)
				var head [4]byte
				for range n {
					binary.BigEndian.PutUint32(head[:], uint32(len(p)))
					w.Write(head[:])
					if _, err := w.Write(p); err != nil {
						return err
					}
				}
				return w.Flush()
			})
		})
	}
}

func oneWay(b *testing.B, size int, role string, send func(*testing.B, *child, int) error) {
	b.SetBytes(int64(size))
	b.ReportAllocs()
	c := startChild(b, role, strconv.Itoa(b.N))
	b.ResetTimer()
	if err := send(b, c, b.N); err != nil {
		b.Fatal(err)
	}
	if _, err := c.r.Read(make([]byte, 1)); err != nil {
		b.Fatal(err)
	}
}

// One message there and back.
func BenchmarkPingPongOtherProcess(b *testing.B) {
	ctx := context.Background()
	for _, size := range benchSizes {
		p := pattern(size.n)
		b.Run(size.name+"/pipe", func(b *testing.B) {
			r, w := startChild(b, "pong").ours(b)
			var buf []byte
			run(b, size.n, func() (err error) {
				if err = w.Send(ctx, p); err == nil {
					buf, err = r.RecvInto(ctx, buf)
				}
				return err
			})
		})
		b.Run(size.name+"/os.Pipe", func(b *testing.B) {
			c := startChild(b, "pong os")
			r, w := bufio.NewReader(c.r), prefixed{w: c.w}
			var buf []byte
			run(b, size.n, func() (err error) {
				if err = w.send(p); err == nil {
					buf, err = readPrefixed(r, buf)
				}
				return err
			})
		})
	}
}

// cpuTime returns the nanoseconds of CPU time that this process has had: what an
// operation costs, whatever other processes do meanwhile.
func cpuTime() int64 {
	var ru syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru) // its arguments are sound
	return ru.Utime.Nano() + ru.Stime.Nano()
}

// 64 KiB at a time into a pipe whose other end, another process, throws them
// away in the kernel: what is measured is the relaying side.
func BenchmarkRelayToPipe(b *testing.B) {
	const chunk, chunks = 64 << 10, 256
	for _, from := range []string{"file", "unix"} {
		source := func(b *testing.B) func() io.Reader {
			if from == "file" {
				return fileSource(b, chunk*chunks)
			}
			return socketSource(b)
		}
		for name, copy := range map[string]func(w *Writer, src io.Reader) (int64, error){
			"Relay": func(w *Writer, src io.Reader) (int64, error) {
				m, err := Relay(context.Background(), w, src)
				return m.Out, err
			},
			"io.Copy in user space": func(w *Writer, src io.Reader) (int64, error) {
				return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{src}, make([]byte, chunk))
			},
		} {
			b.Run(fmt.Sprintf("%s/%s", from, name), func(b *testing.B) {
				_, w := startChild(b, "drain").ours(b)
				next := source(b)
				b.ReportAllocs()
				b.SetBytes(chunk * chunks)
				before := cpuTime()
				for b.Loop() {
					if n, err := copy(w, next()); err != nil || n != chunk*chunks {
						b.Fatal(n, err)
					}
				}
				b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// fileSource returns a file of n bytes, at its start, again and again.
func fileSource(b *testing.B, n int) func() io.Reader {
	b.Helper()
	path := filepath.Join(b.TempDir(), "file")
	if err := os.WriteFile(path, pattern(n), 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := os.Open(path)
	f = closing(b, f, err)
	return func() io.Reader {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		return f
	}
}

func init() {
	// pour PATH: fills a socket with 16 MiB for every connection.
	roles["pour"] = func(args []string) error {
		p := make([]byte, 64<<10)
		for {
			c, err := net.Dial("unix", args[0])
			if err != nil {
				return nil // the benchmark is over
			}
			for range 256 {
				if _, err := c.Write(p); err != nil {
					return nil
				}
			}
			c.Close()
		}
	}
}

// socketSource returns connections that another process fills.
func socketSource(b *testing.B) func() io.Reader {
	b.Helper()
	path := filepath.Join(b.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	ln = closing(b, ln, err)
	startSelf(b, "pour", path)
	return func() io.Reader {
		c, err := ln.Accept()
		return closing(b, c, err)
	}
}

// One write and one read of bytes that never wait: the cost of the calls.
func BenchmarkRawSameGoroutine64B(b *testing.B) {
	p, buf := pattern(64), make([]byte, 64)
	turn := func(r io.Reader, w io.Writer) func() error {
		return func() error {
			if _, err := w.Write(p); err != nil {
				return err
			}
			_, err := r.Read(buf)
			return err
		}
	}
	b.Run("pipe", func(b *testing.B) {
		r, w, err := New()
		r, w = closing(b, r, err), closing(b, w, err)
		run(b, len(p), turn(r, w))
	})
	b.Run("os.Pipe", func(b *testing.B) {
		r, w, err := os.Pipe()
		r, w = closing(b, r, err), closing(b, w, err)
		run(b, len(p), turn(r, w))
	})
}
