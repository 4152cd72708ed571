package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ipcctl/ipc/ipcctl/internal/host"
	"github.com/ipcctl/ipc/queue"
)

// The words that a process sleeps on which waits for a queue: bytes from the
// beginning of its memory, as queue/PROTOCOL.md has them.
const (
	notEmptyWord = 512
	notFullWord  = 640
)

// waiters is who sleeps until something happens to a queue.
type waiters struct {
	Messages []host.Process `json:"messages"` // until there is one
	Room     []host.Process `json:"room"`     // until there is room for one

	// Hidden says that there are processes which may not be looked into.
	Hidden bool `json:"hidden,omitempty"`
}

// queueFile returns the file behind a queue, on Linux.
func queueFile(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	return shmFolder + "/" + queuePrefix + name
}

// waitersOf asks the kernel who of the holders sleeps on the queue's words.
func waitersOf(name string, holders []queue.Holder) *waiters {
	w := &waiters{Messages: []host.Process{}, Room: []host.Process{}}
	var pids []int
	for _, h := range holders {
		if h.Alive && !slices.Contains(pids, h.PID) {
			pids = append(pids, h.PID)
		}
	}
	if len(pids) == 0 {
		return w
	}
	id, err := host.ID(queueFile(name))
	if err != nil {
		w.Hidden = true
		return w
	}
	asleep, hidden := host.Sleepers(id, pids)
	w.Hidden = hidden > 0
	for _, s := range asleep {
		switch s.Offset {
		case notEmptyWord:
			w.Messages = append(w.Messages, s.Process)
		case notFullWord:
			w.Room = append(w.Room, s.Process)
		}
	}
	return w
}

// String counts them: "2 get", "1 put"; a question mark where not all can be seen.
func (w *waiters) String() string {
	var parts []string
	for _, side := range []struct {
		n    int
		verb string
	}{{len(w.Messages), "get"}, {len(w.Room), "put"}} {
		if side.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", side.n, side.verb))
		}
	}
	if w.Hidden {
		parts = append(parts, "?")
	}
	return strings.Join(parts, " ")
}

// does says what the process of that pid waits for, "" if it doesn't.
func (w *waiters) does(pid int) string {
	is := func(p host.Process) bool { return p.PID == pid }
	switch {
	case slices.ContainsFunc(w.Messages, is):
		return "waits for a message"
	case slices.ContainsFunc(w.Room, is):
		return "waits for room"
	}
	return ""
}
