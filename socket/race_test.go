//go:build unix

package socket

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var races = flag.Int("races", 300, "how many times servers fight for one path")

func registerRacer() bool {
	// racer PATH: for each line "listen" tries to own the path. It prints
	// "owner" or "busy", or what went wrong. An owner answers with its pid
	// until the line "close". So it goes on until it is killed.
	helpers["racer"] = func(args []string) {
		in := bufio.NewScanner(os.Stdin)
		var l *Listener
		for in.Scan() {
			switch in.Text() {
			case "listen":
				var err error
				l, err = Listen(args[0], nil)
				switch {
				case err == nil:
					go answerPID(l)
					fmt.Println("owner")
				case errors.Is(err, syscall.EADDRINUSE):
					fmt.Println("busy")
				default:
					fmt.Println(err)
				}
			case "close":
				if err := l.Close(); err != nil {
					fmt.Println(err)
				} else {
					fmt.Println("closed")
				}
			}
		}
	}
	return true
}

var _ = registerRacer()

func answerPID(l *Listener) {
	for {
		c, err := l.Accept(context.Background())
		if err != nil {
			return
		}
		_ = c.Send(context.Background(), []byte(strconv.Itoa(os.Getpid())))
		c.Close()
	}
}

// racer is a process that fights for the path.
type racer struct {
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Scanner
}

func startRacer(t *testing.T, path string) *racer {
	t.Helper()
	cmd := helper(t, "racer", path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &racer{cmd, in, bufio.NewScanner(out)}
}

func (r *racer) say(line string) { fmt.Fprintln(r.in, line) }

func (r *racer) hear() string {
	if !r.out.Scan() {
		return "dead"
	}
	return r.out.Text()
}

func (r *racer) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

// Servers start, stop and are killed on one path. There is never more than one
// owner; a path without an owner gets one; and as long as an owner lives, its
// socket is there and it is the one who answers.
func TestOneOwnerWhateverHappens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	racers := make([]*racer, 3)
	for i := range racers {
		racers[i] = startRacer(t, path)
	}
	defer func() {
		for _, r := range racers {
			r.kill()
		}
	}()

	rounds := *races
	if testing.Short() {
		rounds = min(rounds, 50)
	}
	var owner *racer
	for round := range rounds {
		for _, r := range racers {
			if r != owner {
				r.say("listen")
			}
		}
		var all []string
		won := owner
		for _, r := range racers {
			if r == owner {
				continue
			}
			verdict := r.hear()
			all = append(all, verdict)
			switch {
			case verdict == "owner" && won == nil:
				won = r
			case verdict == "owner":
				t.Fatalf("round %d: two owners: %q", round, all)
			case verdict != "busy":
				t.Fatalf("round %d: %q", round, all)
			}
		}
		if won == nil {
			t.Fatalf("round %d: no owner of a free path: %q", round, all)
		}
		owner = won
		if who := whoAnswers(t, path); who != owner.cmd.Process.Pid {
			t.Fatalf("round %d: process %d answers, owner is %d", round, who, owner.cmd.Process.Pid)
		}
		switch rng.IntN(4) {
		case 0: // the owner stays, and is attacked again
		case 1: // closes while the others already try
			owner.say("close")
			for _, r := range racers {
				if r != owner {
					r.say("listen")
				}
			}
			if got := owner.hear(); got != "closed" {
				t.Fatalf("round %d: close: %s", round, got)
			}
			closer := owner
			owner = nil
			for _, r := range racers {
				if r == closer {
					continue
				}
				switch got := r.hear(); {
				case got == "owner" && owner == nil:
					owner = r
				case got != "busy":
					t.Fatalf("round %d: while another closes: %s", round, got)
				}
			}
		default: // is killed, at any moment
			owner.kill()
			for i, r := range racers {
				if r == owner {
					racers[i] = startRacer(t, path)
				}
			}
			owner = nil
		}
	}
}

func whoAnswers(t *testing.T, path string) int {
	t.Helper()
	c, err := Dial(soon(t), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m, err := c.Recv(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := strconv.Atoi(string(m.Data))
	if int(c.Peer().PID) != pid {
		t.Fatalf("process %d answers for process %d", pid, c.Peer().PID)
	}
	return pid
}

// Processes are killed at random moments of Listen and Close: whatever is left
// behind, the next Listen succeeds.
func TestKilledWhileListening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	rounds := *races / 10
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		r := startRacer(t, path)
		var dead atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			for !dead.Load() {
				r.say("listen\nclose")
			}
		}()
		r.hear() // it has begun
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
		r.kill()
		dead.Store(true)
		<-done
		l, err := Listen(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if left := entries(t, filepath.Dir(path)); len(left) != 0 {
		t.Fatalf("left behind: %q", left)
	}
}
