//go:build unix && (!linux || ipcportable)

package shm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ipcctl/ipc/shm/internal/rundir"
	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// registryName is free, and removed at the end whatever happened.
func registryName(t *testing.T) string {
	name := "registry-" + generateName()
	t.Cleanup(func() { _ = Remove(name) })
	return name
}

func listed(t *testing.T, name string) *Info {
	t.Helper()
	l, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range l {
		if i.Name == name {
			return &i
		}
	}
	return nil
}

func TestRegistryLists(t *testing.T) {
	is := is.New(t)
	name := registryName(t)
	r, err := Create(name, 100, &Options{Mode: 0o640})
	is.NoErr(err)
	i := listed(t, name)
	is.True(i != nil)
	is.Equal(i.Size, int64(100)) // not rounded
	is.Equal(i.Mode, os.FileMode(0o640))
	is.Equal(i.UID, uint32(os.Geteuid()))
	is.Equal(i.State, Live)
	is.NoErr(r.Close())
	is.Equal(listed(t, name).State, Idle)
	ro, err := OpenReader(name, nil)
	is.NoErr(err)
	is.Equal(listed(t, name).State, Live)
	is.NoErr(ro.Close())
	is.NoErr(Remove(name))
	is.True(listed(t, name) == nil)
}

// Names longer than the system's are mapped; the list shows the real ones.
func TestRegistryLongNames(t *testing.T) {
	is := is.New(t)
	name := strings.Repeat("long-name-", 19) + generateName()[4:]
	r, err := Create(name, 100, nil)
	is.NoErr(err)
	defer r.Close()
	defer Remove(name)
	is.True(len(objectName(name)) <= maxObjectName)
	is.True(listed(t, name) != nil)
	o, err := Open(name, nil)
	is.NoErr(err)
	is.NoErr(o.Close())
	_, err = Create(name, 100, nil)
	is.True(errors.Is(err, os.ErrExist))
}

