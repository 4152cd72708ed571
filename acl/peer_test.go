//go:build linux || darwin

package acl

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

func init() {
	helpers["connect"] = func() {
		if who := os.Getenv("ACL_TEST_WHO"); who != "" {
			become(who)
		}
		c, err := net.Dial("unix", os.Args[1])
		if err != nil {
			panic(err)
		}
		if len(os.Args) > 2 { // leave at once
			return
		}
		io.Copy(io.Discard, c) // until the server hangs up, or a signal comes
	}
}

// emulatorEnv is a program that runs this test binary, where the kernel cannot
// by itself: qemu-aarch64-static for example.
const emulatorEnv = "IPC_TEST_EMULATOR"

// helper prepares to run the named helper process with args.
func helper(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{self}, args...)
	if emulator := os.Getenv(emulatorEnv); emulator != "" {
		args = append([]string{emulator}, args...)
	}
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "ACL_TEST_HELPER="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

// within waits for done, or fails after the watchdog's time.
func within(t testing.TB, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(watchdog):
		t.Fatalf("%s: not within %v", what, watchdog)
	}
}

// become gives up root for "uid gid first-group number-of-groups".
func become(who string) {
	var uid, gid, first, n int64
	if _, err := fmt.Sscan(who, &uid, &gid, &first, &n); err != nil {
		panic(err)
	}
	groups := make([]int, n)
	for i := range groups {
		groups[i] = int(uint32(first)) + i
	}
	if err := errors.Join(syscall.Setgroups(groups), syscall.Setgid(int(uint32(gid))), syscall.Setuid(int(uint32(uid)))); err != nil {
		panic(err)
	}
}

// dialed starts a client process and returns the server's end.
func dialed(t *testing.T, who string, extra ...string) (*net.UnixConn, *os.Process, func()) {
	t.Helper()
	is := is.New(t)
	dir, err := os.MkdirTemp("", "acl") // t.TempDir's names may exceed a socket address
	is.NoErr(err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	is.NoErr(os.Chmod(dir, 0o755))
	path := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	is.NoErr(err)
	defer l.Close()
	is.NoErr(os.Chmod(path, 0o666))
	cmd := helper(t, "connect", append([]string{path}, extra...)...)
	cmd.Env = append(cmd.Env, "ACL_TEST_WHO="+who)
	is.NoErr(cmd.Start())
	c, err := l.AcceptUnix()
	is.NoErr(err)
	t.Cleanup(func() { c.Close() })
	return c, cmd.Process, func() { cmd.Wait() }
}

func TestPeerOfProcess(t *testing.T) {
	is := is.New(t)
	c, child, wait := dialed(t, "")
	defer wait()
	defer child.Kill()
	s, err := PeerOf(c)
	is.NoErr(err)
	self, err := Self()
	is.NoErr(err)
	is.Equal(s.UID, self.UID)
	is.Equal(s.GID, self.GID)
	is.Equal(int(s.PID), child.Pid)
	start, running, err := processStart(s.PID)
	is.NoErr(err)
	is.True(running)
	is.Equal(s.StartTime, start)
	is.True(s.StartTime >= self.StartTime)
	is.True(s.Knows(FieldID | FieldGroups | FieldPID | FieldStartTime))
}

func TestPeerOfOtherUsers(t *testing.T) {
	asRoot(t)
	for name, tc := range map[string]struct{ uid, gid, first, n int64 }{
		"user and groups":   {1234, 2345, 7, 3},
		"no groups":         {1234, 2345, 0, 0},
		"overflow uid":      {65534, 65534, 65534, 1},
		"the last id":       {1<<32 - 2, 1<<32 - 2, 1<<32 - 2, 1},
		"33 groups":         {5, 6, 1000, 33},
		"as many as can be": {5, 6, 1000, 65536},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			c, child, wait := dialed(t, fmt.Sprint(tc.uid, tc.gid, tc.first, tc.n))
			defer wait()
			defer child.Kill()
			s, err := PeerOf(c)
			is.NoErr(err)
			is.Equal(int64(s.UID), tc.uid)
			is.Equal(int64(s.GID), tc.gid)
			is.Equal(len(s.Groups), int(tc.n))
			for i, g := range s.Groups {
				is.Equal(int64(g), tc.first+int64(i)) // the kernel keeps them sorted
			}
			is.Equal(int(s.PID), child.Pid)
			is.True(s.Knows(FieldID | FieldGroups | FieldPID | FieldStartTime))
		})
	}
}

