package socket

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// listenFDsStart is the first descriptor that systemd passes, sd_listen_fds(3).
const listenFDsStart = 3

// ListenActivated returns a listener on the socket called name that the service
// manager passed to this process: FileDescriptorName= of a systemd socket
// unit, or whatever sets LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES. An empty
// name means the only socket there is. Of several with one name, as those of one
// unit have, it is the first.
//
// Closing the listener leaves the socket to the manager. The error wraps
// os.ErrNotExist when this process was not started that way, or has no socket
// of that name.
//
// Source: sd_listen_fds(3).
func ListenActivated(name string, o *ListenOptions) (*Listener, error) {
	fd, err := activated(name, os.Getpid(), os.Getenv)
	if err != nil {
		return nil, opError("listen activated", name, err)
	}
	dup, err := sysDupSocket(fd)
	if err != nil {
		return nil, opError("listen activated", name, err)
	}
	sysCloseOnExec(fd) // systemd leaves that to us
	addr, err := sysListening(dup)
	if err != nil {
		sysClose(dup)
		return nil, opError("listen activated", name, err)
	}
	return newListener(dup, addr, ownership{}, o.orDefault())
}

// activated finds the descriptor of the socket called name.
func activated(name string, pid int, getenv func(string) string) (int, error) {
	if target, err := strconv.Atoi(getenv("LISTEN_PID")); err != nil || target != pid {
		return -1, fmt.Errorf("no sockets were passed to this process (LISTEN_PID): %w", os.ErrNotExist)
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 1 || n > 1<<16 {
		return -1, fmt.Errorf("no sockets were passed to this process (LISTEN_FDS): %w", os.ErrNotExist)
	}
	names := strings.Split(getenv("LISTEN_FDNAMES"), ":")
	if name == "" {
		if n > 1 {
			return -1, fmt.Errorf("%d sockets were passed, %q: name one: %w", n, names, os.ErrInvalid)
		}
		return listenFDsStart, nil
	}
	for i, have := range names {
		if have == name && i < n {
			return listenFDsStart + i, nil
		}
	}
	return -1, fmt.Errorf("no such socket among %q: %w", names, os.ErrNotExist)
}

// Notify tells the service manager the state of this process: "READY=1",
// "STOPPING=1", "STATUS=…" (sd_notify(3)). Several lines go in one state. It
// reports whether there is a manager that listens: without one, which is no
// error, nothing happens.
func Notify(ctx context.Context, state string) (bool, error) {
	addr := os.Getenv("NOTIFY_SOCKET")
	if addr == "" {
		return false, nil
	}
	for {
		err := sysSendDatagram(addr, []byte(state))
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, syscall.EAGAIN) {
			return false, opError("notify", addr, err)
		}
		select { // the manager is behind with reading
		case <-time.After(acceptPause):
		case <-ctx.Done():
			return false, opError("notify", addr, ctx.Err())
		}
	}
}
