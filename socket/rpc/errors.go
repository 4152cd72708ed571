package rpc

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Code classifies an error that travels. It is a uint16 on the wire; codes
// from 1000 on are the application's.
type Code uint16

// The codes of this package.
const (
	CodeOK       Code = 0
	CodeUnknown  Code = 1 // the handler returned an error without a code, or with CodeOK or CodeShutdown
	CodeCanceled Code = 2 // wraps context.Canceled
	CodeDeadline Code = 3 // wraps context.DeadlineExceeded
	CodeNotFound Code = 4 // no such method; wraps os.ErrNotExist
	CodeDenied   Code = 5 // the policy denies it; wraps os.ErrPermission
	CodeInvalid  Code = 6 // the request can't be understood; wraps os.ErrInvalid
	CodeBusy     Code = 7 // too many calls at once; nothing was done, and the client does not try again
	CodeShutdown Code = 8 // the server takes no new calls; nothing was done; not for handlers
	CodePanic    Code = 9 // the handler panicked, or has ended its goroutine
)

// Error is an error that a handler returned, or that the server gave in its
// stead. A handler returns one to choose the code. One that it got from a call of its own,
// and returns, travels on with its code, wrapped or not.
type Error struct {
	Code Code
	Text string
}

// Errorf makes an Error.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

// Error returns the text and the code.
func (e *Error) Error() string { return fmt.Sprintf("%s (code %d)", e.Text, e.Code) }

// Unwrap returns the error of the standard library that has the code's meaning.
func (e *Error) Unwrap() error {
	switch e.Code {
	case CodeCanceled:
		return context.Canceled
	case CodeDeadline:
		return context.DeadlineExceeded
	case CodeNotFound:
		return os.ErrNotExist
	case CodeDenied:
		return os.ErrPermission
	case CodeInvalid:
		return os.ErrInvalid
	}
	return nil
}

var (
	// ErrConnection says that the connection was lost, or that none could be made:
	// in the first case whether the call was carried out is unknown. It comes with
	// the error of package socket, which says why.
	ErrConnection = errors.New("rpc: no connection")

	// ErrClosed says that Client.Close or Server.Shutdown was called. It wraps
	// os.ErrClosed.
	ErrClosed = fmt.Errorf("rpc: %w", os.ErrClosed)
)

// asError makes what a handler returned fit to travel.
func asError(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		// Or the caller would take it for success, or make a call again that was made.
		if e != nil && (e.Code == CodeOK || e.Code == CodeShutdown) {
			return &Error{CodeUnknown, e.Text}
		}
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{CodeDeadline, err.Error()}
	case errors.Is(err, context.Canceled):
		return &Error{CodeCanceled, err.Error()}
	case errors.Is(err, os.ErrPermission):
		return &Error{CodeDenied, err.Error()}
	}
	return &Error{CodeUnknown, err.Error()}
}

func callError(method string, err error) error { return fmt.Errorf("rpc: call %q: %w", method, err) }
