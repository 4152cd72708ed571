//go:build unix

package shmsync

import (
	"context"
	"os"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// Two words of one shared page: the parent sets ping, the child answers pong.
type pingPong struct{ ping, pong *atomic.Uint32 }

func mapPingPong(f *os.File) (pingPong, error) {
	b, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return pingPong{}, err
	}
	return pingPong{word(b, 0), word(b, 256)}, nil
}

// childEcho answers every ping: echo raw|set.
func childEcho(args []string) error {
	p, err := mapPingPong(os.NewFile(3, "page"))
	if err != nil {
		return err
	}
	wait := waiterOf(args[0])
	go func() { // our parent ended without killing us
		untilParent()
		os.Exit(1)
	}()
	os.Stdout.WriteString("ready\n")
	for n := uint32(1); ; n++ {
		for p.ping.Load() != n {
			wait(p.ping, n-1)
		}
		p.pong.Store(n)
		Wake(p.pong, 1)
	}
}

func waiterOf(kind string) func(w *atomic.Uint32, old uint32) {
	if kind == "raw" {
		return rawWait
	}
	s := NewWaitSet()
	return func(w *atomic.Uint32, old uint32) { _ = s.Wait(context.Background(), w, old, 0) }
}

func BenchmarkPingPongOtherProcessBlocking(b *testing.B) {
	for _, kind := range []string{"raw", "set"} {
		b.Run(kind, func(b *testing.B) {
			f, err := os.CreateTemp(b.TempDir(), "page")
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			if err := f.Truncate(4096); err != nil {
				b.Fatal(err)
			}
			p, err := mapPingPong(f)
			if err != nil {
				b.Fatal(err)
			}
			cmd := start(b, "echo", f, kind)
			defer kill(cmd)
			wait := waiterOf(kind)
			b.ReportAllocs()
			n := uint32(0)
			for b.Loop() {
				n++
				p.ping.Store(n)
				Wake(p.ping, 1)
				for p.pong.Load() != n {
					wait(p.pong, n-1)
				}
			}
		})
	}
}
