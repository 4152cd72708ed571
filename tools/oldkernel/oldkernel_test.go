//go:build linux && (amd64 || arm64)

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

// probes use a feature each, and return what the kernel says.
var probes = map[string]func() error{
	"ofd": func() error {
		f, err := os.CreateTemp("", "oldkernel")
		if err != nil {
			return err
		}
		defer os.Remove(f.Name())
		defer f.Close()
		return syscall.FcntlFlock(f.Fd(), 36, &syscall.Flock_t{Type: syscall.F_RDLCK, Len: 1})
	},
	"waitv":   func() error { return callOf(sysFutexWaitv, 0, 0, 0) }, // no waiters: EINVAL
	"pidfd":   func() error { return callOf(sysPidfdOpen, uintptr(os.Getpid()), 0, 0) },
	"noexec":  func() error { return callOf(sysMemfdCreate, uintptr(bytes("oldkernel")), mfdNoexecSeal, 0) },
	"tmpfile": tmpfile,
	"peerpid": func() error {
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		_, err = syscall.GetsockoptInt(fds[0], syscall.SOL_SOCKET, soPeerPidfd)
		return err
	},
}

func tmpfile() error {
	_, err := syscall.Open(os.TempDir(), oTmpfile|syscall.O_DIRECTORY|syscall.O_RDWR, 0o600)
	return err
}

func TestMain(m *testing.M) {
	if name := os.Getenv("OLDKERNEL_TEST_PROBE"); name != "" {
		if err := probes[name](); err != nil {
			os.Stdout.WriteString(err.Error())
		}
		os.Exit(0)
	}
	if os.Getenv("OLDKERNEL_TEST_MAIN") != "" {
		os.Unsetenv("OLDKERNEL_TEST_MAIN")
		main()
	}
	os.Exit(m.Run())
}

// probe runs one in a process of its own, under oldkernel with arguments.
func probe(t *testing.T, name string, args ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "OLDKERNEL_TEST_PROBE="+name)
	if len(args) > 0 {
		cmd = exec.Command(self, append(args, "env", "OLDKERNEL_TEST_PROBE="+name, self)...)
		cmd.Env = append(os.Environ(), "OLDKERNEL_TEST_MAIN=1")
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	return string(out)
}

// Each feature is missing when it is said to be, and nothing else is.
func TestLacks(t *testing.T) {
	for _, f := range features {
		t.Run(f.name, func(t *testing.T) {
			is := is.New(t)
			has := probe(t, f.name)
			var others []string
			for _, o := range names() {
				if o != f.name {
					others = append(others, o)
				}
			}
			want := f.calls[0].errno.Error()
			if has != want { // this kernel has it
				is.Equal(probe(t, f.name, "-lacks", strings.Join(others, ",")), has)
			}
			is.Equal(probe(t, f.name, "-lacks", f.name), want)
			is.Equal(probe(t, f.name, "-lacks", strings.Join(names(), ",")), want)
		})
	}
}

func TestRefuses(t *testing.T) {
	is := is.New(t)
	_, err := compile([]string{"ofd", "gravity"})
	is.True(err != nil && strings.Contains(err.Error(), "gravity"))
	err = run([]string{"ofd"}, []string{filepath.Join(t.TempDir(), "none")})
	is.True(errors.Is(err, os.ErrNotExist))
}
