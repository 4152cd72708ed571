//go:build unix && (!linux || ipcportable)

package socket

import "context"

// maxHeld is how many descriptors a connection keeps for its peer.
const maxHeld = 256

// heldFiles keeps duplicates of the descriptors sent last. macOS may drop a
// descriptor in flight once its sender has closed it; nothing in the message
// stream tells when the receiver has it, so the copies stay until the
// connection closes or newer ones take their place.
type heldFiles struct {
	fds [maxHeld]int // 0: none; descriptor 0 itself is never a duplicate here
	at  int
}

func (h *heldFiles) hold(fds []int) error {
	for _, fd := range fds {
		dup, err := sysDup(fd)
		if err != nil {
			return err
		}
		if h.fds[h.at] != 0 {
			sysClose(h.fds[h.at])
		}
		h.fds[h.at] = dup
		h.at = (h.at + 1) % maxHeld
	}
	return nil
}

// closeHeld closes the duplicates. It is called when the peer is known to have
// received the originals, and once the connection's descriptor is closed.
func (out *outbound) closeHeld() {
	_ = out.turn.lock(context.Background())
	defer out.turn.unlock()
	for i, fd := range out.held.fds {
		if fd != 0 {
			sysClose(fd)
			out.held.fds[i] = 0
		}
	}
}
