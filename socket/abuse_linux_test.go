package socket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

func registerAbuse() bool {
	// victim PATH: echoes; tells its memory and its descriptors on demand.
	helpers["victim"] = func(args []string) {
		l, err := Listen(args[0], &ListenOptions{Mode: 0o666, MaxConnsPerUID: 1500})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		for {
			c, err := l.Accept(context.Background())
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			go serveVictim(c)
		}
	}
	// attacker PATH: attacks in every way at once until it is killed.
	helpers["attacker"] = func(args []string) { attack(args[0]) }
	return true
}

var _ = registerAbuse()

func serveVictim(c *Conn) {
	defer c.Close()
	ctx := context.Background()
	var buf []byte
	for {
		m, err := c.RecvInto(ctx, buf)
		if err != nil {
			return
		}
		m.Close()
		reply := m.Data
		if string(reply) == "state" {
			reply = fmt.Appendf(nil, "%d %d %d", memoryKiB("VmRSS"), memoryKiB("VmHWM"), len(openFiles()))
		}
		if c.Send(ctx, reply) != nil {
			return
		}
		buf = m.Data
	}
}

func memoryKiB(field string) (n int) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), field+":"); ok {
			fmt.Sscan(v, &n)
		}
	}
	return n
}

const slowLoris = 1000

func attack(path string) {
	dial := func() int {
		for {
			fd, err := connectOnce(path)
			if err == nil {
				return fd
			}
			if !errors.Is(err, syscall.EAGAIN) {
				fmt.Fprintln(os.Stderr, "attacker:", err)
				os.Exit(1)
			}
			time.Sleep(time.Millisecond)
		}
	}
	// Half of them stop inside the header, half after part of the payload.
	for i := range slowLoris {
		fd := dial()
		p := []byte("\x00\x0f\xff")
		if i%2 == 0 {
			p = append(p, make([]byte, 5000)...)
		}
		_, _ = sysSend(fd, p, nil, nil)
	}
	fmt.Println("slow ones are connected")
	var done atomic.Int64
	forever := func(f func()) {
		for {
			f()
			if done.Add(1) == 3000 {
				fmt.Println("attacked")
			}
		}
	}
	go forever(func() { // lengths of 4 GiB
		fd := dial()
		_, _ = sysSend(fd, []byte("\xff\xff\xff\xff\x00\x00\x00\x01\x00\x00\x00\x00payload"), nil, nil)
		unix.Close(fd)
	})
	go forever(func() { // floods of descriptors, with and without a message
		fd := dial()
		flood := make([]int, MaxFiles)
		for i := range flood {
			flood[i] = 0
		}
		for _, p := range []string{"\x00\x00\x10\x00", "xx", "yy"} {
			_, _ = sysSend(fd, []byte(p), nil, sysRights(flood))
		}
		unix.Close(fd)
	})
	go forever(func() { // deaths inside a frame
		fd := dial()
		_, _ = sysSend(fd, []byte("\x00\x00\xff\xff0123456789"), nil, nil)
		unix.Close(fd)
	})
	var kept []int
	forever(func() { // as many connections as there may be, and more
		kept = append(kept, dial())
		if len(kept) > 1000 {
			unix.Close(kept[0])
			kept = kept[1:]
		}
	})
}

func TestAbuse(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a few seconds")
	}
	is := is.New(t)
	dir := t.TempDir()
	is.NoErr(os.Chmod(dir, 0o755))
	is.NoErr(os.Chmod(filepath.Dir(dir), 0o755))
	path := filepath.Join(dir, "s")
	victim := helper(t, "victim", path)
	is.NoErr(victim.Start())
	defer func() { _ = victim.Process.Kill(); _ = victim.Wait() }()

	good, err := Dial(soon(t), path, &DialOptions{Wait: true})
	is.NoErr(err)
	defer good.Close()
	state := func() (rss, peak, files int) {
		is.NoErr(good.Send(soon(t), []byte("state")))
		m, err := good.Recv(soon(t))
		is.NoErr(err)
		fmt.Sscan(string(m.Data), &rss, &peak, &files)
		return rss, peak, files
	}
	idle, _, files := state()

	attacker := helper(t, "attacker", path)
	otherUser := os.Geteuid() == 0 && asNobody(t, attacker)
	out, err := attacker.StdoutPipe()
	is.NoErr(err)
	is.NoErr(attacker.Start())

	// The well-behaved client is served throughout, on an old connection, and
	// on new ones if it is another user's.
	var stop atomic.Bool
	var served int
	var wg sync.WaitGroup
	wg.Go(func() {
		for ; !stop.Load() && !t.Failed(); served++ {
			if err := ping(good); err != nil {
				t.Errorf("a client was not served: %v", err)
			}
			if otherUser {
				if err := roundTrip(t, path, nil); err != nil {
					t.Errorf("a new client was not served: %v", err)
				}
			}
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "attacked" {
	}
	stop.Store(true)
	wg.Wait()
	_, peak, during := state()
	is.NoErr(attacker.Process.Kill())
	_, _ = io.Copy(io.Discard, out)
	_ = attacker.Wait()
	t.Logf("%d round trips; memory %d KiB idle, %d KiB at most; descriptors %d before, %d during", served, idle, peak, files, during)
	is.True(during >= files+slowLoris) // they were all there
	if !raceDetector {                 // which needs many times the memory
		is.True(peak-idle <= 64<<10) // KiB
	}
	eventually(t, "descriptors are back where they were", func() bool {
		_, _, now := state()
		return now <= files
	})
}

func ping(c *Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), watchdog)
	defer cancel()
	if err := c.Send(ctx, []byte("ping")); err != nil {
		return err
	}
	_, err := c.Recv(ctx)
	return err
}

// asNobody makes cmd run as a user without rights, if its binary can be run so.
func asNobody(t *testing.T, cmd *exec.Cmd) bool {
	t.Helper()
	const nobody = 65533
	bin := filepath.Join(filepath.Dir(filepath.Clean(t.TempDir())), "bin")
	data, err := os.ReadFile(cmd.Path)
	if err != nil || os.WriteFile(bin, data, 0o755) != nil {
		return false
	}
	cmd.Path = bin
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return true
}
