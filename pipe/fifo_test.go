//go:build unix

package pipe

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

func TestCreate(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "fifo")
	f, err := Create(path, nil)
	is.NoErr(err)
	is.Equal(f.Path(), path)
	info, err := os.Lstat(path)
	is.NoErr(err)
	is.Equal(info.Mode(), fs.ModeNamedPipe|0o600)

	_, err = Create(path, nil)
	is.True(errors.Is(err, os.ErrExist))
	is.True(strings.Contains(err.Error(), path))

	is.NoErr(f.Remove())
	_, err = os.Lstat(path)
	is.True(errors.Is(err, os.ErrNotExist))
	is.True(errors.Is(f.Remove(), os.ErrNotExist)) // again

	for _, mode := range []fs.FileMode{0o400, fs.ModeSetuid | 0o600, fs.ModeDir | 0o700} {
		_, err = Create(path, &CreateOptions{Mode: mode})
		is.True(err != nil)
	}
	_, err = Create(filepath.Join(path, "no", "such", "directory"), nil)
	is.True(errors.Is(err, os.ErrNotExist))
	_, err = os.Lstat(path)
	is.True(errors.Is(err, os.ErrNotExist)) // nothing is left behind
}

func init() {
	roles["create under umask"] = func(args []string) error {
		unix.Umask(0o077)
		if _, err := Create(args[0], &CreateOptions{Mode: 0o660}); err != nil {
			return err
		}
		info, err := os.Lstat(args[0])
		if err == nil && info.Mode() != fs.ModeNamedPipe|0o660 {
			err = fmt.Errorf("mode is %v", info.Mode())
		}
		if got := unix.Umask(0); got != 0o077 {
			err = fmt.Errorf("umask became %#o", got)
		}
		return err
	}
}

func TestCreateModeWhateverTheUmask(t *testing.T) {
	is := is.New(t)
	is.NoErr(self("create under umask", filepath.Join(t.TempDir(), "fifo")).Run())
}

// others makes one of each kind of file that is no FIFO.
func others(t *testing.T) map[string]string {
	t.Helper()
	is := is.New(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	is.NoErr(os.WriteFile(at("file"), []byte("precious"), 0o600))
	is.NoErr(os.Mkdir(at("dir"), 0o700))
	is.NoErr(unix.Mkfifo(at("real"), 0o600))
	is.NoErr(os.Symlink("real", at("link")))
	is.NoErr(os.Symlink("nowhere", at("dangling")))
	ln, err := net.Listen("unix", at("sock"))
	is.NoErr(err)
	t.Cleanup(func() { _ = ln.Close() })
	return map[string]string{
		"a regular file": at("file"), "a directory": at("dir"), "a socket": at("sock"),
		"a symbolic link": at("link"), "a symbolic link to nothing": at("dangling"),
	}
}

func TestWrongTypeAtPath(t *testing.T) {
	for what, path := range others(t) {
		t.Run(what, func(t *testing.T) {
			is := is.New(t)
			ctx := watched(t)
			before, err := os.Lstat(path)
			is.NoErr(err)
			for _, o := range []*CreateOptions{nil, {ReplaceStale: true}} {
				_, err = Create(path, o)
				is.True(errors.Is(err, os.ErrExist))
				is.True(errors.Is(err, ErrNotFIFO))
			}
			_, err = OpenReader(ctx, path, nil)
			is.True(errors.Is(err, ErrNotFIFO))
			_, err = OpenReader(ctx, path, &ReaderOptions{Persistent: true, AllowOthers: true})
			is.True(errors.Is(err, ErrNotFIFO))
			_, err = OpenWriter(ctx, path, nil)
			is.True(errors.Is(err, ErrNotFIFO))
			is.True(strings.Contains(err.Error(), strings.TrimSuffix(what, " to nothing")))
			after, err := os.Lstat(path)
			is.NoErr(err)
			is.True(os.SameFile(before, after))
		})
	}
}

func TestUntrusted(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	path := filepath.Join(t.TempDir(), "fifo")
	_, err := Create(path, &CreateOptions{Mode: 0o662})
	is.NoErr(err)
	_, err = OpenReader(ctx, path, &ReaderOptions{Persistent: true})
	is.True(errors.Is(err, ErrUntrusted))
	_, err = OpenWriter(ctx, path, nil)
	is.True(errors.Is(err, ErrUntrusted))
	r, err := OpenReader(ctx, path, &ReaderOptions{Persistent: true, AllowOthers: true})
	is.NoErr(err)
	is.NoErr(r.Close())

	if os.Geteuid() == 0 {
		is.NoErr(os.Chmod(path, 0o600))
		is.NoErr(os.Chown(path, 4321, 4321))
		_, err = OpenReader(ctx, path, &ReaderOptions{Persistent: true})
		is.True(errors.Is(err, ErrUntrusted)) // somebody else's
		_, err = Create(path, &CreateOptions{ReplaceStale: true})
		is.True(errors.Is(err, ErrUntrusted))
	}
}

func TestNothingAtPath(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	path := filepath.Join(t.TempDir(), "none")
	_, err := OpenReader(ctx, path, nil)
	is.True(errors.Is(err, os.ErrNotExist))
	_, err = OpenWriter(ctx, path, nil)
	is.True(errors.Is(err, os.ErrNotExist))
	_, err = OpenWriter(ctx, filepath.Join(path, strings.Repeat("long", 2000)), nil)
	is.True(errors.Is(err, syscall.ENAMETOOLONG) || errors.Is(err, os.ErrNotExist))
}

// A Create that finds another file where it has just made its FIFO gives up and
// leaves that file alone.
func TestCreateLeavesWhatReplacesItsFIFO(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path, next := filepath.Join(dir, "f"), filepath.Join(dir, "next")
	stop := make(chan struct{})
	creating := later(func() error {
		for {
			select {
			case <-stop:
				return nil
			default:
				_, _ = Create(path, &CreateOptions{Mode: 0o622}) // the umask makes it look twice
			}
		}
	})
	for range 3000 {
		is.NoErr(os.WriteFile(next, nil, 0o600))
		is.NoErr(os.Rename(next, path)) // over the FIFO, or what is there
		for range 20 {
			if _, err := os.Lstat(path); err != nil {
				t.Error("Create has removed somebody's file")
				break
			}
		}
		_ = os.Remove(path)
	}
	close(stop)
	is.NoErr(creating())
}

func TestRemoveLeavesOthersAlone(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "fifo")
	f, err := Create(path, nil)
	is.NoErr(err)
	is.NoErr(os.Rename(path, path+".old")) // keeps the inode number taken
	remains := func() {
		t.Helper()
		is.NoErr(os.WriteFile(path, []byte("precious"), 0o600))
		err := f.Remove()
		is.True(errors.Is(err, os.ErrNotExist))
		text, err := os.ReadFile(path)
		is.NoErr(err)
		is.Equal(string(text), "precious")
	}
	remains()

	// A file system such as ext4 gives the number to the next file.
	is.NoErr(os.Rename(path+".old", path))
	is.NoErr(os.Remove(path))
	remains()
}

