package acl

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// WatchOptions say how a [Watcher] notices changes.
type WatchOptions struct {
	// Interval is how often the files are looked at: 0 means every second,
	// or every 10 s where the kernel tells of changes. It can't tell of all:
	// those that another host makes, or a link to the directory.
	Interval time.Duration
	// Poll does without the kernel's help.
	Poll bool
}

// A Watcher holds the policy of a file, and replaces it when the file, or one
// that it includes, changes:
//
//	file ──inotify, kqueue or a clock──▶ Load ──▶ atomic pointer ──▶ Check
//	                                       │ error: the last good policy stays
//	                                       └──▶ subscribers
//
// A decision is made by one policy as a whole: the one before a change or the
// one after, and there is always one. Replace the file by renaming another one
// over it. A file that is written in place is read when its writer closes it
// (Linux) or when it has stopped changing; either can be too early, if the
// writer isn't done.
//
// A Watcher is safe for concurrent use.
type Watcher struct {
	path    string
	current atomic.Pointer[Policy]

	reloading sync.Mutex // one reload at a time, subscribers included

	mu          sync.Mutex
	subscribers map[int]func(Change)
	nextID      int
	files       []string          // of the last attempt, good or bad
	digest      [sha256.Size]byte // of the current policy's files
	err         error             // of the last attempt

	interval time.Duration
	stop     chan struct{}
	once     sync.Once
	ended    sync.WaitGroup
}

// A Change is what a subscriber of a [Watcher] learns.
type Change struct {
	// Policy is in force. Live connections whose peers it denies can now be
	// closed.
	Policy *Policy
	// Previous was in force before; it is Policy itself if there was an error.
	Previous *Policy
	// Err is why the changed file was refused; then the policy stays.
	Err error
}

// Watch loads the policy at path, which must be good, and keeps it up to date.
// The options may be nil. The caller closes the Watcher.
func Watch(path string, o *WatchOptions) (*Watcher, error) {
	if o == nil {
		o = &WatchOptions{}
	}
	w := &Watcher{path: path, subscribers: map[int]func(Change){}, stop: make(chan struct{}), interval: o.Interval}
	// The notifier comes first: a change between it and the load is not missed.
	var n notifier = noNotifier{}
	if !o.Poll {
		if kernel, err := newNotifier(); err == nil {
			n = kernel
		} else if !errors.Is(err, errors.ErrUnsupported) {
			return nil, fmt.Errorf("acl: watch %q: %w", path, err)
		}
	}
	if w.interval <= 0 {
		w.interval = time.Second
		if n.events() != nil {
			w.interval = 10 * time.Second
		}
	}
	n.watch([]string{path})
	loaded := w.load()
	if loaded.err != nil {
		n.close()
		return nil, loaded.err
	}
	w.current.Store(loaded.policy)
	w.files, w.digest = loaded.files, loaded.digest
	w.ended.Go(func() { w.run(n) })
	return w, nil
}

// Policy returns the policy in force.
func (w *Watcher) Policy() *Policy { return w.current.Load() }

// Check decides by the policy in force.
func (w *Watcher) Check(s Subject, action, resource string) Decision {
	return w.current.Load().Check(s, action, resource)
}

// Err returns why the file as it is now was refused, or nil if it is in force.
func (w *Watcher) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Subscribe has f called after every change, and after every failure that
// isn't a repetition of the last. Calls come one at a time, in order, and
// delay later reloads: f hands over work that takes long. f must not call
// Reload or Close. The returned function ends the subscription; f may be running
// at that moment, but is not called again.
func (w *Watcher) Subscribe(f func(Change)) (cancel func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := w.nextID
	w.nextID++
	w.subscribers[id] = f
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.subscribers, id)
	}
}

// Reload reads the files now, changed or not: a program's answer to SIGHUP,
// and to changes in the users and groups of the host. It returns when the
// policy is in force and the subscribers know, or with the error of Load. After
// Close it returns os.ErrClosed.
func (w *Watcher) Reload() error { return w.reload(true) }

// Close ends the watching; the last policy goes on deciding. Subscribers are
// not called after it returns.
func (w *Watcher) Close() error {
	w.once.Do(func() { close(w.stop) })
	w.ended.Wait()
	w.reloading.Lock() // a Reload under way ends
	defer w.reloading.Unlock()
	return nil
}

// loaded is the outcome of reading the files.
type loaded struct {
	policy *Policy
	files  []string // that were read, or should have been
	digest [sha256.Size]byte
	err    error
}

func (w *Watcher) load() loaded {
	l := loaded{files: []string{w.path}}
	sum := sha256.New()
	read := func(path string) ([]byte, error) {
		if !slices.Contains(l.files, path) {
			l.files = append(l.files, path)
		}
		text, err := readPolicyFile(path)
		fmt.Fprintf(sum, "%q %d ", path, len(text))
		sum.Write(text)
		return text, err
	}
	text, err := read(w.path)
	if err != nil {
		l.err = fmt.Errorf("acl: load %w", err)
		return l
	}
	b := newBuilder()
	b.read = read
	l.policy, l.err = b.build(w.path, text)
	sum.Sum(l.digest[:0])
	return l
}

