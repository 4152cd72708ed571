//go:build unix

package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/acl"
)

// listen listens at addr until the test ends.
func listen(t testing.TB, addr string, o *ListenOptions) *Listener {
	t.Helper()
	l, err := Listen(addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// echo answers every message of every connection until the listener closes.
func echo(l *Listener) {
	for {
		c, err := l.Accept(context.Background())
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			for {
				m, err := c.Recv(context.Background())
				if err != nil || c.Send(context.Background(), m.Data) != nil {
					return
				}
			}
		}()
	}
}

// roundTrip dials addr and has one message echoed.
func roundTrip(t testing.TB, addr string, o *DialOptions) error {
	t.Helper()
	c, err := Dial(soon(t), addr, o)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Send(soon(t), []byte("ping")); err != nil {
		return err
	}
	m, err := c.Recv(soon(t))
	if err == nil && string(m.Data) != "ping" {
		err = fmt.Errorf("echo of ping is %q", m.Data)
	}
	return err
}

func entries(t testing.TB, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestListenAndLeaveNothing(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	for range 3 {
		l := listen(t, path, nil)
		go echo(l)
		is.NoErr(roundTrip(t, path, nil))
		st, err := os.Lstat(path)
		is.NoErr(err)
		is.Equal(st.Mode(), os.ModeSocket|0o600)
		is.NoErr(l.Close())
		is.NoErr(l.Close())
		is.Equal(entries(t, dir), []string{})
		_, err = l.Accept(soon(t))
		is.True(errors.Is(err, os.ErrClosed))
	}
	_, err := Dial(soon(t), path, nil)
	is.True(errors.Is(err, os.ErrNotExist))
}

func TestModeAndGroup(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	for _, mode := range []os.FileMode{0o600, 0o660, 0o666, 0o777} {
		is := is.New(t)
		path := filepath.Join(t.TempDir(), "s")
		l := listen(t, path, &ListenOptions{Mode: mode, Group: fmt.Sprint(os.Getegid())})
		st, err := os.Lstat(path)
		is.NoErr(err)
		is.Equal(st.Mode().Perm(), mode)
		l.Close()
	}
	is := is.New(t)
	dir := t.TempDir()
	_, err := Listen(filepath.Join(dir, "s"), &ListenOptions{Group: "no-such-group-here"})
	is.True(errors.Is(err, os.ErrNotExist))
	is.Equal(entries(t, dir), []string{})
}

func TestLiveSocketIsLeftAlone(t *testing.T) {
	t.Run("of ours", func(t *testing.T) {
		is := is.New(t)
		path := filepath.Join(t.TempDir(), "s")
		go echo(listen(t, path, nil))
		_, err := Listen(path, nil)
		is.True(errors.Is(err, syscall.EADDRINUSE))
		is.NoErr(roundTrip(t, path, nil))
	})
	t.Run("of another program", func(t *testing.T) {
		is := is.New(t)
		dir := t.TempDir()
		path := filepath.Join(dir, "s")
		nl, err := net.Listen("unix", path)
		is.NoErr(err)
		defer nl.Close()
		_, err = Listen(path, nil)
		is.True(errors.Is(err, syscall.EADDRINUSE))
		is.Equal(entries(t, dir), []string{"s"}) // and no lock is left
	})
	t.Run("bound a moment before listen", func(t *testing.T) {
		is := is.New(t)
		path := filepath.Join(t.TempDir(), "s")
		fd, err := sysSocket()
		is.NoErr(err)
		defer sysClose(fd)
		is.NoErr(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}))
		time.AfterFunc(50*time.Millisecond, func() { _ = syscall.Listen(fd, 1) })
		_, err = Listen(path, nil)
		is.True(errors.Is(err, syscall.EADDRINUSE))
	})
	t.Run("of another type", func(t *testing.T) {
		is := is.New(t)
		path := filepath.Join(t.TempDir(), "s")
		nl, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		is.NoErr(err)
		defer nl.Close()
		_, err = Listen(path, nil)
		is.True(errors.Is(err, syscall.EADDRINUSE))
	})
}

func TestStaleSocketIsReplaced(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	nl, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	is.NoErr(err)
	nl.SetUnlinkOnClose(false)
	nl.Close()
	if !refusedIsDead { // another program's socket may only be busy
		_, err := Listen(path, nil)
		is.True(errors.Is(err, syscall.EADDRINUSE))
		is.Equal(entries(t, dir), []string{"s"})
		return
	}
	l := listen(t, path, nil)
	go echo(l)
	is.NoErr(roundTrip(t, path, nil))
	is.Equal(entries(t, dir), []string{"s", "s.lock"})
}

