//go:build unix && ((!cgo && !darwin) || osusergo || android)

package acl

import (
	"bufio"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// findUser is user.Lookup, which here, without cgo, takes $USER for the name of
// a process whose user id has no entry in /etc/passwd, and prefers that to the
// entry of the name: os/user, Lookup and current of lookup_stubs.go. So an
// answer that names this process's own id is looked for in the file.
func findUser(name string) (*user.User, error) {
	u, err := user.Lookup(name)
	if err != nil || u.Uid != strconv.Itoa(os.Getuid()) {
		return u, err
	}
	f, err := os.Open("/etc/passwd")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() { // passwd(5): name:password:uid:gid:comment:directory:shell
		if entry := strings.Split(lines.Text(), ":"); len(entry) >= 6 && entry[0] == name {
			return &user.User{Username: name, Uid: entry[2], Gid: entry[3]}, nil
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return nil, user.UnknownUserError(name)
}