func TestReplaceStale(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	path := filepath.Join(t.TempDir(), "fifo")
	_, err := Create(path, &CreateOptions{Mode: 0o640})
	is.NoErr(err)
	replace := &CreateOptions{ReplaceStale: true}
	if !canProve {
		_, err = Create(path, replace)
		is.True(errors.Is(err, os.ErrExist) && errors.Is(err, errors.ErrUnsupported))
		return
	}
	f, err := Create(path, replace) // nobody uses it
	is.NoErr(err)
	info, err := os.Lstat(path)
	is.NoErr(err)
	is.Equal(info.Mode(), fs.ModeNamedPipe|0o600)

	refuse := func(who string) {
		t.Helper()
		_, err := Create(path, replace)
		if !errors.Is(err, os.ErrExist) {
			t.Fatalf("with %s: error %v, want one wrapping os.ErrExist", who, err)
		}
	}
	r, err := OpenReader(ctx, path, &ReaderOptions{Persistent: true})
	is.NoErr(err)
	refuse("a reader")
	w, err := OpenWriter(ctx, path, nil)
	is.NoErr(err)
	is.NoErr(w.Send(ctx, []byte("in the pipe")))
	is.NoErr(r.Close())
	refuse("a writer")
	is.NoErr(w.Close())
	_, err = Create(path, replace)
	is.NoErr(err)

	// One that waits is in use, and asking doesn't wake it.
	opened := make(chan *Reader, 1)
	go func() {
		r, err := OpenReader(ctx, path, nil)
		if err != nil {
			t.Error(err)
		}
		opened <- r
	}()
	waitForOpener(t, path)
	refuse("a reader that waits")
	select {
	case <-opened:
		t.Fatal("asking woke the reader")
	default:
	}
	w, err = OpenWriter(ctx, path, nil)
	is.NoErr(err)
	is.NoErr(w.Close())
	is.NoErr((<-opened).Close())
	is.NoErr(f.Remove())
}

// A foreign process that waits in open(2) counts as a user too.
func TestReplaceStaleMeetsForeignReader(t *testing.T) {
	if !canProve {
		return // TestReplaceStale has seen it refused
	}
	is := is.New(t)
	path := newFIFO(t)
	cat := exec.Command("cat", path)
	is.NoErr(cat.Start())
	defer cat.Wait()
	defer cat.Process.Kill()
	for { // ends: cat gets as far as open(2), or the test's time-out
		_, err := Create(path, &CreateOptions{ReplaceStale: true})
		if err != nil {
			is.True(errors.Is(err, os.ErrExist))
			return
		}
		runtime.Gosched()
	}
}
