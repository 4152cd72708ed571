//go:build linux || darwin

package acl

import (
	"fmt"
	"os"
	"testing"

	"github.com/matryer/is"
)

func init() {
	helpers["names"] = func() {
		become("54321 54321 0 0")
		os.Setenv("USER", "root") // as somebody may who starts us
		os.Setenv("HOME", "/")
		p, err := Parse("names.acl", []byte("allow user:root put queue:a\nexpect allow user:root put queue:a\n"))
		if err != nil {
			panic(err)
		}
		asked := func(uid uint32) bool { return p.Check(Subject{UID: uid, GID: 1}, "put", "queue:a").Allowed }
		fmt.Print(asked(54321), asked(0), p.Test()[0].Passed)
	}
}

// TestNamesAreNotFromTheEnvironment: a process whose user id has no name, as in
// a container, is not whom $USER names. Without cgo package os/user thinks so.
func TestNamesAreNotFromTheEnvironment(t *testing.T) {
	asRoot(t)
	is := is.New(t)
	out, err := helper(t, "names").Output()
	is.NoErr(err)
	is.Equal(string(out), "false true true")
}
