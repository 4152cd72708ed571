//go:build !ipcportable

package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

func init() {
	// noproc PATH: listens at and dials PATH where /proc is not mounted. It prints
	// how each ended.
	helpers["noproc"] = func(args []string) {
		if err := unix.Mount("none", "/proc", "tmpfs", 0, ""); err != nil {
			fmt.Println(err)
			return
		}
		l, err := Listen(args[0], nil)
		fmt.Println("listen:", l == nil && errors.Is(err, ErrPathTooLong) || errors.Is(err, syscall.EADDRINUSE), err)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_, err = Dial(ctx, args[0], &DialOptions{Wait: true})
		fmt.Println("dial:", errors.Is(err, ErrPathTooLong), err)
	}
}

// Without /proc long paths can't be reached. A live socket there is not taken
// for a dead one.
func TestLongPathWithoutProc(t *testing.T) {
	if os.Geteuid() != 0 || os.Getenv(emulatorEnv) != "" {
		t.Skip("needs to mount")
	}
	is := is.New(t)
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	is.NoErr(os.Mkdir(dir, 0o700))
	t.Chdir(dir)
	l, err := net.Listen("unix", "s") // the short way
	is.NoErr(err)
	defer l.Close()

	cmd := helper(t, "noproc", filepath.Join(dir, "s"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.Output()
	if errors.Is(err, os.ErrPermission) {
		t.Skip(err) // root in a container
	}
	is.NoErr(err)
	if n := strings.Count(string(out), ": true "); n != 2 {
		t.Errorf("want two errors, each of its kind, got:\n%s", out)
	}
	answers(t, "s")
	is.Equal(entries(t, dir), []string{"s"})
}
