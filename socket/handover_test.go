//go:build unix

package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

func registerHandover() bool {
	// successor PATH: takes the listener over from descriptor 3 and echoes.
	helpers["successor"] = func(args []string) {
		c, err := FromFile(os.NewFile(3, "predecessor"))
		if err == nil {
			var l *Listener
			if l, err = TakeOver(context.Background(), c, nil); err == nil {
				fmt.Println("took over", l.Addr())
				echo(l)
			}
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// predecessor PATH: hands a listener over by descriptor 3.
	helpers["predecessor"] = func(args []string) {
		c, err := FromFile(os.NewFile(3, "successor"))
		if err == nil {
			var l *Listener
			if l, err = Listen(args[0], nil); err == nil {
				err = l.HandOver(context.Background(), c)
			}
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// activated NAME: serves the socket that the service manager passed.
	helpers["activated"] = func(args []string) {
		l, err := ListenActivated(args[0], nil)
		if err == nil {
			_, err = Notify(context.Background(), "READY=1\nSTATUS=serving "+l.Addr())
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		echo(l)
	}
	// service manager ARG…: becomes the program activated, as systemd's child
	// does: LISTEN_PID is its own pid, which exec keeps.
	helpers["service manager"] = func(args []string) {
		self, err := os.Executable()
		if err == nil {
			os.Setenv("SOCKET_TEST_HELPER", "activated")
			os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
			err = syscall.Exec(self, append([]string{self}, args...), os.Environ())
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

var _ = registerHandover()

// startSuccessor starts a process and returns the connection to it.
func startSuccessor(t *testing.T) (*exec.Cmd, *Conn) {
	t.Helper()
	return startPeer(t, "successor")
}

func startPeer(t *testing.T, name string, args ...string) (*exec.Cmd, *Conn) {
	t.Helper()
	is := is.New(t)
	a, b := pair(t, nil)
	f, err := b.File()
	is.NoErr(err)
	cmd := helper(t, name, args...)
	cmd.ExtraFiles = []*os.File{f}
	is.NoErr(cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	is.NoErr(f.Close())
	is.NoErr(b.Close())
	return cmd, a
}

// While listeners come and go, no client is turned away.
func TestHandOverTurnsNobodyAway(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	l := listen(t, path, nil)
	go echo(l)

	var stop atomic.Bool
	var served atomic.Int64
	clients := make(chan error, 2)
	for range cap(clients) {
		go func() {
			var err error
			for err == nil && !stop.Load() {
				if err = roundTrip(t, path, nil); err == nil {
					served.Add(1)
				}
			}
			clients <- err
		}()
	}
	cmd, c := startSuccessor(t)
	eventually(t, "clients are served", func() bool { return served.Load() > 100 })
	is.NoErr(l.HandOver(soon(t), c))
	before := served.Load()
	eventually(t, "the successor serves", func() bool { return served.Load() > before+100 })
	stop.Store(true)
	for range cap(clients) {
		is.NoErr(<-clients)
	}
	_, err := l.Accept(soon(t))
	is.True(errors.Is(err, os.ErrClosed))
	_, err = Listen(path, nil) // the successor holds the lock
	is.True(errors.Is(err, unix.EADDRINUSE))
	is.NoErr(cmd.Process.Kill())
	_ = cmd.Wait()
	l = listen(t, path, nil) // and its death frees it
	go echo(l)
	is.NoErr(roundTrip(t, path, nil))
	is.NoErr(l.Close())
	is.Equal(entries(t, dir), []string{})
}

func TestHandOverWithinAProcess(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	l := listen(t, path, nil)
	a, b := pair(t, nil)
	done := make(chan error)
	go func() { done <- l.HandOver(soon(t), a) }()
	next, err := TakeOver(soon(t), b, nil)
	is.NoErr(err)
	is.NoErr(<-done)
	is.NoErr(l.Close())
	go echo(next)
	is.NoErr(roundTrip(t, path, nil)) // Close of the predecessor removed nothing
	is.NoErr(next.Close())
	is.Equal(entries(t, dir), []string{})
}

func TestHandOverThatFailsChangesNothing(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	l := listen(t, path, nil)
	go echo(l)

	a, b := pair(t, nil)
	b.Close() // the successor is dead
	is.True(l.HandOver(soon(t), a) != nil)
	is.NoErr(roundTrip(t, path, nil))

	a, _ = pair(t, nil) // the successor hangs
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	is.True(errors.Is(l.HandOver(ctx, a), context.DeadlineExceeded))
	is.NoErr(roundTrip(t, path, nil))

	a, b = pair(t, nil) // there is no predecessor
	is.NoErr(a.Send(soon(t), []byte("something else")))
	_, err := TakeOver(soon(t), b, nil)
	is.True(errors.Is(err, os.ErrInvalid))
}

// A predecessor that dies half-way leaves a dead socket, and a successor that
// knows it has nothing.
func TestPredecessorDiesWhileHandingOver(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	cmd, c := startPeer(t, "predecessor", path)
	m, err := c.Recv(soon(t)) // the offer
	is.NoErr(err)
	is.Equal(len(m.Files), 2)
	_, err = Listen(path, nil)
	is.True(errors.Is(err, unix.EADDRINUSE))
	stop(cmd)
	_, err = takeOver(soon(t), c, m, nil)
	is.True(errors.Is(err, ErrPeerClosed))
	_, err = Listen(path, nil) // the offer still has socket and lock
	is.True(errors.Is(err, unix.EADDRINUSE))
	is.NoErr(m.Close())
	l := listen(t, path, nil)
	go echo(l)
	is.NoErr(roundTrip(t, path, nil))
	is.NoErr(l.Close())
	is.Equal(entries(t, dir), []string{})
}

// Close and HandOver at the same time: either the listener ends, and HandOver
// says so, or the successor has it, file and all.
func TestCloseWhileHandingOver(t *testing.T) {
	offered := func(t *testing.T) (l *Listener, a, b *Conn, done chan error) {
		l = listen(t, filepath.Join(t.TempDir(), "s"), nil)
		a, b = pair(t, &ConnOptions{WriteBuffer: 64 << 10}) // less than the longest message
		done = make(chan error, 1)
		go func() { done <- l.HandOver(soon(t), a) }()
		m, err := b.Recv(soon(t))
		is.New(t).NoErr(err)
		t.Cleanup(func() { m.Close() })
		return l, a, b, done
	}
	t.Run("before the successor is ready", func(t *testing.T) {
		is := is.New(t)
		l, a, b, done := offered(t)
		is.NoErr(l.Close())
		is.NoErr(b.Send(soon(t), []byte(handoverReady)))
		is.True(errors.Is(<-done, os.ErrClosed))
		is.NoErr(a.Close())
		_, err := b.Recv(soon(t))
		is.Equal(err, io.EOF) // it was not told that the listener is its own
		is.Equal(entries(t, filepath.Dir(l.Addr())), []string{})
	})
	t.Run("when it is", func(t *testing.T) {
		for _, gone := range []bool{false, true} {
			is := is.New(t)
			l, a, b, done := offered(t)
			sent := make(chan error, 1)
			go func() { sent <- a.Send(soon(t), make([]byte, DefaultMaxMessage)) }() // keeps the word waiting
			eventually(t, "no room", a.out.waiting.Load)
			is.NoErr(b.Send(soon(t), []byte(handoverReady)))
			eventually(t, "the word is on its way", func() bool {
				l.mu.Lock()
				defer l.mu.Unlock()
				return l.own == ownership{}
			})
			is.NoErr(l.Close())
			if gone {
				is.NoErr(b.Close())
				is.True(errors.Is(<-sent, ErrPeerClosed))
				is.True(errors.Is(<-done, ErrPeerClosed))
				is.Equal(entries(t, filepath.Dir(l.Addr())), []string{})
				continue
			}
			_, err := b.Recv(soon(t))
			is.NoErr(err)
			is.NoErr(awaitYours(soon(t), b))
			is.NoErr(<-done)
			is.NoErr(<-sent)
			is.Equal(entries(t, filepath.Dir(l.Addr())), []string{"s", "s.lock"}) // the successor's
		}
	})
}

// What has no lock passes too: a socket that was inherited, an abstract name.
func TestHandOverWithoutALock(t *testing.T) {
	pass := func(t *testing.T, l *Listener) *Listener {
		is := is.New(t)
		a, b := pair(t, nil)
		done := make(chan error, 1)
		go func() { done <- l.HandOver(soon(t), a) }()
		next, err := TakeOver(soon(t), b, nil)
		is.NoErr(err)
		t.Cleanup(func() { next.Close() })
		is.NoErr(<-done)
		go echo(next)
		is.NoErr(roundTrip(t, next.Addr(), nil))
		is.Equal(next.Addr(), l.Addr())
		return next
	}
	t.Run("inherited", func(t *testing.T) {
		is := is.New(t)
		l := listen(t, filepath.Join(t.TempDir(), "s"), nil)
		files, err := l.passable()
		is.NoErr(err)
		defer closeFiles(files)
		inherited, err := ListenFile(files[0], nil)
		is.NoErr(err)
		is.NoErr(pass(t, inherited).Close())
		is.Equal(entries(t, filepath.Dir(l.Addr())), []string{"s", "s.lock"}) // l's
	})
	t.Run("abstract", func(t *testing.T) {
		if !hasAbstract {
			t.Skip("abstract names are a matter of Linux")
		}
		pass(t, listen(t, fmt.Sprintf("@ipc-socket-test-handover-%d", os.Getpid()), nil))
	})
}

func TestActivationEnvironment(t *testing.T) {
	env := func(pairs ...string) func(string) string {
		return func(k string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == k {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	for name, tc := range map[string]struct {
		env  func(string) string
		want string
		fd   int
		err  error
	}{
		"by name":       {env("LISTEN_PID", "7", "LISTEN_FDS", "2", "LISTEN_FDNAMES", "a:b"), "b", 4, nil},
		"the only one":  {env("LISTEN_PID", "7", "LISTEN_FDS", "1"), "", 3, nil},
		"which one":     {env("LISTEN_PID", "7", "LISTEN_FDS", "2", "LISTEN_FDNAMES", "a:b"), "", 0, os.ErrInvalid},
		"no such name":  {env("LISTEN_PID", "7", "LISTEN_FDS", "1", "LISTEN_FDNAMES", "a:b"), "b", 0, os.ErrNotExist},
		"for another":   {env("LISTEN_PID", "8", "LISTEN_FDS", "1"), "", 0, os.ErrNotExist},
		"not activated": {env(), "", 0, os.ErrNotExist},
		"nonsense":      {env("LISTEN_PID", "7", "LISTEN_FDS", "-1"), "", 0, os.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			fd, err := activated(tc.want, 7, tc.env)
			is.True(errors.Is(err, tc.err))
			if tc.err == nil {
				is.Equal(fd, tc.fd)
			}
		})
	}
	_, err := ListenActivated("", nil)
	is.New(t).True(errors.Is(err, os.ErrNotExist))
}

// A process is started the way systemd does it, and tells that it is ready.
func TestActivatedProcess(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	l := listen(t, path, nil)
	files, err := l.passable()
	is.NoErr(err)
	defer closeFiles(files)

	notify, err := sysDatagramSocket()
	is.NoErr(err)
	defer sysClose(notify)
	is.NoErr(unix.Bind(notify, &unix.SockaddrUnix{Name: filepath.Join(dir, "notify")}))

	cmd := helper(t, "service manager", "web")
	cmd.Env = append(cmd.Env, "LISTEN_FDS=1", "LISTEN_FDNAMES=web", "NOTIFY_SOCKET="+filepath.Join(dir, "notify"))
	cmd.ExtraFiles = files[:1]
	is.NoErr(cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()

	is.NoErr(unix.SetsockoptTimeval(notify, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 60}))
	buf := make([]byte, 200)
	n, err := unix.Read(notify, buf)
	is.NoErr(err)
	is.Equal(string(buf[:n]), "READY=1\nSTATUS=serving "+path)
	is.NoErr(roundTrip(t, path, nil))
}

func TestSystemdSocketActivate(t *testing.T) {
	tool, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip(err)
	}
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	self, err := os.Executable()
	is.NoErr(err)
	cmd := exec.Command(tool, "--fdname=web", "-E", "SOCKET_TEST_HELPER=activated", "-l", path, self, "web")
	cmd.Stderr = os.Stderr
	is.NoErr(cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	is.NoErr(roundTrip(t, path, &DialOptions{Wait: true}))
}

// A program that knows nothing but bytes speaks the frame.
func TestSocat(t *testing.T) {
	tool, err := exec.LookPath("socat")
	if err != nil {
		t.Skip(err)
	}
	frames := "\x00\x00\x00\x05hello\x00\x00\x00\x00"
	t.Run("client", func(t *testing.T) {
		is := is.New(t)
		path := filepath.Join(t.TempDir(), "s")
		go echo(listen(t, path, nil))
		// -t: for so long after its input has ended it waits for the server's end.
		cmd := exec.CommandContext(soon(t), tool, "-t", "60", "-", "UNIX-CONNECT:"+path)
		cmd.Stdin = strings.NewReader(frames)
		out, err := cmd.Output()
		is.NoErr(err)
		is.Equal(string(out), frames)
	})
	t.Run("server", func(t *testing.T) {
		is := is.New(t)
		path := filepath.Join(t.TempDir(), "s")
		cmd := exec.CommandContext(soon(t), tool, "UNIX-LISTEN:"+path, "EXEC:cat")
		cmd.Stderr = os.Stderr
		is.NoErr(cmd.Start())
		is.NoErr(roundTrip(t, path, &DialOptions{Wait: true}))
		is.NoErr(cmd.Wait())
	})
}

// A manager that is behind with reading is waited for, until the context ends.
func TestNotifyWaitsForTheManager(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "notify")
	t.Setenv("NOTIFY_SOCKET", path)
	fd, err := sysDatagramSocket()
	is.NoErr(err)
	defer sysClose(fd)
	is.NoErr(unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	for err == nil { // until there is no room
		err = sysSendDatagram(path, []byte("x"))
	}
	is.True(errors.Is(err, unix.EAGAIN))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	told, err := Notify(ctx, "READY=1")
	is.True(errors.Is(err, context.DeadlineExceeded))
	is.True(!told)
	done := make(chan error, 1)
	go func() { _, err := Notify(soon(t), "READY=1"); done <- err }()
	buf := make([]byte, 10)
	_, err = unix.Read(fd, buf)
	is.NoErr(err)
	is.NoErr(<-done)
	var last string
	is.NoErr(unix.SetNonblock(fd, true))
	for n := 0; err == nil; last = string(buf[:max(n, 0)]) {
		if n, err = unix.Read(fd, buf); err != nil {
			break
		}
	}
	is.Equal(last, "READY=1")
}

func TestNotifyWithoutManager(t *testing.T) {
	is := is.New(t)
	t.Setenv("NOTIFY_SOCKET", "")
	told, err := Notify(t.Context(), "READY=1")
	is.NoErr(err)
	is.True(!told)
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	_, err = Notify(t.Context(), "READY=1")
	is.True(errors.Is(err, os.ErrNotExist))
	is.True(strings.Contains(err.Error(), "gone"))
}
