package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/ipcctl/ipc/ipcctl/internal/host"
)

// Exit statuses, part of the contract with scripts.
const (
	statusDone    = 0
	statusFailed  = 1
	statusUsage   = 2
	statusNone    = 3 // no such object
	statusDenied  = 4
	statusTimeout = 5 // or empty or full, with --timeout 0
)

// usageError is a command line that can't be run as written.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// silent ends the verb with a status and without a line: what it printed has
// said it already.
type silent int

func (s silent) Error() string { return fmt.Sprintf("status %d", int(s)) }

// advised is an error with what to do about it.
type advised struct {
	error
	advice string
}

func (a *advised) Unwrap() error { return a.error }

// advise adds what to do to an error that is not nil.
func advise(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &advised{err, fmt.Sprintf(format, args...)}
}

// withStatus makes err end the process with that status.
type withStatus struct {
	error
	code int
}

func (w *withStatus) Unwrap() error { return w.error }

// statusOf translates an error into the exit status that the contract gives.
func statusOf(err error) int {
	var (
		quiet silent
		usage *usageError
		fixed *withStatus
	)
	switch {
	case err == nil:
		return statusDone
	case errors.As(err, &quiet):
		return int(quiet)
	case errors.As(err, &fixed):
		return fixed.code
	case errors.As(err, &usage):
		return statusUsage
	case isAny(err, context.DeadlineExceeded, os.ErrDeadlineExceeded), isEmptyOrFull(err):
		return statusTimeout
	case isAny(err, os.ErrPermission):
		return statusDenied
	case isAny(err, os.ErrNotExist, syscall.ECONNREFUSED):
		return statusNone
	}
	return statusFailed
}

func isAny(err error, targets ...error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

// isInUse says whether another socket has the address.
func isInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// oneLine writes on one line, and without what a terminal obeys, what may come from
// anywhere: a server's error, or what a command wrote about a message.
func oneLine(text string) string {
	return host.Printable(strings.NewReplacer("\n", "; ", "\t", " ").Replace(strings.TrimSpace(text)))
}

// told is an error as a person reads it, in one line.
type told struct {
	error
	line string
}

func (t *told) Error() string { return t.line }
func (t *told) Unwrap() error { return t.error }

// explain makes an error the one line that a person reads: the verb, what
// failed on what, and what to do.
func explain(name string, err error) error {
	if err == nil {
		return nil
	}
	text := oneLine(err.Error())
	var (
		with  *advised
		usage *usageError
	)
	advice := ""
	switch {
	case errors.As(err, &with):
		advice = with.advice
	case errors.As(err, &usage):
		advice = fmt.Sprintf("see %q", name+" --help")
	}
	if advice != "" {
		advice = " (" + advice + ")"
	}
	return &told{err, name + ": " + text + advice}
}
