//go:build unix

package pipe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket"
)

func init() {
	// echo: answers every message of the parent until it leaves.
	roles["echo"] = func([]string) error {
		ctx := context.Background()
		conn, err := FromEnv()
		if err != nil {
			return err
		}
		for {
			msg, err := conn.Recv(ctx)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if err := conn.Send(ctx, append([]byte("echo "), msg.Data...)); err != nil {
				return err
			}
		}
	}
	// survivor: says on stdout how its parent's end ended.
	roles["survivor"] = func([]string) error {
		conn, err := FromEnv()
		if err != nil {
			return err
		}
		if err := conn.Send(context.Background(), []byte("up")); err != nil {
			return err
		}
		_, err = conn.Recv(context.Background())
		fmt.Println("ended with", err)
		return nil
	}
	// parent: starts a survivor and waits to be killed.
	roles["parent"] = func([]string) error {
		cmd := self("survivor")
		cmd.Stdout = os.Stdout
		conn, err := Command(cmd)
		if err != nil {
			return err
		}
		if _, err := conn.Recv(context.Background()); err != nil {
			return err
		}
		fmt.Println("ready")
		return untilKilled()
	}
	// heir: proves that FromEnv leaves nothing to the child's children.
	roles["heir"] = func([]string) error {
		conn, err := FromEnv()
		if err != nil {
			return err
		}
		if _, err := FromEnv(); !errors.Is(err, ErrNoParent) {
			return fmt.Errorf("the second FromEnv: %v, want ErrNoParent", err)
		}
		out, err := self("descriptors").Output()
		if err != nil {
			return err
		}
		return conn.Send(context.Background(), out)
	}
	// descriptors: prints what of a parent's connection this process sees.
	roles["descriptors"] = func([]string) error {
		for fd := 3; fd < 100; fd++ {
			if _, err := takeSocket(fd, 0); err == nil {
				fmt.Println("socket", fd)
			}
		}
		fmt.Println(EnvFD, os.Getenv(EnvFD), os.Getenv(envInode))
		return nil
	}
}

func TestCommand(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	cmd := self("echo")
	extra, err := os.Open(os.DevNull)
	is.NoErr(err)
	defer extra.Close()
	cmd.ExtraFiles = []*os.File{extra} // the connection comes behind
	conn, err := Command(cmd)
	is.NoErr(err)
	for _, text := range []string{"one", "", "three"} {
		is.NoErr(conn.Send(ctx, []byte(text)))
		msg, err := conn.Recv(ctx)
		is.NoErr(err)
		is.Equal(string(msg.Data), "echo "+text)
	}
	is.Equal(int(conn.Peer().PID), os.Getpid()) // who made the pair
	is.NoErr(conn.Close())
	is.NoErr(cmd.Wait()) // our end's close is its clean end
}

func TestDuplex(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	a, b, err := Duplex()
	is.NoErr(err)
	is.NoErr(a.Send(ctx, []byte("there")))
	is.NoErr(b.Send(ctx, []byte("and back")))
	m, err := b.Recv(ctx)
	is.NoErr(err)
	is.Equal(string(m.Data), "there")
	m, err = a.Recv(ctx)
	is.NoErr(err)
	is.Equal(string(m.Data), "and back")
	is.Equal(int(a.Peer().UID), os.Geteuid())
	is.Equal(int(b.Peer().PID), os.Getpid())
	is.NoErr(a.Close())
	_, err = b.Recv(ctx)
	is.Equal(err, io.EOF)
	is.NoErr(b.Close())
}

func TestChildKilled(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	cmd := self("echo")
	conn, err := Command(cmd)
	is.NoErr(err)
	defer conn.Close()
	is.NoErr(conn.Send(ctx, []byte("x")))
	_, err = conn.Recv(ctx)
	is.NoErr(err)
	is.NoErr(cmd.Process.Kill())
	_, err = conn.Recv(ctx)
	is.True(err == io.EOF || errors.Is(err, socket.ErrPeerClosed))
	for err = nil; err == nil; { // ends: the kernel knows that nobody is there
		err = conn.Send(ctx, []byte("anybody?"))
	}
	is.True(errors.Is(err, socket.ErrPeerClosed))
	is.True(cmd.Wait() != nil)
}