func TestKilledOwnerIsReplacedAtOnce(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	for range 3 {
		cmd := helper(t, "echo", path)
		is.NoErr(cmd.Start())
		is.NoErr(roundTrip(t, path, &DialOptions{Wait: true}))
		is.NoErr(cmd.Process.Kill())
		_ = cmd.Wait()
		_, err := Dial(soon(t), path, nil)
		is.True(errors.Is(err, syscall.ECONNREFUSED)) // stale
	}
	l := listen(t, path, nil)
	go echo(l)
	is.NoErr(roundTrip(t, path, nil))
}

func registerEcho() bool {
	helpers["echo"] = func(args []string) {
		l, err := Listen(args[0], nil)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		echo(l)
	}
	return true
}

var _ = registerEcho()

func TestWhatIsNoSocketIsNeverTouched(t *testing.T) {
	dir := t.TempDir()
	is.New(t).NoErr(os.WriteFile(filepath.Join(dir, "target"), nil, 0o600))
	for name, make := range map[string]func(string) error{
		"file":            func(p string) error { return os.WriteFile(p, []byte("precious"), 0o600) },
		"directory":       func(p string) error { return os.Mkdir(p, 0o700) },
		"fifo":            func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"symlink":         func(p string) error { return os.Symlink("/nowhere/at/all", p) },
		"symlink to file": func(p string) error { return os.Symlink("target", p) },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(dir, name)
			is.NoErr(make(path))
			before, err := os.Lstat(path)
			is.NoErr(err)
			_, err = Listen(path, nil)
			is.True(errors.Is(err, os.ErrExist))
			is.True(strings.Contains(err.Error(), path)) // names what it is about
			after, err := os.Lstat(path)
			is.NoErr(err)
			is.True(os.SameFile(before, after))
			_, err = os.Lstat(path + ".lock")
			is.True(errors.Is(err, os.ErrNotExist))
			_, err = Dial(soon(t), path, &DialOptions{Wait: name != "symlink"})
			if name == "symlink" { // to nowhere
				is.True(errors.Is(err, os.ErrNotExist))
			} else {
				is.True(errors.Is(err, syscall.ENOTSOCK))
			}
		})
	}
}

func TestCloseUnlinksOnlyItsOwn(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	l := listen(t, path, nil)
	is.NoErr(os.Remove(path)) // somebody was careless
	nl, err := net.Listen("unix", path)
	is.NoErr(err)
	defer nl.Close()
	is.NoErr(l.Close())
	_, err = os.Lstat(path)
	is.NoErr(err) // the other program's socket is still there
}

// Close unlinks only its own lock file, too.
func TestCloseLeavesAnothersLock(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	l := listen(t, path, nil)
	is.NoErr(os.Remove(path))
	is.NoErr(os.Remove(path + ".lock")) // somebody tidied up
	other := listen(t, path, nil)
	is.NoErr(l.Close())
	_, err := os.Lstat(path)
	is.NoErr(err) // the other listener's socket
	_, err = os.Lstat(path + ".lock")
	is.NoErr(err) // and its lock
	is.NoErr(other.Close())
	is.Equal(entries(t, filepath.Dir(path)), []string{})
}

// Close breaks off the handshakes that are under way, and waits for nobody.
func TestCloseBreaksOffHandshakes(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	l := listen(t, path, &ListenOptions{AuthKey: []byte("k"), HandshakeTimeout: watchdog})
	c, err := Dial(soon(t), path, nil)
	is.NoErr(err)
	defer c.Close()
	_, err = c.Recv(soon(t)) // the challenge
	is.NoErr(err)
	is.NoErr(l.Close())
	_, err = c.Recv(soon(t))
	is.Equal(err, io.EOF)
}

// Connections outlive their listener.
func TestConnectionsStayAfterClose(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	l := listen(t, path, nil)
	go echo(l)
	c, err := Dial(soon(t), path, nil)
	is.NoErr(err)
	defer c.Close()
	for range 2 {
		is.NoErr(c.Send(soon(t), []byte("x")))
		_, err = c.Recv(soon(t))
		is.NoErr(err)
		is.NoErr(l.Close())
	}
}

func TestBadAddresses(t *testing.T) {
	dir := t.TempDir()
	for addr, want := range map[string]error{
		"":                                   os.ErrInvalid,
		"@":                                  map[bool]error{true: os.ErrInvalid, false: os.ErrInvalid}[hasAbstract],
		"a\x00b":                             os.ErrInvalid,
		dir + "/":                            os.ErrInvalid,
		filepath.Join(dir, "no", "s"):        os.ErrNotExist,
		"@" + strings.Repeat("x", 107):       map[bool]error{true: ErrPathTooLong, false: errors.ErrUnsupported}[hasAbstract],
		dir + "/" + strings.Repeat("x", 256): syscall.ENAMETOOLONG,
	} {
		is := is.New(t)
		_, err := Listen(addr, nil)
		is.True(errors.Is(err, want)) // listen
		_, err = Dial(soon(t), addr, nil)
		is.True(errors.Is(err, want)) // dial
	}
}

