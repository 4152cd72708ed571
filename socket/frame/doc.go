// Package frame reads and writes the message frame of Python's
// multiprocessing.connection: a length, then that many bytes.
//
//	n <= 0x7fffffff:  int32 big-endian n                          n bytes
//	n >  0x7fffffff:  int32 -1 (ff ff ff ff), uint64 big-endian n   n bytes
//
// It works over any [io.Reader] and [io.Writer] and knows nothing of sockets.
//
// Guarantees:
//   - A length is checked against the limit before anything is allocated, and
//     memory for a long message grows as its bytes arrive: a peer pays for what
//     it makes us hold.
//   - End of stream on a frame boundary is io.EOF; inside a frame it is
//     [ErrTruncated]. The two are never confused.
//   - An error that may pass (a deadline, a cancelled context) never tears the
//     stream: the next call goes on where the interrupted one stopped.
//   - With a buffer to reuse, neither side allocates in steady state.
//
// A [Reader] takes as much as one read gives it, a [Writer] puts many messages
// into one write. Neither is safe for concurrent use, neither starts
// goroutines, and neither holds anything that must be closed.
//
// Format: CPython, Lib/multiprocessing/connection.py, Connection._send_bytes
// and _recv_bytes (3.8 and later).
package frame
