package socket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/acl"
)

func init() {
	// dial NAME: connects, and leaves.
	helpers["dial"] = func(args []string) {
		c, err := Dial(context.Background(), args[0], nil)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		c.Close()
	}
	// verdicts NAME: listens at the abstract name and prints who was let in.
	helpers["verdicts"] = func(args []string) {
		l, err := Listen(args[0], &ListenOptions{Refused: func(s acl.Subject, err error) {
			fmt.Println("refused", s.UID, errors.Is(err, os.ErrPermission))
		}})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("listening")
		for {
			c, err := l.Accept(context.Background())
			if err != nil {
				fmt.Println(err)
				return
			}
			fmt.Println("admitted", c.Peer().UID)
			c.Close()
		}
	}
}

// A user without an id in the server's user namespace is shown as 65534, and
// is not taken for the server's own user if that has this id.
func TestStrangersAreNotTheOwnUser(t *testing.T) {
	if os.Geteuid() != 0 || os.Getenv(emulatorEnv) != "" || !hasAbstract {
		t.Skip("needs to be another user")
	}
	const nobody = overflowID
	credential := &syscall.Credential{Uid: nobody, Gid: nobody}
	id := []syscall.SysProcIDMap{{ContainerID: nobody, HostID: nobody, Size: 1}}
	for _, tt := range []struct {
		name   string
		attr   *syscall.SysProcAttr
		client *syscall.Credential
		want   string
	}{
		{"a stranger", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: id, GidMappings: id, Credential: credential}, nil, "refused 65534 true"},
		{"root", &syscall.SysProcAttr{Credential: credential}, nil, "admitted 0"},
		{"the own user", &syscall.SysProcAttr{Credential: credential}, credential, "admitted 65534"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			is.NoErr(os.Chmod(filepath.Dir(t.TempDir()), 0o755))
			addr := fmt.Sprintf("@ipc-socket-test-strangers-%d", os.Getpid())
			server := helper(t, "verdicts", addr)
			if !asNobody(t, server) {
				t.Skip("can't run as another user")
			}
			server.SysProcAttr = tt.attr
			pipe, err := server.StdoutPipe()
			is.NoErr(err)
			err = server.Start()
			if errors.Is(err, os.ErrPermission) {
				t.Skip(err) // no user namespaces here
			}
			is.NoErr(err)
			defer stop(server)
			out := bufio.NewScanner(pipe)
			says := func() string { out.Scan(); return out.Text() }
			is.Equal(says(), "listening")
			if tt.client == nil {
				c, err := Dial(soon(t), addr, &DialOptions{Allow: func(acl.Subject) error { return nil }})
				is.NoErr(err)
				defer c.Close()
			} else {
				client := helper(t, "dial", addr)
				client.Path = server.Path
				client.SysProcAttr = &syscall.SysProcAttr{Credential: tt.client}
				is.NoErr(client.Run())
			}
			is.Equal(says(), tt.want)
		})
	}
}