// reload replaces the policy by what the files hold now. Unless forced, the
// same bytes as before change nothing.
func (w *Watcher) reload(force bool) error {
	w.reloading.Lock()
	defer w.reloading.Unlock()
	select {
	case <-w.stop: // Close may have waited for the lock as well, and got it first
		return fmt.Errorf("acl: reload %q: %w", w.path, os.ErrClosed)
	default:
	}
	l := w.load()
	previous := w.current.Load()
	change := Change{Policy: previous, Previous: previous, Err: l.err}

	w.mu.Lock()
	same := l.err == nil && l.digest == w.digest && w.err == nil
	repeated := l.err != nil && w.err != nil && l.err.Error() == w.err.Error()
	if repeated {
		l.err = w.err // the one that the subscribers know
	}
	w.err, w.files = l.err, l.files
	if l.err == nil {
		if same && !force {
			w.mu.Unlock()
			return nil
		}
		w.digest, change.Policy = l.digest, l.policy
		w.current.Store(l.policy)
	} else {
		w.files = append(w.files, previous.files...)
	}
	subscribers := make([]int, 0, len(w.subscribers))
	for id := range w.subscribers {
		subscribers = append(subscribers, id)
	}
	w.mu.Unlock()

	if repeated {
		return l.err
	}
	slices.Sort(subscribers)
	for _, id := range subscribers {
		w.mu.Lock()
		f := w.subscribers[id] // unless it was cancelled meanwhile
		w.mu.Unlock()
		if f != nil {
			f(change)
		}
	}
	return l.err
}

// watched returns the files that matter now.
func (w *Watcher) watched() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.files)
}

// A notifier tells that one of some files may have changed.
type notifier interface {
	// watch replaces the files to watch, and reports whether one of them was
	// not watched before. What can't be watched is left to the clock.
	watch(files []string) (more bool)
	events() <-chan struct{} // nil if it can tell nothing
	complete() bool          // events come when a change is complete, not while it is made
	close()
}

// noNotifier leaves it all to the clock.
type noNotifier struct{}

func (noNotifier) watch([]string) bool     { return false }
func (noNotifier) events() <-chan struct{} { return nil }
func (noNotifier) complete() bool          { return false }
func (noNotifier) close()                  {}

const (
	// settle is how long files must stay the same before they are read, where
	// nobody tells that a change is complete, and settleRounds how many times
	// that is waited for at most.
	settle       = 50 * time.Millisecond
	settleRounds = 100
	// recent is the age at which a file's time of change can be trusted to
	// differ from that of a later change, on any file system.
	recent = 2 * time.Second
)

func (w *Watcher) run(n notifier) {
	defer n.close()
	tick := time.NewTicker(w.interval)
	defer tick.Stop()
	seen := w.stamp()
	w.refresh(n) // what has changed since Watch read the files
	for {
		told := false
		select {
		case <-w.stop:
			return
		case <-n.events():
			told = true
		case <-tick.C:
		}
		now := w.stamp()
		if !told && now == seen && !now.unsure {
			continue
		}
		if !told || !n.complete() || now.missing {
			if now = w.settled(now); now.stopped {
				return
			}
		}
		w.refresh(n)
		seen = now // taken before the files were read: a later change differs
	}
}

// refresh reloads, again if there were files that nobody watched meanwhile.
func (w *Watcher) refresh(n notifier) {
	for range settleRounds {
		_ = w.reload(false) // Err and the subscribers tell
		if !n.watch(w.watched()) {
			return
		}
	}
}

// settled waits until the files stay the same for a while.
func (w *Watcher) settled(now stamp) stamp {
	for range settleRounds {
		select {
		case <-w.stop:
			return stamp{stopped: true}
		case <-time.After(settle):
		}
		next := w.stamp()
		if next.text == now.text {
			return next
		}
		now = next
	}
	return now
}

// stamp is how the files look from outside.
type stamp struct {
	text    string
	missing bool // some file isn't there
	unsure  bool // some file is so new that a change might not show
	stopped bool // the Watcher was closed
}

func (w *Watcher) stamp() stamp {
	var b strings.Builder
	var s stamp
	for _, path := range w.watched() {
		info, err := os.Lstat(path)
		if err != nil {
			s.missing = true
			fmt.Fprintf(&b, "%q -\n", path)
			continue
		}
		s.unsure = s.unsure || time.Since(info.ModTime()).Abs() < recent
		fmt.Fprintf(&b, "%q %s %d %v %d\n", path, fileID(info), info.Size(), info.Mode(), info.ModTime().UnixNano())
	}
	s.text = b.String()
	return s
}
