//go:build unix

package socket

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipcctl/ipc/acl"
)

// The benchmarks run against another process: this binary as a helper. The
// peers are net.UnixConn with a length prefix, in the same run.

func registerBench() bool {
	helpers["bench-echo"] = func(args []string) {
		benchServe(args[0], func(c *Conn, buf []byte) []byte {
			m, err := c.RecvInto(context.Background(), buf)
			if err != nil || c.Send(context.Background(), m.Data) != nil {
				return nil
			}
			return m.Data
		})
	}
	// bench-sink answers an empty message only.
	helpers["bench-sink"] = func(args []string) {
		benchServe(args[0], func(c *Conn, buf []byte) []byte {
			m, err := c.RecvInto(context.Background(), buf)
			if err != nil || len(m.Data) == 0 && c.Send(context.Background(), nil) != nil {
				return nil
			}
			return m.Data
		})
	}
	helpers["bench-net-echo"] = func(args []string) { benchServeNet(args[0], true) }
	helpers["bench-net-sink"] = func(args []string) { benchServeNet(args[0], false) }
	return true
}

var _ = registerBench()

var benchOptions = ConnOptions{MaxMessage: 8 << 20}

func benchServe(path string, serve func(*Conn, []byte) []byte) {
	o := &ListenOptions{Conn: benchOptions}
	if os.Getenv("SOCKET_BENCH_SPIN") != "" {
		o.Conn.Spin = 50 * time.Microsecond
	}
	if os.Getenv("SOCKET_BENCH_BUFFER") != "" {
		o.Conn.WriteBuffer = 4 << 20
	}
	o.Conn.SharedBuffer = maxShared // for those who offer it
	l, err := Listen(path, o)
	if err != nil {
		panic(err)
	}
	c, err := l.Accept(context.Background())
	if err != nil {
		panic(err)
	}
	for buf := make([]byte, 1); buf != nil; {
		buf = serve(c, buf)
	}
}

// netSend and netRecv are what one writes by hand: a length, then the bytes, through a
// bufio.Reader.
func netSend(c net.Conn, frame []byte) error {
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	_, err := c.Write(frame)
	return err
}

func netRecv(r io.Reader, buf []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, buf[:4]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(buf)
	_, err := io.ReadFull(r, buf[4:4+n])
	return buf[:4+n], err
}

func benchServeNet(path string, echo bool) {
	l, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	c, err := l.Accept()
	if err != nil {
		panic(err)
	}
	r, buf := bufio.NewReader(c), make([]byte, 8<<20)
	for {
		f, err := netRecv(r, buf)
		if err != nil {
			return
		}
		if (echo || len(f) == 4) && netSend(c, f) != nil {
			return
		}
	}
}

