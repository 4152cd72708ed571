package command_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// find returns the object of that name among lines of ls --json.
func find(objects []map[string]any, name string) map[string]any {
	i := slices.IndexFunc(objects, func(o map[string]any) bool { return o["name"] == name })
	if i < 0 {
		return nil
	}
	return objects[i]
}

// usedBy says whether that process is among the users of an object.
func usedBy(o map[string]any, pid int) bool {
	users, _ := o["users"].([]any)
	return slices.ContainsFunc(users, func(u any) bool { return u.(map[string]any)["pid"] == float64(pid) })
}

func TestListSockets(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	open, dead, gone := filepath.Join(dir, "open.sock"), filepath.Join(dir, "dead.sock"), filepath.Join(dir, "gone.sock")
	for _, path := range []string{open, dead, gone} {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		is.NoErr(err)
		l.SetUnlinkOnClose(false)
		if path == dead {
			l.Close()
		} else {
			defer l.Close()
		}
	}
	is.NoErr(os.Remove(gone))
	client, err := net.Dial("unix", open)
	is.NoErr(err)
	defer client.Close()
	is.NoErr(os.WriteFile(filepath.Join(dir, "file"), nil, 0o600)) // no object of ours

	objects := conforms(t, "ipcctl ls", must(t, "", "ls", dir, "--kind", "socket", "--json"))
	for name, want := range map[string]string{open: "live", dead: "stale", gone: "orphan"} {
		o := find(objects, name)
		if o == nil || o["state"] != want || o["why"] == "" {
			t.Errorf("%s should be %s: %v", name, want, o)
		}
		if want != "stale" && !usedBy(o, os.Getpid()) {
			t.Errorf("%s should be used by %d: %v", name, os.Getpid(), o)
		}
	}
	is.Equal(find(objects, filepath.Join(dir, "file")), nil)

	for _, owner := range []string{owner(t, dead), strconv.Itoa(os.Getuid())} { // by name and by number
		is.True(find(conforms(t, "ipcctl ls", must(t, "", "ls", dir, "--json", "--owner", owner)), dead) != nil)
	}
	stale := must(t, "", "ls", dir, "--kind=socket", "--state", "stale", "--why")
	golden(t, "ls.stale.txt", ofDir(stale, dir), dir, "DIR", owner(t, dead), "OWNER")
}

// ofDir keeps the header and the lines about objects in a folder, with single
// blanks: what else is on the host doesn't matter.
func ofDir(text, dir string) string {
	var out []string
	for i, line := range strings.Split(text, "\n") {
		if i == 0 || strings.Contains(line, dir) {
			out = append(out, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(out, "\n") + "\n"
}

// owner returns the name of the owner of a file.
func owner(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command("stat", "-c", "%U", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestListFIFOs(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	idle, live := filepath.Join(dir, "idle"), filepath.Join(dir, "live")
	is.NoErr(mkfifo(idle, 0o600))
	is.NoErr(mkfifo(live, 0o640))
	f, err := os.OpenFile(live, os.O_RDWR, 0)
	is.NoErr(err)
	defer f.Close()
	objects := conforms(t, "ipcctl ls", must(t, "", "ls", dir, "--kind", "fifo", "--json"))
	is.Equal(find(objects, idle)["state"], "idle")
	is.Equal(find(objects, live)["state"], "live")
	is.Equal(find(objects, live)["mode"], "0640")
	is.True(usedBy(find(objects, live), os.Getpid()))
}

func TestListUsage(t *testing.T) {
	fails(t, 2, []string{"ls", "--kind", "sockets"}, `did you mean "socket"?`)
	fails(t, 2, []string{"ls", "--state", "dead"}, `no state "dead"`)
}
