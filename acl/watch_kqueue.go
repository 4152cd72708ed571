//go:build (darwin || freebsd) && !ipcportable

package acl

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// kqueue watches the files and their directories by EVFILT_VNODE. It tells of
// changes while they are made, so the Watcher waits until they settle.
type kqueue struct {
	kq   int
	hint chan struct{}
	stop chan struct{}
	done chan struct{}

	mu    sync.Mutex
	files []string
	open  []int // descriptors that are watched
}

func newNotifier() (notifier, error) {
	kq, err := unix.Kqueue()
	if err != nil {
		return nil, os.NewSyscallError("kqueue", err)
	}
	unix.CloseOnExec(kq)
	n := &kqueue{kq: kq, hint: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go n.read()
	return n, nil
}

func (n *kqueue) events() <-chan struct{} { return n.hint }
func (n *kqueue) complete() bool          { return false }

func (n *kqueue) close() {
	close(n.stop)
	<-n.done
	n.mu.Lock()
	defer n.mu.Unlock()
	n.release()
	unix.Close(n.kq)
}

func (n *kqueue) release() {
	for _, fd := range n.open {
		unix.Close(fd) // ends its events, too
	}
	n.open = nil
}

// watch opens everything anew: a file may have been replaced.
func (n *kqueue) watch(files []string) (more bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.release()
	paths := slices.Clone(files)
	for _, f := range files {
		more = more || !slices.Contains(n.files, f)
		if dir := filepath.Dir(f); !slices.Contains(paths, dir) {
			paths = append(paths, dir)
		}
	}
	n.files = slices.Clone(files)
	for _, path := range paths {
		fd, err := unix.Open(path, watchOpenFlags|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			continue // the directory, or the clock, tells when it is there again
		}
		var change unix.Kevent_t
		unix.SetKevent(&change, fd, unix.EVFILT_VNODE, unix.EV_ADD|unix.EV_CLEAR)
		change.Fflags = unix.NOTE_WRITE | unix.NOTE_EXTEND | unix.NOTE_ATTRIB | unix.NOTE_RENAME | unix.NOTE_DELETE
		if _, err := unix.Kevent(n.kq, []unix.Kevent_t{change}, nil, nil); err != nil {
			unix.Close(fd)
			continue
		}
		n.open = append(n.open, fd)
	}
	return more
}

// read turns events into hints. It wakes up now and then to see whether it
// should end.
func (n *kqueue) read() {
	defer close(n.done)
	wake := unix.NsecToTimespec(int64(250 * time.Millisecond))
	events := make([]unix.Kevent_t, 16)
	for {
		select {
		case <-n.stop:
			return
		default:
		}
		count, err := unix.Kevent(n.kq, nil, events, &wake)
		if err != nil && err != unix.EINTR {
			return // the clock remains
		}
		if count > 0 {
			select {
			case n.hint <- struct{}{}:
			default: // one hint is enough
			}
		}
	}
}
