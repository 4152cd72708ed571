//go:build unix

package command

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// columns returns the width of the terminal behind f, 0 if it is none.
func columns(f *os.File) int {
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	if ws.Col == 0 {
		return 80
	}
	return int(ws.Col)
}

// interruptSelf sends this process what Ctrl-C means, where the terminal doesn't.
func interruptSelf() error { return unix.Kill(os.Getpid(), unix.SIGINT) }

func stopSignals() []os.Signal {
	return []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}
}

// dieOf ends the process by the signal that it was sent, as a process does
// that never caught it: a shell then stops its loop.
func dieOf(s os.Signal) {
	signal.Reset(s)
	if n, ok := s.(syscall.Signal); ok && unix.Kill(os.Getpid(), n) == nil {
		time.Sleep(time.Second) // the signal is on its way
	}
}