// benchPeer starts a helper and connects to it.
func benchPeer(b *testing.B, name string, o ConnOptions) *Conn {
	b.Helper()
	path := filepath.Join(b.TempDir(), "s")
	cmd := helper(b, name, path)
	if o.Spin > 0 {
		cmd.Env = append(cmd.Env, "SOCKET_BENCH_SPIN=1")
	}
	if o.WriteBuffer > 0 {
		cmd.Env = append(cmd.Env, "SOCKET_BENCH_BUFFER=1")
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	c, err := Dial(soon(b), path, &DialOptions{Wait: true, Conn: o})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return c
}

func BenchmarkPingPongOtherProcess(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 16 << 10, 1 << 20} {
		name := fmt.Sprintf("%dB", size)
		spin := benchOptions
		spin.Spin = 50 * time.Microsecond
		large := benchOptions
		large.WriteBuffer = 4 << 20
		shared := benchOptions
		shared.SharedBuffer = 256 << 10
		for kind, o := range map[string]ConnOptions{"sleeping": benchOptions, "spinning": spin, "large-buffer": large, "shared": shared} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				c := benchPeer(b, "bench-echo", o)
				msg, buf := pattern(size), make([]byte, size)
				ctx := context.Background()
				b.ReportAllocs()
				for b.Loop() {
					if err := c.Send(ctx, msg); err != nil {
						b.Fatal(err)
					}
					if _, err := c.RecvInto(ctx, buf); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(name+"/net.UnixConn", func(b *testing.B) {
			c := benchPeer(b, "bench-net-echo", benchOptions).NetConn().(*netConn)
			uc := unixConn(b, c)
			r, buf := bufio.NewReader(uc), make([]byte, size+4)
			b.ReportAllocs()
			for b.Loop() {
				if err := netSend(uc, buf); err != nil {
					b.Fatal(err)
				}
				if _, err := netRecv(r, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// unixConn makes a *net.UnixConn of the same socket.
func unixConn(b *testing.B, n *netConn) net.Conn {
	b.Helper()
	f, err := n.c.File()
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	uc, err := net.FileConn(f)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { uc.Close() })
	return uc
}

func BenchmarkStreamOtherProcess(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 64 << 10, 1 << 20} {
		name := fmt.Sprintf("%dB", size)
		large := benchOptions
		large.WriteBuffer = 4 << 20
		shared := benchOptions
		shared.SharedBuffer = 256 << 10
		for kind, o := range map[string]ConnOptions{"buffered": benchOptions, "buffered-large": large, "buffered-shared": shared} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				c := benchPeer(b, "bench-sink", o)
				msg := pattern(size)
				ctx := context.Background()
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if err := c.SendBuffered(ctx, msg); err != nil {
						b.Fatal(err)
					}
				}
				benchDrain(b, c)
			})
		}
		for kind, o := range map[string]ConnOptions{"each": benchOptions, "each-shared": shared} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				c := benchPeer(b, "bench-sink", o)
				msg := pattern(size)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if err := c.Send(context.Background(), msg); err != nil {
						b.Fatal(err)
					}
				}
				benchDrain(b, c)
			})
		}
		b.Run(name+"/net.UnixConn", func(b *testing.B) {
			uc := unixConn(b, benchPeer(b, "bench-net-sink", benchOptions).NetConn().(*netConn))
			buf := make([]byte, size+4)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if err := netSend(uc, buf); err != nil {
					b.Fatal(err)
				}
			}
			if err := netSend(uc, buf[:4]); err != nil {
				b.Fatal(err)
			}
			if _, err := netRecv(uc, buf); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// benchDrain waits until the peer has had everything.
func benchDrain(b *testing.B, c *Conn) {
	b.Helper()
	if err := c.Send(context.Background(), nil); err != nil {
		b.Fatal(err)
	}
	if _, err := c.Recv(context.Background()); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkDialAcceptSameProcess(b *testing.B) {
	path := filepath.Join(b.TempDir(), "s")
	go echo(listen(b, path, nil))
	for b.Loop() {
		c, err := Dial(context.Background(), path, nil)
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}

// BenchmarkIdleConnection reports the memory of a connection that has carried
// a message each way and whose owner waits in Recv.
func BenchmarkIdleConnection(b *testing.B) {
	const n = 1000
	ctx, cancel := context.WithCancel(context.Background())
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var ends []*Conn
		var wg sync.WaitGroup
		for range n / 2 {
			x, y, err := Pair()
			if err != nil {
				b.Fatal(err)
			}
			for _, c := range []*Conn{x, y} {
				if err := c.Send(ctx, []byte("hello")); err != nil {
					b.Fatal(err)
				}
			}
			ends = append(ends, x, y)
		}
		var got atomic.Int64
		for _, c := range ends {
			wg.Go(func() {
				for {
					if _, err := c.Recv(ctx); err != nil {
						return
					}
					got.Add(1)
				}
			})
		}
		eventually(b, "everyone waits", func() bool { return got.Load() == n })
		runtime.GC()
		runtime.ReadMemStats(&after)
		used := after.HeapInuse + after.StackInuse - before.HeapInuse - before.StackInuse
		b.ReportMetric(float64(used)/n, "B/conn")
		for _, c := range ends {
			c.Close()
		}
		wg.Wait()
	}
	cancel()
}

func BenchmarkPeer(b *testing.B) {
	x, _ := pair(b, nil)
	b.Run("asked of the kernel", func(b *testing.B) {
		for b.Loop() {
			if _, err := acl.PeerOf(x); err != nil {
				b.Fatal(err)
			}
		}
	})
}
