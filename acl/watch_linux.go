//go:build !ipcportable

package acl

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// inotify watches the directories of the files: a file that is replaced by
// renaming is another one, with the same name.
type inotify struct {
	file *os.File
	fd   int
	hint chan struct{}

	mu    sync.Mutex
	dirs  map[string]int32  // watch by directory
	names map[int32]nameSet // base names by watch
	done  chan struct{}
}

type nameSet map[string]bool

// watchMask holds what ends a change. A file that is written in place tells
// when its writer closes it.
const watchMask = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE |
	unix.IN_ATTRIB | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

func newNotifier() (notifier, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	n := &inotify{
		file: os.NewFile(uintptr(fd), "inotify"), fd: fd,
		hint: make(chan struct{}, 1), done: make(chan struct{}),
		dirs: map[string]int32{}, names: map[int32]nameSet{},
	}
	go n.read()
	return n, nil
}

func (n *inotify) events() <-chan struct{} { return n.hint }
func (n *inotify) complete() bool          { return true }

func (n *inotify) close() {
	n.file.Close() // ends read, and every watch
	<-n.done
}

func (n *inotify) watch(files []string) (more bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	wanted := map[string]nameSet{}
	for _, f := range files {
		dir, base := filepath.Dir(f), filepath.Base(f)
		if wanted[dir] == nil {
			wanted[dir] = nameSet{}
		}
		wanted[dir][base] = true
	}
	for dir, wd := range n.dirs {
		if wanted[dir] == nil {
			_, _ = unix.InotifyRmWatch(n.fd, uint32(wd)) // fails if the directory is gone: so is the watch
			delete(n.dirs, dir)
			delete(n.names, wd)
		}
	}
	for dir, names := range wanted {
		wd, known := n.dirs[dir]
		if !known {
			got, err := unix.InotifyAddWatch(n.fd, dir, watchMask)
			if err != nil {
				continue // no such directory, or too many watches: the clock remains
			}
			wd = int32(got)
			n.dirs[dir] = wd
		}
		// Two spellings of one directory share a watch.
		if n.names[wd] == nil {
			n.names[wd] = nameSet{}
		}
		for base := range names {
			if !n.names[wd][base] {
				n.names[wd][base] = true
				more = true
			}
		}
	}
	return more
}

// read turns events into hints until the descriptor is closed.
func (n *inotify) read() {
	defer close(n.done)
	buf := make([]byte, 16<<10)
	for {
		size, err := n.file.Read(buf)
		if err != nil {
			return
		}
		if n.concerns(buf[:size]) {
			select {
			case n.hint <- struct{}{}:
			default: // one hint is enough
			}
		}
	}
}

// concerns reports whether some event is about a watched file. Source:
// inotify(7): struct inotify_event { int wd; uint32_t mask, cookie, len; char
// name[len]; }, the name padded with NULs.
func (n *inotify) concerns(events []byte) (yes bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(events) >= unix.SizeofInotifyEvent {
		wd := int32(binary.NativeEndian.Uint32(events))
		mask := binary.NativeEndian.Uint32(events[4:])
		size := int(binary.NativeEndian.Uint32(events[12:]))
		events = events[unix.SizeofInotifyEvent:]
		name := events[:min(size, len(events))]
		events = events[len(name):]
		for len(name) > 0 && name[len(name)-1] == 0 {
			name = name[:len(name)-1]
		}
		const lost = unix.IN_IGNORED | unix.IN_MOVE_SELF | unix.IN_DELETE_SELF
		switch {
		case mask&unix.IN_Q_OVERFLOW != 0:
			yes = true
		case mask&lost != 0: // the directory itself: watch it anew
			yes = yes || n.names[wd] != nil
			n.forget(wd)
		case n.names[wd][string(name)]:
			yes = true
		}
	}
	return yes
}

func (n *inotify) forget(wd int32) {
	for dir, w := range n.dirs {
		if w == wd {
			_, _ = unix.InotifyRmWatch(n.fd, uint32(wd)) // a moved directory is still watched
			delete(n.dirs, dir)
		}
	}
	delete(n.names, wd)
}
