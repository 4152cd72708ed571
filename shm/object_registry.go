//go:build unix && (!linux || ipcportable)

package shm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipcctl/ipc/shm/internal/rundir"
)

// POSIX shared memory (shm_open) has no list, no exact sizes, no names beyond
// 30 characters, and no moment at which an object appears complete. A registry
// adds them: one record per segment, a file in the runtime directory.
//
//	DIR/shm/NAME     {"object":"/NAME", "size":100, "ready":true, …}, with
//	                 "file":true if the object is the file DIR/files/NAME
//	    flock EX     its creator is at work
//	    flock SH     each attached handle
//	    none         nobody of this library uses it; not ready: its creator died
//	DIR/shm/.lock    held for the few calls that add or remove a record
//
// create   record (not ready, EX) -> shm_open -> ftruncate -> Init -> ready   <= the commit -> SH
// death    before the commit: a record that is not ready and not locked, which
//
//	the next Create of the name, or Remove, cleans up
//
// An object without a record is somebody else's, Python's for example: it is
// used as it is.
type record struct {
	Object  string    `json:"object"`
	File    bool      `json:"file,omitempty"`
	Size    int       `json:"size"`
	Mode    uint32    `json:"mode"`
	PID     int       `json:"pid"`
	Created time.Time `json:"created"`
	Ready   bool      `json:"ready"`
}

// parseRecord reads what may be half-written or forged.
func parseRecord(b []byte) (record, error) {
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return record{}, fmt.Errorf("%w: registry record: %v", ErrCorrupt, err)
	}
	name, rooted := strings.CutPrefix(r.Object, "/")
	if r.Size <= 0 || !rooted || isPath(name) || checkName(name) != nil || !r.File && len(r.Object) > maxObjectName {
		return record{}, fmt.Errorf("%w: registry record of object %q with %d bytes", ErrCorrupt, r.Object, r.Size)
	}
	return r, nil
}

// newRecord is the record of a segment that is about to be made.
func newRecord(name string, size int, o *Options) record {
	r := record{Object: objectName(name), Size: size, Mode: uint32(o.mode()), PID: os.Getpid(), Created: time.Now()}
	if o.File {
		r.Object, r.File = "/"+name, true
	}
	return r
}

// path is where the object is, if it is a file.
func (r record) path() (string, error) {
	if !r.File {
		return objectPath(r.Object)
	}
	dir, err := rundir.Path("files")
	return filepath.Join(dir, r.Object), err
}

func (r record) open(flags int) (*os.File, error) {
	if !r.File {
		return shmOpen(r.Object, flags, r.Mode)
	}
	path, err := r.path()
	if err != nil {
		return nil, err
	}
	return openRegular(path, flags, r.Mode)
}

func (r record) unlink() error {
	if !r.File {
		return shmUnlink(r.Object)
	}
	path, err := r.path()
	if err != nil {
		return err
	}
	return removeFile(path)
}

// size gives the new object its size.
func (r record) size(f *os.File) error {
	if !r.File {
		return sizeObject(f, r.Size, os.FileMode(r.Mode))
	}
	return sizeFile(f, r.Size, os.FileMode(r.Mode))
}

// sizeFile gives a new file its mode, whatever the umask, and its size.
func sizeFile(f *os.File, size int, mode os.FileMode) error {
	return control(f, func(fd int) error {
		if err := unix.Fchmod(fd, uint32(mode)); err != nil {
			return os.NewSyscallError("fchmod", err)
		}
		return reserve(fd, size)
	})
}

// openRegular is open(2) of a file that has the place of an object.
func openRegular(path string, flags int, mode uint32) (f *os.File, err error) {
	err = retry(func() error {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, mode)
		if err == nil {
			f = os.NewFile(uintptr(fd), path)
		}
		return err
	})
	return f, err
}

// maxRecord is the size of a record in bytes, padded with spaces.
const maxRecord = 1024

func readRecord(f *os.File) (record, error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, maxRecord))
	if err != nil {
		return record{}, err
	}
	return parseRecord(b)
}

func writeRecord(f *os.File, r record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if len(b) > maxRecord {
		return fmt.Errorf("%w: a record of %d bytes", os.ErrInvalid, len(b))
	}
	// Always of one length: an older, longer record leaves nothing behind, and
	// no file is truncated to be rewritten, which some file systems flush.
	_, err = f.WriteAt(append(b, bytes.Repeat([]byte{' '}, maxRecord-len(b))...), 0)
	return err
}

// registry returns the directory of the records, and its lock taken.
func registry() (dir string, unlock func(), err error) {
	if dir, err = rundir.Path("shm"); err != nil {
		return "", nil, err
	}
	unlock, err = rundir.Lock(filepath.Join(dir, ".lock"))
	return dir, unlock, err
}

