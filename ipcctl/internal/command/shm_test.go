package command_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

// segmentName returns a name of this test's own and removes what bears it in
// the end.
func segmentName(t testing.TB) string {
	name := fmt.Sprintf("ipcctl-test-%08x", rand.Uint32())
	t.Cleanup(func() { shm.Remove(name) })
	return name
}

func TestShm(t *testing.T) {
	is := is.New(t)
	name := segmentName(t)
	is.Equal(must(t, "", "shm", "create", "--size", "4KiB", "--name", name), name+"\n")
	is.Equal(must(t, "", "shm", "write", name, "hello"), "")
	is.Equal(must(t, "", "shm", "read", name, "--length", "5"), "hello")
	is.Equal(must(t, "", "shm", "read", "--length=2", "--offset=3", name), "lo")

	is.Equal(must(t, "from stdin\n", "shm", "write", name, "--offset", "4085"), "") // up to the last byte
	is.Equal(must(t, "", "shm", "read", name, "--offset", "4085"), "from stdin\n")
	is.Equal(must(t, "", "shm", "read", name), "hello"+strings.Repeat("\x00", 4080)+"from stdin\n")

	must(t, "", "shm", "write", name, "--offset", "5", "--", "--dashed")
	is.Equal(must(t, "", "shm", "read", name, "--length", "13"), "hello--dashed")
	must(t, "\xff\xfe", "shm", "write", name)
	o := conforms(t, "ipcctl shm read", must(t, "", "shm", "read", name, "--length", "2", "--json"))
	is.Equal(o[0]["message"], "//4=") // base64 of ff fe
	is.Equal(o[0]["encoding"], "base64")

	r := run(t, "", "shm", "write", name, "--offset", "4095", "xy")
	is.Equal(r.code, 1) // it doesn't fit
	is.Equal(must(t, "", "shm", "read", name, "--offset", "4095"), "\n")

	fails(t, 1, []string{"shm", "create", "--size", "1", "--name", name}, name, "exists", "ipcctl shm rm")
	fails(t, 1, []string{"shm", "read", name, "--length", "4097"}, "4097", "4096")
	fails(t, 2, []string{"shm", "read", name, "--offset", "4097"}, "outside")
	fails(t, 2, []string{"shm", "dump", name, "--offset", "5KiB"}, "outside") // sizes in all their forms
	is.Equal(must(t, "", "shm", "read", name, "--offset", "4KiB"), "")
	fails(t, 2, []string{"shm", "write", name, "x", "--offset", "-1"}, "-1")
	is.Equal(must(t, "", "shm", "rm", name), "")
	for _, verb := range []string{"read", "write", "rm"} {
		fails(t, 3, []string{"shm", verb, name}, name, "ipcctl ls --kind shm")
	}
}

func TestShmCreate(t *testing.T) {
	is := is.New(t)
	made := conforms(t, "ipcctl shm create", must(t, "", "shm", "create", "--size", "100", "--mode", "0640", "--json"))[0]
	name := made["name"].(string)
	defer shm.Remove(name)
	is.True(strings.HasPrefix(name, "psm_") && len(name) == 12)
	is.Equal(made["size"], 100.0)
	is.Equal(made["mode"], "0640")
	o := find(conforms(t, "ipcctl ls", must(t, "", "ls", "--kind", "shm", "--json")), name)
	is.Equal(o["mode"], "0640")
	is.Equal(o["size"], 100.0)

	for _, c := range []struct {
		args string
		text string
	}{
		{"", "--size is required"},
		{"--size 0", "0"},
		{"--size -1", "negative"},
		{"--size many", "many"},
		{"--size 1 --name .x", "invalid name"},
		{"--size 1 --name " + strings.Repeat("x", 201), "invalid name"},
		{"--size 1 --mode 9", "octal"},
		{"--size 1 stray", "no arguments"},
	} {
		fails(t, 2, append([]string{"shm", "create"}, strings.Fields(c.args)...), c.text)
	}
	fails(t, 2, []string{"shm"}, "which verb?", "create, write, read, rm")
}

func TestShmWrongType(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"read", "write", "rm"} {
		fails(t, 1, []string{"shm", verb, fifo}, fifo)
		fails(t, 1, []string{"shm", verb, t.TempDir()}, "shm")
	}
	if _, err := os.Lstat(fifo); err != nil {
		t.Error(err)
	}
}

// TestShmTooLarge asks for more than the system has. The limit on file sizes
// makes sure that no fault of ours can really take the memory: other processes
// would be killed for it.
func TestShmTooLarge(t *testing.T) {
	is := is.New(t)
	for _, args := range []string{"shm create --name NAME --size 1024TiB", "queue create NAME --memory 1024TiB --max-message 1GiB"} {
		name := segmentName(t)
		line := strings.ReplaceAll(args, "NAME", name)
		cmd := command(t)
		cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", "ulimit -f 2048; exec " + binary + " " + line}
		r := finish(t, cmd)
		is.Equal(r.out, "")
		if strconv.IntSize == 32 {
			is.Equal(r.code, 2) // no 32-bit process can say such a size
		} else {
			is.Equal(r.code, 1)
			is.True(strings.Contains(r.err, name) && strings.Contains(r.err, "ipcctl doctor"))
		}
		for _, file := range []string{name, "ipcq." + name} {
			if _, err := os.Lstat("/dev/shm/" + file); err == nil {
				t.Errorf("%s is left behind", file)
			}
		}
	}
}
