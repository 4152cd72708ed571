//go:build unix

package command

import (
	"errors"
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

// stopSignals returns what ends a verb. Under nohup(1), SIGHUP doesn't.
func stopSignals() []os.Signal {
	s := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		s = append(s, syscall.SIGHUP)
	}
	return s
}

// catchBrokenPipe makes writing to a reader that has gone an error, so that the verb
// cleans up before the process dies of it. Programs that it starts are not
// concerned, as they would be if the signal were ignored.
func catchBrokenPipe() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// readerGone makes the error about a reader that has gone the end by SIGPIPE.
func readerGone(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return signalled{syscall.SIGPIPE}
	}
	return err
}

// dieOf ends the process by the signal that it was sent, as a process does
// that never caught it: a shell then stops its loop.
func dieOf(s os.Signal) {
	signal.Reset(s)
	if s == syscall.SIGPIPE { // which Go raises where it was, and ignores when it is sent
		os.Stdout.Write([]byte("\n"))
	}
	if n, ok := s.(syscall.Signal); ok && unix.Kill(os.Getpid(), n) == nil {
		time.Sleep(time.Second) // the signal is on its way
	}
}