func TestParentKilled(t *testing.T) {
	is := is.New(t)
	cmd := self("parent")
	lines := bufio.NewReader(startVictim(t, cmd))
	line, err := lines.ReadString('\n')
	is.NoErr(err)
	is.Equal(line, "ready\n")
	is.NoErr(cmd.Process.Kill())
	line, err = lines.ReadString('\n')
	is.NoErr(err)
	is.Equal(line, "ended with EOF\n")
	is.True(cmd.Wait() != nil)
}

func TestChildsChildrenInheritNothing(t *testing.T) {
	is := is.New(t)
	cmd := self("heir")
	conn, err := Command(cmd)
	is.NoErr(err)
	defer conn.Close()
	msg, err := conn.Recv(watched(t))
	is.NoErr(err)
	is.Equal(string(msg.Data), EnvFD+"  \n")
	is.NoErr(cmd.Wait())
}

func TestCommandThatDoesNotStart(t *testing.T) {
	is := is.New(t)
	before := len(openFiles())
	cmd := exec.Command("/no/such/program")
	_, err := Command(cmd)
	is.True(errors.Is(err, os.ErrNotExist))
	is.True(strings.Contains(err.Error(), "/no/such/program"))
	is.Equal(len(cmd.ExtraFiles), 0) // as it was
	is.Equal(len(cmd.Env), 0)
	is.Equal(len(openFiles()), before)
}

func TestFromEnvRefuses(t *testing.T) {
	a, b, err := socket.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	sock := closingFile(t)(b.File())
	file := closingFile(t)(os.Open(os.DevNull))
	number := func(f *os.File) string { return strconv.Itoa(int(f.Fd())) }
	for name, env := range map[string][2]string{
		"nothing set":       {"", ""},
		"no number":         {"three", ""},
		"standard output":   {"1", ""},
		"negative":          {"-1", ""},
		"closed descriptor": {"98765", ""},
		"no socket":         {number(file), ""},
		"another socket":    {number(sock), "1"},
		"no inode":          {number(sock), "x"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			t.Setenv(EnvFD, env[0])
			t.Setenv(envInode, env[1])
			if env[0] == "" {
				is.NoErr(os.Unsetenv(EnvFD))
			}
			_, err := FromEnv()
			is.True(errors.Is(err, ErrNoParent))
			_, err = sock.Stat()
			is.NoErr(err) // what isn't ours stays open
			_, err = file.Stat()
			is.NoErr(err)
		})
	}
}

func closingFile(t *testing.T) func(*os.File, error) *os.File {
	return func(f *os.File, err error) *os.File { return closing(t, f, err) }
}

// A datagram socket is no connection.
func TestFromEnvRefusesDatagrams(t *testing.T) {
	is := is.New(t)
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: t.TempDir() + "/s", Net: "unixgram"})
	is.NoErr(err)
	defer c.Close()
	f, err := c.File()
	is.NoErr(err)
	fd, err := syscall.Dup(int(f.Fd()))
	is.NoErr(err)
	is.NoErr(f.Close())
	t.Setenv(EnvFD, strconv.Itoa(fd))
	t.Setenv(envInode, "")
	_, err = FromEnv()
	is.True(err != nil)
}

func init() {
	// sink: counts what comes on descriptor 3 and answers on 4.
	roles["one-way"] = func([]string) error {
		ctx := context.Background()
		r, err := NewReader(os.NewFile(3, "in"))
		if err != nil {
			return err
		}
		w, err := NewWriter(os.NewFile(4, "out"))
		if err != nil {
			return err
		}
		n := 0
		for {
			msg, err := r.Recv(ctx)
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			n += len(msg)
		}
		return w.Send(ctx, []byte(strconv.Itoa(n)))
	}
}

func TestOneWayThroughInheritedDescriptors(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	childIn, w, err := New()
	is.NoErr(err)
	r, childOut, err := New()
	is.NoErr(err)
	in, err := childIn.Detach()
	is.NoErr(err)
	out, err := childOut.Detach()
	is.NoErr(err)
	cmd := self("one-way")
	cmd.ExtraFiles = []*os.File{in, out}
	is.NoErr(cmd.Start())
	is.NoErr(in.Close())
	is.NoErr(out.Close())
	for range 1000 {
		is.NoErr(w.SendBuffered(ctx, pattern(100)))
	}
	is.NoErr(w.Flush(ctx))
	is.NoErr(w.Close())
	msg, err := r.Recv(ctx)
	is.NoErr(err)
	is.Equal(string(msg), "100000")
	_, err = r.Recv(ctx)
	is.Equal(err, io.EOF)
	is.NoErr(r.Close())
	is.NoErr(cmd.Wait())
}
