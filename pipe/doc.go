// Package pipe is pipes, FIFOs and connections to child processes, without the
// traps.
//
//	Writer                      kernel                     Reader
//	┌────────────────┐  write  ┌──────────────────┐ read  ┌────────────────┐
//	│ frames, 64 KiB │ ──────▶ │ pages, 64 KiB    │ ────▶ │ frames, 64 KiB │
//	│ SendBuffered   │         │ (SetCapacity)    │       │ read ahead     │
//	└────────────────┘         └──────────────────┘       └────────────────┘
//	dies with the sender       dies with the last         dies with the
//	                           descriptor of either end   receiver
//
// A message is a frame of package socket/frame, Python's
// multiprocessing.connection; a raw pipe carries any bytes.
//
// Guaranteed:
//   - Every call ends with its context, opening a FIFO included. An open that is
//     called off leaves nothing behind and (on Linux) wakes no other process.
//   - A message that Send returned nil for is in the kernel. One that was cut
//     short by a context is withdrawn whole or finished by the next call.
//   - "No writer has come yet" is ErrNoWriter, "the writers are gone" is io.EOF,
//     a writer that died inside a message is io.ErrUnexpectedEOF, a reader that
//     is gone is syscall.EPIPE: never mistaken for each other.
//   - Several processes that write messages of up to MaxAtomic bytes to a FIFO
//     tear none; longer ones are refused in that mode.
//   - A length that a peer sends is checked before anything is allocated for it.
//   - Create and Remove touch only FIFOs, and only this process's.
//
// Not guaranteed: a message in the kernel is lost if the reader dies before it
// reads it. A Reader reads ahead, so a FIFO is read by one process at a time
// unless NoReadAhead is called. Messages of SendBuffered die with the sender. Where
// SIGURG is ignored (Linux), an open of a FIFO does not end with its context.
//
// All methods are safe for concurrent use. Waiting costs no thread, except in
// OpenReader and OpenWriter (one each, Linux) and in a Relay of descriptors in
// blocking mode.
//
// Linux is complete. macOS and FreeBSD lack splice, capacities and the proof
// that a FIFO is unused, and look for a FIFO's other end at intervals of up to
// 20 ms. Elsewhere everything returns errors.ErrUnsupported.
package pipe