func TestLongPaths(t *testing.T) {
	for name, rel := range map[string]string{
		"directory":     strings.Repeat("d/", 60) + "s",
		"name":          strings.Repeat("n", 250),
		"longest name":  strings.Repeat("n", 255),
		"both":          strings.Repeat("d/", 60) + strings.Repeat("n", 255),
		"just too long": strings.Repeat("m", 110),
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(t.TempDir(), rel)
			dir := filepath.Dir(path)
			is.NoErr(os.MkdirAll(dir, 0o700))
			l, err := Listen(path, nil)
			if maxSunPath < 107 {
				is.True(errors.Is(err, ErrPathTooLong))
				is.Equal(entries(t, dir), []string{})
				return
			}
			is.NoErr(err)
			go echo(l)
			is.NoErr(roundTrip(t, path, nil))
			_, err = Listen(path, nil)
			is.True(errors.Is(err, syscall.EADDRINUSE))
			is.NoErr(l.Close())
			is.Equal(entries(t, dir), []string{})
		})
	}
}

func TestLongPathStaleIsReplaced(t *testing.T) {
	if maxSunPath < 107 {
		t.Skip("no long paths here: TestLongPaths")
	}
	is := is.New(t)
	path := filepath.Join(t.TempDir(), strings.Repeat("n", 200))
	cmd := helper(t, "echo", path)
	is.NoErr(cmd.Start())
	is.NoErr(roundTrip(t, path, &DialOptions{Wait: true}))
	is.NoErr(cmd.Process.Kill())
	_ = cmd.Wait()
	go echo(listen(t, path, nil))
	is.NoErr(roundTrip(t, path, nil))
}

func TestRelativePathSurvivesNothingElse(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	t.Chdir(dir)
	l := listen(t, "s", nil)
	go echo(l)
	is.NoErr(roundTrip(t, "s", nil))
	is.NoErr(roundTrip(t, filepath.Join(dir, "s"), nil))
	t.Chdir("/")
	is.NoErr(l.Close())
	is.Equal(entries(t, dir), []string{})
}

func TestAbstractName(t *testing.T) {
	if !hasAbstract {
		t.Skip("abstract names are a matter of Linux")
	}
	is := is.New(t)
	short := fmt.Sprintf("@ipc-socket-test-%d", os.Getpid())
	for _, addr := range []string{short, fmt.Sprintf("%s%0*d", short, maxSunPath-len(short), 0)} {
		l := listen(t, addr, nil)
		go echo(l)
		is.NoErr(roundTrip(t, addr, nil))
		_, err := Listen(addr, nil)
		is.True(errors.Is(err, syscall.EADDRINUSE))
		is.NoErr(l.Close())
		_, err = Dial(soon(t), addr, nil)
		is.True(errors.Is(err, syscall.ECONNREFUSED))
	}
}

func TestPolicyDecidesOnBothSides(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	policy := func(rule string) *acl.Policy {
		p, err := acl.Parse("test", []byte(rule))
		is.NoErr(err)
		return p
	}
	allow := policy(fmt.Sprintf("allow uid:%d connect,create socket:%s\n", os.Geteuid(), path))
	deny := policy(fmt.Sprintf("allow uid:%d connect,create socket:%s\n", os.Geteuid()+1, path))

	refused := make(chan error, 16)
	l := listen(t, path, &ListenOptions{Policy: deny, Refused: func(s acl.Subject, err error) {
		if int(s.PID) != os.Getpid() {
			err = fmt.Errorf("refused %v", s)
		}
		refused <- err
	}})
	go echo(l)
	is.True(roundTrip(t, path, nil) != nil)
	is.True(errors.Is(<-refused, os.ErrPermission))
	is.NoErr(l.Close())

	l = listen(t, path, &ListenOptions{Policy: allow})
	go echo(l)
	is.NoErr(roundTrip(t, path, &DialOptions{Policy: allow}))
	is.True(errors.Is(roundTrip(t, path, &DialOptions{Policy: deny}), os.ErrPermission))
	no := func(acl.Subject) error { return errors.New("not today") }
	is.True(errors.Is(roundTrip(t, path, &DialOptions{Allow: no}), os.ErrPermission))
}