func createObject(name string, size int, o *Options) (_ object, _ []byte, err error) {
	if isPath(name) {
		f, b, err := createFile(name, size, o)
		return object{f: f}, b, err
	}
	rec := newRecord(name, size, o)
	f, log, err := beginRecord(name, rec)
	if err != nil {
		return object{}, nil, err
	}
	obj := object{f: f, size: size, attached: log}
	committed := false
	defer func() {
		if !committed { // an error, or a panic of Init
			err = errors.Join(err, dropRecord(name, log), obj.close())
		}
	}()
	if err := rec.size(f); err != nil {
		return object{}, nil, err
	}
	b, err := initialise(f, size, o)
	if err != nil {
		return object{}, nil, err
	}
	rec.Ready = true
	if err := commitRecord(log, rec); err != nil {
		unmap(b)
		return object{}, nil, err
	}
	committed = true
	return obj, b, nil
}

// beginRecord adds a record that is not ready, exclusively locked, and makes
// the object. What a dead creator left under the name is removed. Who looks for
// the record finds it locked and written: it is given its name last.
func beginRecord(name string, rec record) (f, log *os.File, err error) {
	dir, unlock, err := registry()
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	path := filepath.Join(dir, name)
	if err := sweepRecord(path); err != nil {
		return nil, nil, err
	}
	if f, err = rec.open(unix.O_RDWR); err == nil {
		f.Close()
		return nil, nil, os.ErrExist // somebody else's
	}
	temp := filepath.Join(dir, ".new") // one for all, as the registry is locked
	_ = os.Remove(temp)                // of one who died here
	log, err = os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, nil, err
	}
	err = rundir.Flock(log, unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		err = writeRecord(log, rec)
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return nil, nil, errors.Join(err, os.Remove(temp), log.Close())
	}
	if f, err = rec.open(unix.O_RDWR | unix.O_CREAT | unix.O_EXCL); err != nil {
		return nil, nil, errors.Join(err, os.Remove(path), log.Close())
	}
	return f, log, nil
}

// dropRecord undoes beginRecord. If somebody has removed the segment meanwhile,
// there is nothing left to undo, and the name may be another's.
func dropRecord(name string, log *os.File) error {
	dir, unlock, err := registry()
	if err != nil {
		return err
	}
	defer unlock()
	if path := filepath.Join(dir, name); rundir.SameFile(log, path) {
		return removeRecord(path, name)
	}
	return nil
}

// sweepRecord makes room for a new record at path: nothing is there, or what
// is there has no creator at work and no object. Else it is os.ErrExist.
// Preconditions: the registry is locked.
func sweepRecord(path string) error {
	log, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer log.Close()
	if rundir.Flock(log, unix.LOCK_EX|unix.LOCK_NB) != nil {
		return os.ErrExist
	}
	if rec, err := readRecord(log); err == nil {
		f, err := rec.open(unix.O_RDWR)
		if err == nil {
			f.Close()
		}
		there := err == nil || errors.Is(err, os.ErrPermission)
		switch {
		case there && rec.Ready:
			return os.ErrExist
		case there:
			if err := rec.unlink(); err != nil {
				return err
			}
		case !errors.Is(err, os.ErrNotExist):
			return err
		}
	}
	return os.Remove(path)
}

// commitRecord is the moment at which the segment exists.
func commitRecord(log *os.File, rec record) error {
	if err := writeRecord(log, rec); err != nil {
		return err
	}
	return rundir.Flock(log, unix.LOCK_SH) // who takes EX in between sees that it is ready
}

// openObject waits until ctx ends for a creator at work.
func openObject(ctx context.Context, name string, writable bool) (object, error) {
	mode := unix.O_RDONLY
	if writable {
		mode = unix.O_RDWR
	}
	if isPath(name) {
		f, err := openFile(name, writable)
		return object{f: f}, err
	}
	dir, err := rundir.Path("shm")
	if err != nil {
		return object{}, err
	}
	path := filepath.Join(dir, name)
	for { // ends: somebody would have to remove and make the segment every time, or ctx does
		log, rec, err := attachRecord(ctx, path)
		if errors.Is(err, os.ErrNotExist) && err != errCutShort {
			f, err := openForeign(name, mode)
			if err != errHasRecord {
				return object{f: f}, err
			}
			continue
		}
		if err != nil {
			return object{}, err
		}
		f, err := rec.open(mode)
		if err != nil {
			return object{}, errors.Join(err, log.Close())
		}
		if rundir.SameFile(log, path) {
			return object{f: f, size: rec.Size, attached: log}, nil
		}
		// Removed since: the object may be another segment's, on its way.
		f.Close()
		log.Close()
		if err := ctx.Err(); err != nil {
			return object{}, err
		}
	}
}