func TestProcessEnds(t *testing.T) {
	is := is.New(t)
	c, child, wait := dialed(t, "")
	p, err := ProcessOf(c)
	is.NoErr(err)
	defer p.Close()
	s, err := PeerOf(c)
	is.NoErr(err)
	is.Equal(int(p.PID()), child.Pid)
	is.Equal(p.StartTime(), s.StartTime)
	is.True(p.Alive())
	select {
	case <-p.Done():
		t.Fatal("done while it runs")
	default:
	}
	is.NoErr(child.Kill())
	within(t, "Done of a killed process", p.Done()) // still unreaped
	is.True(!p.Alive())
	wait()
	is.True(!p.Alive())
}

func TestProcessClose(t *testing.T) {
	is := is.New(t)
	c, child, wait := dialed(t, "")
	defer wait()
	defer child.Kill()
	p, err := ProcessOf(c)
	is.NoErr(err)
	done := p.Done()
	is.NoErr(p.Close())
	is.NoErr(p.Close())
	within(t, "Done of a closed handle", done)
	is.True(!p.Alive())
	q, err := ProcessOf(c)
	is.NoErr(err)
	is.NoErr(q.Close())
	within(t, "Done asked for after Close", q.Done())
}

func TestPeerHasLeft(t *testing.T) {
	is := is.New(t)
	c, child, wait := dialed(t, "", "leave")
	wait()
	s, err := PeerOf(c)
	is.NoErr(err)
	is.Equal(int(s.PID), child.Pid)
	is.Equal(int(s.UID), os.Geteuid())
	p, err := ProcessOf(c) // newer kernels still hand it out
	if err == nil {
		is.True(!p.Alive())
		within(t, "Done of a process that ended before", p.Done())
		is.NoErr(p.Close())
	} else {
		is.True(errors.Is(err, os.ErrProcessDone))
	}
}

// TestPinByPID is what older kernels and other systems come to.
func TestPinByPID(t *testing.T) {
	is := is.New(t)
	c, child, wait := dialed(t, "")
	p, err := pinPID(int32(child.Pid))
	is.NoErr(err)
	defer p.Close()
	s, err := PeerOf(c)
	is.NoErr(err)
	is.Equal(p.StartTime(), s.StartTime)
	is.True(p.Alive())
	done := p.Done()
	is.NoErr(child.Kill())
	within(t, "Done of a killed process", done)
	is.True(!p.Alive())
	wait()
	is.True(!p.Alive())
	_, err = pinPID(int32(child.Pid))
	is.True(errors.Is(err, os.ErrProcessDone))
}

func TestPeerOfRefuses(t *testing.T) {
	is := is.New(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	is.NoErr(err)
	defer l.Close()
	tcp, err := net.ListenTCP("tcp", nil)
	is.NoErr(err)
	defer tcp.Close()
	dgram, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "d"), Net: "unixgram"})
	is.NoErr(err)
	defer dgram.Close()
	file, err := os.Open(os.DevNull)
	is.NoErr(err)
	defer file.Close()
	gone, child, wait := dialed(t, "")
	is.NoErr(child.Kill())
	wait()
	is.NoErr(gone.Close())
	for name, tc := range map[string]struct {
		conn syscall.Conn
		want error
	}{
		"nothing":         {nil, os.ErrInvalid},
		"a listener":      {l, os.ErrInvalid},
		"a TCP listener":  {tcp, os.ErrInvalid},
		"an unbound peer": {dgram, os.ErrInvalid},
		"a file":          {file, os.ErrInvalid},
		"a closed conn":   {gone, os.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			s, err := PeerOf(tc.conn)
			is.True(errors.Is(err, tc.want)) // PeerOf
			is.Equal(s.UID, uint32(NoID))
			_, err = ProcessOf(tc.conn)
			is.True(errors.Is(err, tc.want)) // ProcessOf
		})
	}
}
