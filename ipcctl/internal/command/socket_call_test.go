package command_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/socket"
	"github.com/ipcctl/ipc/socket/rpc"
	"github.com/matryer/is"
)

func TestSocketCall(t *testing.T) {
	is := is.New(t)
	path, server := serving(t, "--method", "/echo", "--method", `/who=cat; printf " $IPC_PEER_UID"`, "--method", "/bad=echo oops >&2; exit 3", "--method", "/slow=sleep 60")
	is.Equal(must(t, "", "socket", "call", path, "/echo", "hello"), "hello\n")
	is.Equal(must(t, "from stdin", "socket", "call", "--raw", path, "/echo"), "from stdin")
	is.Equal(must(t, "", "socket", "call", path, "/who", "uid", "--timeout=50s"), fmt.Sprintf("uid %d\n", os.Getuid()))
	is.Equal(must(t, "", "socket", "call", path, "/echo", "quiet", "--no-reply"), "")
	big := strings.Repeat("x", 1<<19)
	is.True(must(t, big, "socket", "call", path, "/echo", "--raw") == big)

	o := conforms(t, "ipcctl socket call", must(t, "\xff", "socket", "call", path, "/echo", "--json"))
	is.Equal(o[0]["encoding"], "base64")
	is.Equal(must(t, "", "socket", "call", path, "/echo", `{ "id": [7, 8] }`, "--body=json"), `{"id":[7,8]}`+"\n")

	is.Equal(must(t, "", "socket", "call", path, "/echo", "first", "--stream"), "first\n")
	is.Equal(must(t, "a\nb\n", "socket", "call", path, "/echo", "--stream", "--lines"), "a\nb\n")
	is.Equal(must(t, "a", "socket", "call", path, "/echo", "last", "--stream", "--lines"), "a\nlast\n")
	conforms(t, "ipcctl socket call", must(t, "a\nb", "socket", "call", path, "/echo", "--stream", "--lines", "--json"))

	fails(t, 1, []string{"socket", "call", path, "/bad", "x"}, "/bad", "oops")
	fails(t, 3, []string{"socket", "call", path, "/none", "x"}, "no such method")
	fails(t, 5, []string{"socket", "call", path, "/slow", "x", "--timeout", "100ms"}, "/slow")
	fails(t, 1, []string{"socket", "call", path, "/who", "{", "--body", "raw", "--max-message", "1"}, "--max-message")
	is.Equal(server.interrupt(t), 0) // also with a call under way
}

func TestSocketCallUsage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.sock")
	call := func(more ...string) []string { return append([]string{"socket", "call", path}, more...) }
	fails(t, 2, call(), "METHOD is missing")
	fails(t, 2, call("/m", "x", "y"), "too many arguments")
	fails(t, 2, call("/m", "{", "--body", "json"), "no JSON")
	fails(t, 2, call("/m", "x", "--body", "jason"), `did you mean "json"?`)
	fails(t, 2, call("/m", "--lines"), "--stream")
	fails(t, 2, call("/m", "x", "--stream", "--no-reply"), "exclude")
	fails(t, 3, call("/m", "x"), path, "ipcctl ls")
	fails(t, 5, call("/m", "x", "--wait", "--timeout", "50ms"), path)
	for flag, text := range map[string]string{"": "want NAME", "/m=": "empty", "=cat": "want NAME"} {
		fails(t, 2, []string{"socket", "serve", path, "--method", flag}, text)
	}
	fails(t, 2, []string{"socket", "serve", path, "--method", "/m", "--method", "/m=cat"}, "twice")
	fails(t, 2, []string{"socket", "serve", path, "--method", "/m", "--echo"}, "--method answers calls")
}

func TestSocketCallPolicy(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s.sock")
	file := policy(t, fmt.Sprintf("allow uid:%d connect socket:%s\nallow uid:%[1]d call rpc:/yes\n", os.Getuid(), path))
	server := start(t, "listening", "socket", "serve", path, "--policy", file, "--method", "/yes", "--method", "/no")
	is.Equal(must(t, "", "socket", "call", path, "/yes", "x"), "x\n")
	fails(t, 4, []string{"socket", "call", path, "/no", "x"}, "policy")
	told := next(t, server.errs) // the server's owner learns who, from what, and why
	for _, text := range []string{"turned away", fmt.Sprintf("uid=%d", os.Getuid()), "/no", "denied"} {
		if !strings.Contains(told, text) {
			t.Errorf("the server says %q, want %q", told, text)
		}
	}
	is.Equal(run(t, "a\nb", "socket", "call", path, "/no", "--stream", "--lines").code, 4)
	is.True(strings.Contains(next(t, server.errs), "turned away"))
}

// TestSocketCallServer has a server of the library on the other side: one that
// streams without being asked to, and one that is no rpc server at all.
func TestSocketCallServer(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s.sock")
	l, err := socket.Listen(path, nil)
	is.NoErr(err)
	srv := &rpc.Server{}
	srv.HandleFunc("/count", func(ctx context.Context, c *rpc.Call) ([]byte, error) {
		for i := range 3 {
			if err := c.Send(ctx, fmt.Append(nil, i)); err != nil {
				return nil, err
			}
		}
		return []byte(`{"sent": 3}`), nil
	})
	go srv.Serve(l)
	defer srv.Shutdown(t.Context())
	is.Equal(must(t, "", "socket", "call", path, "/count", "", "--stream", "--body=json"), "0\n1\n2\n{\"sent\":3}\n")
	fails(t, 1, []string{"socket", "call", path, "/count", "x"}, "/count") // it streams to somebody who takes none

	mute := filepath.Join(t.TempDir(), "mute.sock")
	other, err := net.Listen("unix", mute)
	is.NoErr(err)
	defer other.Close()
	fails(t, 5, []string{"socket", "call", mute, "/m", "x", "--timeout", "100ms"}, "/m")
	go func() {
		if c, err := other.Accept(); err == nil { // the one above
			c.Close()
		}
		if c, err := other.Accept(); err == nil {
			c.Close()
		}
	}()
	fails(t, 1, []string{"socket", "call", mute, "/m", "x"}, "is it a server of socket/rpc?")
}