// An object that this library did not make is used as it is, and not listed.
func TestRegistryForeignObject(t *testing.T) {
	is := is.New(t)
	name := generateName()
	f, err := shmOpen("/"+name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
	is.NoErr(err)
	defer f.Close()
	defer shmUnlink("/" + name)
	is.NoErr(sizeObject(f, 100, 0o600))
	r, err := Open(name, nil)
	is.NoErr(err)
	is.Equal(r.Size(), os.Getpagesize())
	is.NoErr(r.Close())
	_, err = Create(name, 100, nil)
	is.True(errors.Is(err, os.ErrExist))
	is.NoErr(Remove(name))
	_, err = Open(name, nil)
	is.True(errors.Is(err, os.ErrNotExist))
}

// A segment can be a file in a directory of its user's own.
func TestRegistryFile(t *testing.T) {
	is := is.New(t)
	name := "registry-" + strings.Repeat("f", 150) + generateName()
	t.Cleanup(func() { _ = Remove(name) })
	r, err := Create(name, 100, &Options{Mode: 0o640, File: true})
	is.NoErr(err)
	defer r.Close()
	i := listed(t, name)
	is.True(i != nil)
	is.Equal(i.State, Live)
	is.Equal(filepath.Base(i.Path), name) // not mapped to another
	fi, err := os.Lstat(i.Path)
	is.NoErr(err)
	is.Equal(fi.Mode(), os.FileMode(0o640))
	is.Equal(fi.Size(), int64(100)) // not rounded
	fi, err = os.Lstat(filepath.Dir(i.Path))
	is.NoErr(err)
	is.Equal(fi.Mode(), os.ModeDir|0o700)

	o, err := Open(name, nil) // asks the record
	is.NoErr(err)
	defer o.Close()
	_, err = r.WriteAt([]byte("seen"), 0)
	is.NoErr(err)
	seen := make([]byte, 4)
	_, err = o.ReadAt(seen, 0)
	is.NoErr(err)
	is.Equal(string(seen), "seen")
	for _, file := range []bool{true, false} {
		_, err = Create(name, 100, &Options{File: file})
		is.True(errors.Is(err, os.ErrExist))
	}
	is.NoErr(Remove(name))
	var st unix.Stat_t
	is.NoErr(unix.Fstat(int(o.File().Fd()), &st))
	is.True(st.Nlink == 0) // the handle tells
	is.True(listed(t, name) == nil)
	_, err = Open(name, nil)
	is.True(errors.Is(err, os.ErrNotExist))
}

// What a dead creator left is an orphan, and room for the next.
func TestRegistryCutShort(t *testing.T) {
	for _, file := range []bool{false, true} {
		t.Run(fmt.Sprintf("file %v", file), func(t *testing.T) { testCutShort(t, &Options{File: file}) })
	}
}

func testCutShort(t *testing.T, o *Options) {
	is := is.New(t)
	name := registryName(t)
	rec := newRecord(name, 100, o)
	f, log, err := beginRecord(name, rec)
	is.NoErr(err)
	is.Equal(listed(t, name).State, Live) // at work
	_, err = Create(name, 100, nil)
	is.True(errors.Is(err, os.ErrExist))
	is.NoErr(f.Close())
	is.NoErr(log.Close()) // dead
	is.Equal(listed(t, name).State, Orphan)
	_, err = Open(name, nil)
	is.True(errors.Is(err, os.ErrNotExist))
	path, err := rec.path()
	is.NoErr(err)
	r, err := Create(name, 50, nil) // another kind, perhaps
	is.NoErr(err)
	is.NoErr(r.Close())
	is.NoErr(Remove(name))
	if o.File {
		_, err = os.Lstat(path)
		is.True(errors.Is(err, os.ErrNotExist))
	}
}

// A creator that died before its record had a name leaves a file that is nothing, and
// that the next one clears away.
func TestRegistryUnfinishedRecord(t *testing.T) {
	is := is.New(t)
	dir, unlock, err := registry()
	is.NoErr(err)
	unfinished := filepath.Join(dir, ".new")
	is.NoErr(os.WriteFile(unfinished, []byte("half a rec"), 0o600))
	unlock()
	before, err := List()
	is.NoErr(err)
	for _, i := range before {
		is.True(i.Name != ".new")
	}
	name := registryName(t)
	r, err := Create(name, 100, nil)
	is.NoErr(err)
	is.NoErr(r.Close())
	is.True(listed(t, name) != nil)
	_, err = os.Lstat(unfinished)
	is.True(errors.Is(err, os.ErrNotExist))
}

// A creation that failed takes away what it made, and not what somebody else has
// made under its name meanwhile.
func TestRegistryFailedCreate(t *testing.T) {
	is := is.New(t)
	name := registryName(t)
	var other *Region
	_, err := Create(name, 100, &Options{Init: func([]byte) (err error) {
		is.NoErr(Remove(name)) // as any process of this user may
		other, err = Create(name, 200, nil)
		is.NoErr(err)
		return errors.New("no")
	}})
	is.True(err != nil)
	defer other.Close()
	r, err := Open(name, nil)
	is.NoErr(err) // the other one lives
	is.Equal(r.Size(), 200)
	is.NoErr(r.Close())
}

// A name whose segment may not be opened is taken, and stays listed. (Root may
// open all.)
func TestRegistryReadOnlySegment(t *testing.T) {
	is := is.New(t)
	name := registryName(t)
	r, err := Create(name, 100, &Options{Mode: 0o400})
	is.NoErr(err)
	is.NoErr(r.Close())
	_, err = Create(name, 100, nil)
	is.True(errors.Is(err, os.ErrExist))
	i := listed(t, name)
	is.True(i != nil)
	is.Equal(i.Size, int64(100))
}

// Whoever looks at a name while it is made sees nothing or all of it, and is not
// in the creator's way.
func TestRegistryCreateWhileOthersLook(t *testing.T) {
	is := is.New(t)
	name := registryName(t)
	var stop atomic.Bool
	var others sync.WaitGroup
	for range 2 {
		others.Go(func() {
			for !stop.Load() {
				r, err := Open(name, nil)
				if err == nil {
					var b [5]byte
					_, err = r.ReadAt(b[:], 0)
					if err == nil && string(b[:]) != "whole" {
						err = fmt.Errorf("it holds %q", b)
					}
					err = errors.Join(err, r.Close())
				}
				if err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Errorf("open: %v", err)
					return
				}
				if _, err := List(); err != nil {
					t.Errorf("list: %v", err)
					return
				}
			}
		})
	}
	defer others.Wait()
	defer stop.Store(true)
	rounds := 2000
	if testing.Short() {
		rounds = 500
	}
	for range rounds {
		r, err := Create(name, 100, &Options{Init: func(mem []byte) error { copy(mem, "whole"); return nil }})
		is.NoErr(err)
		is.NoErr(r.Close())
		is.NoErr(Remove(name))
	}
}

// Records that are damaged or forged never lead outside.
func TestRegistryBadRecords(t *testing.T) {
	dir, err := rundir.Path("shm")
	if err != nil {
		t.Fatal(err)
	}
	for what, content := range map[string]string{
		"empty": "", "noise": "\x00\x01", "no size": `{"object":"/x","ready":true}`,
		"path": `{"object":"/../etc/passwd","size":1,"ready":true}`, "relative": `{"object":"x","size":1,"ready":true}`,
		"long": `{"object":"/` + strings.Repeat("x", 40) + `","size":1,"ready":true}`,
		"file": `{"object":"/..","file":true,"size":1,"ready":true}`, "long file": `{"object":"/` + strings.Repeat("x", 201) + `","file":true,"size":1,"ready":true}`,
	} {
		t.Run(what, func(t *testing.T) {
			is := is.New(t)
			name := registryName(t)
			is.NoErr(os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
			_, err := Open(name, nil)
			is.True(errors.Is(err, ErrCorrupt))
			is.True(listed(t, name) == nil)
			r, err := Create(name, 10, nil) // a bad record holds no name
			is.NoErr(err)
			is.NoErr(r.Close())
			is.NoErr(Remove(name))
		})
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(`{"object":"/psm_0","size":100,"ready":true}   `))
	f.Add([]byte(`{"object":"/../x","size":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRecord(b)
		if err == nil && (r.Size <= 0 || strings.Contains(r.Object[1:], "/")) {
			t.Fatalf("accepted %+v", r)
		}
	})
}
