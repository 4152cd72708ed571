//go:build unix

package acl

import (
	"fmt"
	"os"
	"syscall"
)

// checkApply refuses what isn't a file of the resource's sort, or isn't ours,
// and returns what to apply to it.
func checkApply(info os.FileInfo, p *Policy, resource string) (FileAccess, error) {
	want := map[kind]os.FileMode{kindSocket: os.ModeSocket, kindPipe: os.ModeNamedPipe, kindShm: 0, kindQueue: 0}
	k, _, _ := cutKind(resource)
	st := info.Sys().(*syscall.Stat_t)
	a, err := p.FileAccess(resource, st.Uid, st.Gid)
	if err != nil {
		return a, err
	}
	if t := info.Mode().Type(); t != want[k] {
		return a, fmt.Errorf("the file is of another sort (%v): %w", t, os.ErrInvalid)
	}
	if us := os.Geteuid(); us != 0 && us != int(st.Uid) {
		return a, fmt.Errorf("the file belongs to uid %d, not to us (%d): %w", st.Uid, us, os.ErrPermission)
	}
	return a, nil
}
