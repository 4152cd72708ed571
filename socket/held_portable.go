//go:build unix && (!linux || ipcportable)

package socket

import "sync"

// maxHeld is how many descriptors a connection keeps for its peer.
const maxHeld = 256

// heldFiles keeps duplicates of the descriptors sent last. macOS may drop a
// descriptor in flight once its sender has closed it (CPython, issue 14669),
// and nothing in the message stream tells when the receiver has it. A message
// that comes back is taken for that: it is, in every exchange of requests and
// replies. At the latest the copies go when the connection closes or newer ones
// take their place.
type heldFiles struct {
	mu  sync.Mutex
	fds []int // oldest first
}

func (h *heldFiles) hold(fds []int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, fd := range fds {
		dup, err := sysDup(fd)
		if err != nil {
			return err
		}
		h.fds = append(h.fds, dup)
	}
	for len(h.fds) > maxHeld {
		sysClose(h.fds[0])
		h.fds = h.fds[1:]
	}
	return nil
}

func (h *heldFiles) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, fd := range h.fds {
		sysClose(fd)
	}
	h.fds = nil
}
