//go:build unix

package socket

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A place is where a socket file lies: a name in a directory that is held
// open, so that neither renamed directories nor long paths confuse matters.
//
//	dir/name         the socket, and while its owner lives
//	dir/name.lock    locked by flock(2); "binding", then "device inode" of the socket
//	dir/.hash.stale  a dead socket, for the moment between rename and unlink
//	dir/.hash.new    a socket whose name is too long to bind, until it is renamed
type place struct {
	dir  int
	path string
	name string
}

// inode tells one file from another.
type inode struct{ dev, ino uint64 }

// ownership is a socket file of ours: the lock that says so, and which inode
// it is. The zero value owns nothing.
type ownership struct {
	place place
	lock  int // a descriptor; its lock is shared with the process we hand it to
	self  inode
	held  bool
}

// foreignGrace is how long a socket made without our lock may refuse
// connections before it counts as dead: its owner may be between bind and
// listen.
const foreignGrace = time.Second

func openPlace(path string) (place, error) {
	// Not cleaned: the kernel, which binds the path, goes through links to "..".
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	fd, err := retry(func() (int, error) {
		return unix.Open(dir, openDir|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return place{}, &os.PathError{Op: "open directory", Path: dir, Err: err}
	}
	return place{dir: fd, path: path, name: name}, nil
}

// lockName returns the name of the lock file. Where the socket's own name
// leaves no room for a suffix, a hash stands for it.
func (p *place) lockName() string {
	const nameMax, suffix = 255, ".lock"
	if len(p.name)+len(suffix) <= nameMax {
		return p.name + suffix
	}
	return p.hidden(12, suffix)
}

// aside is a name for a dead socket until it is unlinked.
func (p *place) aside() string { return p.hidden(6, ".stale") }

// short is a name for the socket until it gets its own.
func (p *place) short() string { return p.hidden(6, ".new") }

// hidden returns a name of n bytes of a hash, which nobody else gives to a file.
func (p *place) hidden(n int, suffix string) string {
	sum := sha256.Sum256([]byte(p.name))
	return fmt.Sprintf(".%x%s", sum[:n], suffix)
}

// stat looks at a file beside the socket, or at the socket itself.
func (p *place) stat(name string) (st unix.Stat_t, err error) {
	_, err = retry(func() (int, error) {
		return 0, unix.Fstatat(p.dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	})
	return st, err
}

func inodeOf(st *unix.Stat_t) inode { return inode{uint64(st.Dev), uint64(st.Ino)} }

func isSocket(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFSOCK }

// takeLock locks the place, or returns EADDRINUSE. The owner unlinks the lock
// file before it unlocks it, so a lock counts only if its file is still there.
func (p *place) takeLock() (int, error) {
	name := p.lockName()
	for {
		fd, err := retry(func() (int, error) {
			return unix.Openat(p.dir, name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
		})
		if err != nil {
			return -1, &os.PathError{Op: "open lock file", Path: p.path + ".lock", Err: err}
		}
		current, err := p.lockFile(fd, name)
		if err != nil {
			unix.Close(fd)
			return -1, err
		}
		if current {
			return fd, nil
		}
		unix.Close(fd)
	}
}

// lockFile locks fd and reports whether it is still the lock file.
func (p *place) lockFile(fd int, name string) (bool, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return false, fmt.Errorf("lock file %q is not a regular file: %w", p.path+".lock", os.ErrExist)
	}
	_, err := retry(func() (int, error) { return 0, unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	if err == unix.EWOULDBLOCK {
		return false, fmt.Errorf("its lock is held by another listener: %w", unix.EADDRINUSE)
	}
	if err != nil {
		return false, os.NewSyscallError("flock", err)
	}
	if !p.has(name, inodeOf(&st)) {
		return false, nil
	}
	if !isNote(fd) {
		return false, fmt.Errorf("lock file %q is another program's, remove it if that has ended: %w", p.path+".lock", os.ErrExist)
	}
	return true, nil
}

// has reports whether the file called name is the one that id tells of.
func (p *place) has(name string, id inode) bool {
	st, err := p.stat(name)
	return err == nil && inodeOf(&st) == id
}

// noteBinding is the lock file's text while its owner makes the socket.
const noteBinding = "binding"

// noteLen is the length of what is noted, spaces included: one write replaces
// all of it, so that no death leaves half.
const noteLen = 64

// note writes the lock file: which socket it stands for.
func (o *ownership) note(text string) error {
	line := fmt.Sprintf("%-*s\n", noteLen-1, text)
	n, err := retry(func() (int, error) { return unix.Pwrite(o.lock, []byte(line), 0) })
	if err == nil && n != len(line) {
		err = unix.ENOSPC
	}
	return os.NewSyscallError("write lock file", err)
}

func (id inode) String() string { return fmt.Sprintf("%d %d", id.dev, id.ino) }

// noted returns what the lock's last owner wrote: a socket, or that it was
// about to make one.
func noted(lock int) (id inode, binding bool) {
	text := strings.TrimSpace(string(readNote(lock)))
	dev, ino, _ := strings.Cut(text, " ")
	id.dev, _ = strconv.ParseUint(dev, 10, 64)
	id.ino, _ = strconv.ParseUint(ino, 10, 64)
	return id, text == noteBinding
}

// isNote reports whether a lock file is one of ours, and not that of a program
// which has one of the same name and doesn't lock it (mysqld, postgres). An
// owner that was killed early has written nothing, one that a power failure
// ended perhaps zeros.
func isNote(lock int) bool {
	note := readNote(lock)
	if len(note) != noteLen {
		return len(note) == 0
	}
	id, binding := noted(lock)
	return binding || string(bytes.TrimSpace(note)) == id.String() || len(bytes.Trim(note, "\x00")) == 0
}

// readNote returns what is in a lock file, as much of it as shows whether it is
// longer than a note.
func readNote(lock int) []byte {
	var buf [noteLen + 1]byte
	n, err := retry(func() (int, error) { return unix.Pread(lock, buf[:], 0) })
	if err != nil {
		return buf[:] // not a note
	}
	return buf[:n]
}

// clear makes room for a new socket: nothing may be there, or a socket that is
// proven dead. Precondition: we hold the lock, so whoever made that socket
// with the lock is dead.
func (p *place) clear(lock int) error {
	p.sweep()
	st, err := p.stat(p.name)
	if err == unix.ENOENT {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "stat", Path: p.path, Err: err}
	}
	if !isSocket(&st) {
		return fmt.Errorf("it exists and is not a socket: %w", os.ErrExist)
	}
	if err := p.probe(); err != nil {
		return err
	}
	id, binding := noted(lock)
	if id != inodeOf(&st) {
		if !refusedIsDead && !binding {
			return fmt.Errorf("a socket made by another program refuses connections; this system doesn't tell a dead one from a busy one, remove it if it is dead: %w", unix.EADDRINUSE)
		}
		if age := time.Since(changed(&st)); refusedIsDead && age < foreignGrace {
			time.Sleep(min(foreignGrace, foreignGrace-age))
			if err := p.probe(); err != nil {
				return err
			}
		}
	}
	return p.unlink(inodeOf(&st))
}

// sweep removes what an owner left that was killed between two steps.
func (p *place) sweep() {
	for _, name := range []string{p.aside(), p.short()} {
		if st, err := p.stat(name); err == nil && isSocket(&st) {
			_ = unix.Unlinkat(p.dir, name, 0)
		}
	}
}

// probe returns nil if the socket refuses connections, or is gone.
func (p *place) probe() error {
	fd, err := sysSocket()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	switch err := p.connect(fd); err {
	case unix.ECONNREFUSED:
		return nil
	case unix.ENOENT:
		if _, err := p.stat(p.name); err == unix.ENOENT {
			return nil
		}
		return fmt.Errorf("the socket there can't be reached to tell whether it is alive: %w", unix.EADDRINUSE)
	case nil, unix.EAGAIN, unix.EINPROGRESS:
		return fmt.Errorf("a live socket answers there: %w", unix.EADDRINUSE)
	case unix.EPROTOTYPE:
		return fmt.Errorf("a live socket of another type is there: %w", unix.EADDRINUSE)
	default:
		return fmt.Errorf("can't tell whether the socket there is alive: %w", os.NewSyscallError("connect", err))
	}
}

// unlink removes the socket if it is the one called id. It is moved aside
// first: should a program without our lock have put another in its place since
// we looked, that one goes back.
func (p *place) unlink(id inode) error {
	st, err := p.stat(p.name)
	if err == unix.ENOENT || err == nil && inodeOf(&st) != id {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "stat", Path: p.path, Err: err}
	}
	aside := p.aside()
	if err := unix.Renameat(p.dir, p.name, p.dir, aside); err == unix.ENOENT {
		return nil
	} else if err != nil {
		return &os.PathError{Op: "rename", Path: p.path, Err: err}
	}
	st, err = p.stat(aside)
	if err == nil && inodeOf(&st) != id {
		if err := unix.Linkat(p.dir, aside, p.dir, p.name, 0); err == nil {
			_ = unix.Unlinkat(p.dir, aside, 0)
		}
		return fmt.Errorf("another program replaced it meanwhile: %w", unix.EADDRINUSE)
	}
	if err := unix.Unlinkat(p.dir, aside, 0); err != nil && err != unix.ENOENT {
		return &os.PathError{Op: "unlink", Path: p.path, Err: err}
	}
	return nil
}

// sysListen makes the socket for Listen.
func sysListen(addr string, o *ListenOptions) (int, ownership, error) {
	if isAbstract(addr) {
		fd, err := listenAbstract(addr, o.Backlog)
		return fd, ownership{}, err
	}
	gid := -1
	if o.Group != "" {
		var err error
		if gid, err = groupID(o.Group); err != nil {
			return -1, ownership{}, err
		}
	}
	p, err := openPlace(addr)
	if err != nil {
		return -1, ownership{}, err
	}
	lock, err := p.takeLock()
	if err != nil {
		unix.Close(p.dir)
		return -1, ownership{}, err
	}
	own := ownership{place: p, lock: lock, held: true}
	fd, err := own.listen(o, gid)
	if err != nil {
		own.release()
		return -1, ownership{}, err
	}
	return fd, own, nil
}

// listen makes the socket, without anything left behind if that fails.
func (o *ownership) listen(opts *ListenOptions, gid int) (_ int, err error) {
	if err := o.place.clear(o.lock); err != nil {
		return -1, err
	}
	fd, err := sysSocket()
	if err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			_ = o.remove()
			unix.Close(fd)
		}
	}()
	mode := uint32(opts.Mode.Perm())
	first := mode
	if gid >= 0 {
		first &^= 0o070 // until the group is the right one
	}
	if err := o.note(noteBinding); err != nil {
		return -1, err
	}
	if err := o.place.bind(fd, first); err != nil {
		return -1, err
	}
	st, err := o.place.stat(o.place.name)
	if err != nil {
		return -1, &os.PathError{Op: "stat", Path: o.place.path, Err: err}
	}
	o.self = inodeOf(&st)
	if err := o.place.permit(&st, mode, gid); err != nil {
		return -1, err
	}
	// Until here everyone was refused.
	if err := unix.Listen(fd, opts.Backlog); err != nil {
		return -1, os.NewSyscallError("listen", err)
	}
	return fd, o.note(o.self.String())
}

// remove unlinks the socket file if it is ours and still there.
func (o *ownership) remove() error {
	if !o.held || o.self == (inode{}) {
		return nil
	}
	return o.place.unlink(o.self)
}

// release unlinks the lock file, if it is still ours, and lets go of the lock.
// Precondition: the socket file is removed. If it could not be, the lock file
// stays, and goes on telling whose it was.
func (o *ownership) release() {
	if !o.held {
		return
	}
	name := o.place.lockName()
	id, _ := noted(o.lock)
	var st unix.Stat_t
	if !o.place.has(o.place.name, id) && unix.Fstat(o.lock, &st) == nil && o.place.has(name, inodeOf(&st)) {
		_ = unix.Unlinkat(o.place.dir, name, 0)
	}
	o.abandon()
}

// abandon closes the descriptors and leaves the files to whoever else holds
// the lock.
func (o *ownership) abandon() {
	if !o.held {
		return
	}
	o.held = false
	unix.Close(o.lock)
	unix.Close(o.place.dir)
}

// sysListening returns the address of a listening socket.
func sysListening(fd int) (string, error) {
	if n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || n == 0 {
		return "", fmt.Errorf("not a listening socket: %w", os.ErrInvalid)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return "", os.NewSyscallError("getsockname", err)
	}
	return sa.(*unix.SockaddrUnix).Name, nil
}

func groupID(group string) (int, error) {
	if id, err := strconv.ParseUint(group, 10, 31); err == nil {
		return int(id), nil
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return -1, fmt.Errorf("group %q: %w: %w", group, os.ErrNotExist, err)
	}
	return strconv.Atoi(g.Gid)
}

// retry repeats a call that a signal interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

// dupLock duplicates the lock's descriptor; false says that there is none.
func (o *ownership) dupLock() (int, bool, error) {
	if !o.held {
		return -1, false, nil
	}
	fd, err := sysDup(o.lock)
	return fd, err == nil, err
}

// adopt makes the ownership of addr that lock, received from its owner, stands
// for.
func adopt(addr string, lock *os.File) (ownership, error) {
	raw, err := lock.SyscallConn()
	if err != nil {
		return ownership{}, err
	}
	p, err := openPlace(addr)
	if err != nil {
		return ownership{}, err
	}
	fd := -1
	var derr error
	if err = raw.Control(func(of uintptr) { fd, derr = sysDup(int(of)) }); err == nil {
		err = derr
	}
	if err != nil {
		unix.Close(p.dir)
		return ownership{}, err
	}
	id, _ := noted(fd)
	own := ownership{place: p, lock: fd, self: id, held: true}
	if current, err := p.lockFile(fd, p.lockName()); err != nil || !current {
		own.abandon()
		return ownership{}, fmt.Errorf("%q is not locked by what was received: %w", addr+".lock", errors.Join(os.ErrInvalid, err))
	}
	return own, nil
}
