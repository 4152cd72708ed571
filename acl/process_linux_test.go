package acl

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/matryer/is"
)

func init() {
	helpers["stdin"] = func() { os.Stdin.Read(make([]byte, 1)) }
}

// TestProcessStartOfOddName: the name stands within /proc/pid/stat as it is.
func TestProcessStartOfOddName(t *testing.T) {
	is := is.New(t)
	cmd := helper(t, "stdin")
	odd := filepath.Join(t.TempDir(), ") Z 1 (2)")
	is.NoErr(os.Symlink(cmd.Path, odd))
	cmd.Path = odd
	stdin, err := cmd.StdinPipe()
	is.NoErr(err)
	is.NoErr(cmd.Start())
	self, _, err := processStart(int32(os.Getpid()))
	is.NoErr(err)
	start, running, err := processStart(int32(cmd.Process.Pid))
	is.NoErr(err)
	is.True(running)
	is.True(start >= self)
	is.NoErr(stdin.Close())
	is.NoErr(cmd.Wait())
	_, _, err = processStart(int32(cmd.Process.Pid))
	is.True(errors.Is(err, os.ErrProcessDone))
}
