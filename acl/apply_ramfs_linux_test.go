//go:build !ipcportable

package acl

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

func init() {
	// Mounts a file system without ACLs on TMPDIR, in this process's own mount
	// namespace, and runs the tests that ACL_TEST_RUN names there.
	helpers["ramfs"] = func() {
		err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, "")
		err = errors.Join(err, unix.Mount("ramfs", os.TempDir(), "ramfs", 0, "mode=0755"), os.Unsetenv("ACL_TEST_HELPER"))
		if err == nil {
			err = unix.Exec("/proc/self/exe", []string{os.Args[0], "-test.v", "-test.run=" + os.Getenv("ACL_TEST_RUN"), "-acl.seed=" + os.Args[1]}, os.Environ())
		}
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}

// TestApplyEnforcedWithoutACLs is TestApplyEnforced where a file has a mode and
// no more: that somebody loses by it needs a warning.
func TestApplyEnforcedWithoutACLs(t *testing.T) {
	asRoot(t)
	if os.Getenv(emulatorEnv) != "" {
		t.Skip("an emulator mounts nothing")
	}
	is := is.New(t)
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		is.NoErr(os.Chmod(d, 0o755))
	}
	cmd := exec.Command(os.Args[0], strconv.FormatUint(*seed, 10))
	cmd.Env = append(os.Environ(), "ACL_TEST_HELPER=ramfs", "ACL_TEST_RUN=^TestApplyEnforced$", "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	is.True(strings.Contains(string(out), "PASS: TestApplyEnforced"))
}