// The policy of a file is asked as the file is now.
func TestPolicyThatChanges(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path, file := filepath.Join(dir, "s"), filepath.Join(dir, "policy")
	write := func(effect string) {
		text := fmt.Sprintf("%s uid:%d connect socket:%s\n", effect, os.Geteuid(), path)
		is.NoErr(os.WriteFile(file+".new", []byte(text), 0o600))
		is.NoErr(os.Rename(file+".new", file))
	}
	write("deny")
	rules, err := acl.Watch(file, nil)
	is.NoErr(err)
	defer rules.Close()
	go echo(listen(t, path, &ListenOptions{Policy: rules}))
	is.True(roundTrip(t, path, nil) != nil)
	write("allow")
	is.NoErr(rules.Reload())
	is.NoErr(roundTrip(t, path, nil))
	write("deny")
	is.NoErr(rules.Reload())
	is.True(roundTrip(t, path, nil) != nil)
}

// No policy at all is not the same as one that could not be had.
func TestPolicyThatIsNil(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	var none *acl.Policy
	go echo(listen(t, path, &ListenOptions{Policy: none}))
	is.True(roundTrip(t, path, nil) != nil)
}

func TestPeerAcrossProcesses(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	cmd := helper(t, "echo", path)
	is.NoErr(cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }) // also when the test fails before it does
	c, err := Dial(soon(t), path, &DialOptions{Wait: true})
	is.NoErr(err)
	defer c.Close()
	is.Equal(int(c.Peer().PID), cmd.Process.Pid)
	is.Equal(int(c.Peer().UID), os.Geteuid())
	p, err := c.PeerProcess()
	is.NoErr(err)
	is.True(p.Alive())
	is.NoErr(cmd.Process.Kill())
	select {
	case <-p.Done():
	case <-time.After(watchdog):
		t.Fatal("the peer's death went unnoticed")
	}
	is.True(!p.Alive())
}

func TestAcceptHonoursContexts(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	l := listen(t, path, nil)
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		_, err := l.Accept(ctx)
		is.True(errors.Is(err, context.DeadlineExceeded))
		cancel()
	}
	go func() { _ = roundTrip(t, path, nil) }()
	c, err := l.Accept(context.Background())
	is.NoErr(err)
	c.Close()
	errs := make(chan error)
	go func() { _, err := l.Accept(context.Background()); errs <- err }()
	eventually(t, "Accept waits", func() bool { return l.acceptTurn.state.Load() != 0 })
	is.NoErr(l.Close())
	is.True(errors.Is(<-errs, os.ErrClosed))
}

func TestDialWaitsForRoomInTheBacklog(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	l := listen(t, path, &ListenOptions{Backlog: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var err error
	waiting := 0
	for ; err == nil; waiting++ {
		var c *Conn
		if c, err = Dial(ctx, path, nil); err == nil {
			defer c.Close()
		}
	}
	if runtime.GOOS != "linux" {
		return // refused
	}
	is.True(errors.Is(err, context.DeadlineExceeded))
	done := make(chan error)
	go func() {
		c, err := Dial(context.Background(), path, nil)
		if err == nil {
			c.Close()
		}
		done <- err
	}()
	for range waiting {
		c, err := l.Accept(soon(t))
		is.NoErr(err)
		c.Close()
	}
	is.NoErr(<-done)
}

func TestConnectionLimits(t *testing.T) {
	for name, o := range map[string]*ListenOptions{
		"total":    {MaxConns: 2},
		"per user": {MaxConnsPerUID: 2},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(t.TempDir(), "s")
			refused := make(chan error, 16)
			o.Refused = func(_ acl.Subject, err error) { refused <- err }
			go echo(listen(t, path, o))
			var open []*Conn
			for range 2 {
				c, err := Dial(soon(t), path, nil)
				is.NoErr(err)
				defer c.Close()
				is.NoErr(c.Send(soon(t), nil))
				_, err = c.Recv(soon(t))
				is.NoErr(err)
				open = append(open, c)
			}
			is.True(roundTrip(t, path, nil) != nil)
			is.True(errors.Is(<-refused, ErrTooManyConns))
			open[0].Close()
			eventually(t, "room for another", func() bool { return roundTrip(t, path, nil) == nil })
		})
	}
}

func TestListenFileLeavesTheFileAlone(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	nl, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	is.NoErr(err)
	defer nl.Close()
	f, err := nl.File()
	is.NoErr(err)
	defer f.Close()
	l, err := ListenFile(f, nil)
	is.NoErr(err)
	is.Equal(l.Addr(), path)
	go echo(l)
	is.NoErr(roundTrip(t, path, nil))
	is.NoErr(l.Close())
	_, err = os.Lstat(path)
	is.NoErr(err)

	a, _ := pair(t, nil)
	cf, err := a.File()
	is.NoErr(err)
	defer cf.Close()
	_, err = ListenFile(cf, nil)
	is.True(errors.Is(err, os.ErrInvalid)) // connected, not listening
}
