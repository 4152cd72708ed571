//go:build linux && !ipcportable

package shm_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

func find(t *testing.T, name string) (shm.Info, bool) {
	t.Helper()
	l, err := shm.List()
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range l {
		if i > 0 && l[i-1].Name >= x.Name {
			t.Errorf("not ordered: %q before %q", l[i-1].Name, x.Name)
		}
	}
	for _, i := range l {
		if i.Name == name {
			return i, true
		}
	}
	return shm.Info{}, false
}

func TestListShowsFacts(t *testing.T) {
	is := is.New(t)
	r, err := shm.Create("", 1234, &shm.Options{Mode: 0o640})
	is.NoErr(err)
	name := r.Name()
	defer shm.Remove(name)
	i, ok := find(t, name)
	is.True(ok)
	is.Equal(i.Size, int64(1234))
	is.Equal(i.Mode, os.FileMode(0o640))
	is.Equal(i.UID, uint32(os.Geteuid()))
	is.Equal(i.Path, "/dev/shm/"+name)
	is.True(!i.Created.IsZero() && time.Since(i.Created) < time.Hour)
	is.Equal(i.State, shm.Live)
	is.True(i.Attached)
	is.True(usedBy(i, os.Getpid()))

	for _, kind := range []string{"writer", "reader"} {
		args := []string{name}
		if kind == "reader" {
			args = append(args, kind)
		}
		p := start(t, "hold", args...)
		is.Equal(p.line(), "ready")
		i, _ = find(t, name)
		is.True(usedBy(i, p.cmd.Process.Pid))
		for _, u := range i.Users {
			is.Equal(u.UID, uint32(os.Geteuid()))
			is.True(u.Name != "")
		}
		p.kill()
		i, _ = find(t, name)
		is.True(!usedBy(i, p.cmd.Process.Pid)) // killed: gone at once
	}
	is.NoErr(r.Close())
	i, _ = find(t, name)
	is.True(!usedBy(i, os.Getpid()))
	is.True(!i.Attached)
	if i.Hidden == 0 {
		is.Equal(i.State, shm.Orphan) // nobody, and everybody was looked at
	} else {
		is.Equal(i.State, shm.Idle)
	}

	chosen := testName(t)
	c, err := shm.Create(chosen, 10, nil)
	is.NoErr(err)
	is.NoErr(c.Close())
	i, _ = find(t, chosen)
	is.Equal(i.State, shm.Idle) // its owner may come back
	is.Equal(len(i.Users), 0)

	// Open but not mapped counts.
	f, err := os.Open("/dev/shm/" + chosen)
	is.NoErr(err)
	i, _ = find(t, chosen)
	is.Equal(i.State, shm.Live)
	is.NoErr(f.Close())
	is.NoErr(shm.Remove(chosen))
	_, ok = find(t, chosen)
	is.True(!ok)
}

// Everything in /dev/shm is listed, whatever its name; only regular files.
func TestListNamesOfOthers(t *testing.T) {
	is := is.New(t)
	odd := fmt.Sprintf("/dev/shm/%s%d odd näme", testPrefix, os.Getpid())
	is.NoErr(os.WriteFile(odd, []byte("x"), 0o600))
	defer os.Remove(odd)
	_, ok := find(t, odd[len("/dev/shm/"):])
	is.True(ok)
	fifo := fmt.Sprintf("/dev/shm/%s%d-fifo", testPrefix, os.Getpid())
	is.NoErr(unix.Mkfifo(fifo, 0o600))
	defer os.Remove(fifo)
	_, ok = find(t, fifo[len("/dev/shm/"):])
	is.True(!ok)
}

func BenchmarkListSegments5000(b *testing.B) {
	dir := fmt.Sprintf("%s%d-bench-", testPrefix, os.Getpid())
	for i := range 5000 {
		name := fmt.Sprintf("%s%d", dir, i)
		r, err := shm.Create(name, 4096, nil)
		if err != nil {
			b.Fatal(err)
		}
		r.Close()
		defer shm.Remove(name)
	}
	procs := 0
	for range 50 {
		p := start(b, "hold", dir+"0")
		p.line()
		procs++
	}
	for b.Loop() {
		if _, err := shm.List(); err != nil {
			b.Fatal(err)
		}
	}
}
