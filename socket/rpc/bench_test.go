//go:build unix

package rpc

import (
	"context"
	"fmt"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipcctl/ipc/acl"
	"github.com/ipcctl/ipc/socket"
)

// The benchmarks call another process: this binary as a helper. net/rpc is
// there for comparison, in the same run.
//
// Spinning pays where both processes have a CPU. The kernel tends to put them
// on the same one; this gives each its own:
//
//	RPC_BENCH_LAUNCH="taskset -c 1" taskset -c 0 go test -run xx -bench Unary .

func TestMain(m *testing.M) {
	switch os.Getenv("RPC_TEST_HELPER") {
	case "":
		code := m.Run()
		if code == 0 {
			code = leftRunning()
		}
		os.Exit(code)
	case "server":
		l, err := socket.Listen(os.Args[1], &socket.ListenOptions{Conn: benchConn()})
		if err != nil {
			panic(err)
		}
		_ = testServer().Serve(l)
	case "net/rpc":
		l, err := socket.Listen(os.Args[1], nil)
		if err != nil {
			panic(err)
		}
		srv := rpc.NewServer()
		if err := srv.RegisterName("Bench", new(netEcho)); err != nil {
			panic(err)
		}
		srv.Accept(l.NetListener())
	}
}

// leftRunning reports goroutines of this package that tests left behind. Those
// whose connection has just gone may be on their way out.
func leftRunning() int {
	var stacks string
	for range 200 {
		buf := make([]byte, 1<<20)
		stacks = string(buf[:runtime.Stack(buf, true)])
		if !strings.Contains(stacks, "socket/rpc.(*") {
			return 0
		}
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Fprintln(os.Stderr, "left running:\n"+stacks)
	return 1
}

type netEcho struct{}

// Echo is called by package net/rpc.
func (*netEcho) Echo(req []byte, reply *[]byte) error {
	*reply = req
	return nil
}

func benchConn() (o socket.ConnOptions) {
	if os.Getenv("RPC_BENCH_SPIN") != "" {
		o.Spin = 50 * time.Microsecond
	}
	if os.Getenv("RPC_BENCH_SHARED") != "" {
		o.SharedBuffer = 256 << 10
	}
	return o
}

func benchServer(b *testing.B, name string) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "s")
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	args := append(strings.Fields(os.Getenv("RPC_BENCH_LAUNCH")), self, path)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "RPC_TEST_HELPER="+name)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return path
}

func BenchmarkUnaryOtherProcess64B(b *testing.B) {
	ctx := context.Background()
	req := make([]byte, 64)
	for _, name := range []string{"as is", "RPC_BENCH_SPIN", "RPC_BENCH_SHARED"} {
		b.Run(name, func(b *testing.B) {
			b.Setenv(name, "1")
			cl := Dial(benchServer(b, "server"), &ClientOptions{Socket: &socket.DialOptions{Wait: true, Conn: benchConn()}})
			defer cl.Close()
			call := func() {
				if _, err := cl.Call(ctx, "/echo", req); err != nil {
					b.Error(err)
				}
			}
			call()
			b.Run("1 in flight", func(b *testing.B) {
				oneInFlight(b, call)
			})
			b.Run("64 in flight", func(b *testing.B) {
				b.ReportAllocs()
				inFlight(b, 64, call)
			})
		})
	}
	b.Run("net/rpc", func(b *testing.B) {
		c, err := socket.Dial(ctx, benchServer(b, "net/rpc"), &socket.DialOptions{Wait: true})
		if err != nil {
			b.Fatal(err)
		}
		cl := rpc.NewClient(c.NetConn())
		defer cl.Close()
		call := func() {
			var reply []byte
			if err := cl.Call("Bench.Echo", req, &reply); err != nil {
				b.Error(err)
			}
		}
		call()
		b.Run("1 in flight", func(b *testing.B) {
			oneInFlight(b, call)
		})
		b.Run("64 in flight", func(b *testing.B) {
			b.ReportAllocs()
			inFlight(b, 64, call)
		})
	})
}

// oneInFlight makes one call after the other, and reports the median too: a
// mean says little where others want the CPU.
func oneInFlight(b *testing.B, call func()) {
	b.ReportAllocs()
	took := make([]time.Duration, 0, 1<<20)
	for b.Loop() {
		start := time.Now()
		call()
		if len(took) < cap(took) {
			took = append(took, time.Since(start))
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
}

// inFlight makes b.N calls from n goroutines.
func inFlight(b *testing.B, n int, call func()) {
	left := atomic.Int64{}
	left.Store(int64(b.N))
	b.ResetTimer()
	done := make(chan struct{})
	for range n {
		go func() {
			for left.Add(-1) >= 0 {
				call()
			}
			done <- struct{}{}
		}()
	}
	for range n {
		<-done
	}
}

// What a policy adds to each call, on the server.
func BenchmarkPolicyPerCall(b *testing.B) {
	rules := strings.Builder{}
	for uid := range 100 {
		fmt.Fprintf(&rules, "allow uid:%d call rpc:/jobs/**\n", 1000+uid)
	}
	policy, err := acl.Parse("bench", []byte(rules.String()))
	if err != nil {
		b.Fatal(err)
	}
	a, c, err := socket.Pair()
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	defer c.Close()
	peer := a.Peer()
	peer.UID, peer.Groups = 1099, []uint32{4, 24, 27, 1099}
	b.ReportAllocs()
	for b.Loop() {
		if !policy.Check(peer, "call", "rpc:/jobs/Add").Allowed {
			b.Fatal("denied")
		}
	}
}
