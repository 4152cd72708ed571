package queue

import "errors"

// Errors of this package. The others are the standard library's:
// os.ErrNotExist, os.ErrExist, os.ErrPermission, os.ErrClosed, context errors,
// and io.EOF once a queue is closed for writing and drained.
var (
	// ErrFull: the queue holds Cap entries, or the memory for large messages is in use.
	ErrFull = errors.New("queue is full")
	// ErrEmpty: no message is waiting.
	ErrEmpty = errors.New("queue is empty")
	// ErrTooLarge: the message is longer than the queue's MaxMessage. It was not put.
	ErrTooLarge = errors.New("message too large")
	// ErrClosedWrite: CloseWrite was called, by this or another process.
	ErrClosedWrite = errors.New("queue is closed for writing")
	// ErrRemoved: the queue was removed, by Remove or, as a handle that waits finds out, by other means:
	// nobody new can come. What is there can still be taken.
	ErrRemoved = errors.New("queue was removed")
	// ErrBusy: every lane is in use by a live process; see Options.Lanes.
	ErrBusy = errors.New("all lanes are in use")
	// ErrName: a name that no queue can have.
	ErrName = errors.New("invalid queue name")
	// ErrNotQueue: the object exists and is no queue.
	ErrNotQueue = errors.New("not a queue")
	// ErrVersion: the queue was made by an incompatible version or on a foreign machine.
	ErrVersion = errors.New("incompatible queue")
	// ErrCorrupt: the shared memory holds what no operation writes. The handle is of no more use.
	ErrCorrupt = errors.New("queue is corrupt")
	// ErrLeaseDone: the lease or reservation has ended before.
	ErrLeaseDone = errors.New("lease is over")
)

// Internal outcomes of one step of the ring; never returned to callers.
var (
	errSealed = errors.New("sealed")
	errRetry  = errors.New("another process was faster")
)