// openForeign opens an object that has no record. Nobody adds one meanwhile: the
// object would be one on its way.
func openForeign(name string, mode int) (*os.File, error) {
	dir, unlock, err := registry()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
		return nil, errHasRecord
	}
	return shmOpen(objectName(name), mode, 0)
}

// errHasRecord is not foreign, any more.
var errHasRecord = errors.New("it has a record")

// errCutShort is not a segment, though it has a record and perhaps an object.
var errCutShort = fmt.Errorf("its creator died before it was complete: %w", os.ErrNotExist)

// attachRecord takes a shared lock of a record that is ready. It ends when it
// has one, when there is no such record, or when ctx ends.
func attachRecord(ctx context.Context, path string) (*os.File, record, error) {
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 20*time.Millisecond) {
		log, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0)
		if err != nil {
			return nil, record{}, err
		}
		err = rundir.Flock(log, unix.LOCK_SH|unix.LOCK_NB)
		if err == nil && rundir.SameFile(log, path) {
			rec, err := readRecord(log)
			if err == nil && rec.Ready {
				return log, rec, nil
			}
			log.Close()
			if err == nil {
				err = errCutShort
			}
			return nil, record{}, err
		}
		log.Close()
		if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, record{}, err
		}
		select {
		case <-ctx.Done():
			return nil, record{}, fmt.Errorf("its creator is still at work: %w", ctx.Err())
		case <-time.After(pause):
		}
	}
}

// removeObject removes the object first: a record alone is harmless.
func removeObject(name string) error {
	if isPath(name) {
		return removeFile(name)
	}
	dir, unlock, err := registry()
	if err != nil {
		return err
	}
	defer unlock()
	return removeRecord(filepath.Join(dir, name), name)
}

// removeRecord removes the record at path and its object. Preconditions: the
// registry is locked.
func removeRecord(path, name string) error {
	rec := record{Object: objectName(name)}
	if log, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0); err == nil {
		if r, err := readRecord(log); err == nil {
			rec = r
		}
		log.Close()
	}
	err := rec.unlink()
	if e := os.Remove(path); e != nil && !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

// objectName is the POSIX name of a segment: Python's, if it fits the system.
func objectName(name string) string {
	if len(name) < maxObjectName {
		return "/" + name
	}
	return "/" + shortName(name)
}

// listObjects shows the records. Who else uses an object is not to be found
// out here, so nothing but a creation that was cut short is an orphan.
func listObjects() ([]Info, error) {
	dir, err := rundir.Path("shm")
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var infos []Info
	for _, e := range entries {
		if checkName(e.Name()) != nil || !e.Type().IsRegular() {
			continue
		}
		if i, ok := describeRecord(filepath.Join(dir, e.Name())); ok {
			infos = append(infos, i)
		}
	}
	return infos, nil
}

func describeRecord(path string) (Info, bool) {
	log, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return Info{}, false
	}
	defer log.Close()
	rec, err := readRecord(log)
	if err != nil {
		return Info{}, false
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(log.Fd()), &st); err != nil {
		return Info{}, false
	}
	i := Info{
		Name: filepath.Base(path), Size: int64(rec.Size), Mode: os.FileMode(rec.Mode),
		UID: st.Uid, GID: st.Gid, Links: 1, Created: rec.Created, Changed: rec.Created, Hidden: 1,
	}
	if i.Path, err = rec.path(); err != nil {
		return Info{}, false
	}
	i.Attached = rundir.Flock(log, unix.LOCK_EX|unix.LOCK_NB) != nil
	i.cutShort = !rec.Ready && !i.Attached
	f, err := rec.open(unix.O_RDONLY)
	if err != nil {
		return i, i.cutShort // removed behind the registry's back
	}
	return i, f.Close() == nil
}

func openTmpfile(string) (int, error) {
	return -1, fmt.Errorf("O_TMPFILE: %w", errors.ErrUnsupported)
}

func linkTmpfile(*os.File, string) error { return errors.ErrUnsupported }

func allocate(fd, size int) error { return reserveByWriting(fd, size) }

// createAnonymous makes an object and unlinks it at once. A read-only
// descriptor for others has to be opened while it has a name.
func createAnonymous(size int, o *Options) (object, []byte, error) {
	name := "/" + temporaryPrefix[1:] + generateName()
	f, err := shmOpen(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, uint32(o.mode())|0o400)
	if err != nil {
		return object{}, nil, err
	}
	obj := object{f: f, size: size}
	obj.reader, err = shmOpen(name, unix.O_RDONLY, 0)
	err = errors.Join(err, shmUnlink(name))
	var b []byte
	if err == nil {
		err = sizeObject(f, size, o.mode())
	}
	if err == nil {
		b, err = initialise(f, size, o)
	}
	if err != nil {
		return object{}, nil, errors.Join(err, obj.close())
	}
	return obj, b, nil
}
