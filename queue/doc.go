// Package queue is a bounded FIFO queue of messages in shared memory, for any
// number of producer and consumer processes on one host, that no process can
// wedge: a peer killed or stopped at any instruction blocks, tears and
// duplicates nothing for the others. There is no lock in shared memory, and no
// timeout decides whether a process is alive: the kernel does.
//
// # Guarantees
//
// After Put returned nil, its message is delivered to at most one Get, and to
// exactly one unless its taker dies with it in hand or the queue is removed. A
// Put that failed delivered nothing; a Put killed halfway delivered once or not
// at all. Get of a killed consumer loses what it had in hand, and Stats counts
// it. A Lease of a killed consumer is given back within a quarter of a second
// by whoever uses the queue, waiting or busy, and redelivered out of order and with
// Attempts above 1. Order is otherwise linearizable FIFO by commit. Messages of
// cooperating peers are never torn.
//
// A Queue is safe for concurrent use, a Lease or Reservation for one goroutine at
// a time; each process opens the queue itself.
//
// A dead or stopped peer never blocks the others; what it can do is delay one
// wake-up by a quarter of a second. A process that may write the memory and
// means harm can destroy contents and stop the flow; it cannot crash this
// process, make it read out of bounds, or make it hang past its context. (The
// bytes of a Lease or Reservation are the memory itself: see there.)
//
// # Not guaranteed
//
// Priorities, survival of a reboot, of removal by others, or of systemd's
// RemoveIPC at logout. A queue at a path on disk keeps its contents when all
// processes die, and after a power failure what the file system wrote.
//
// # Platforms
//
// Linux is complete. Elsewhere the same code runs on files in a directory of
// the user's own, see shm.Options.File; waiting may poll. 386 and amd64
// processes share one queue; versions that cannot share one refuse each other.
//
// PROTOCOL.md has the layout, the states, and the reasons.
package queue
