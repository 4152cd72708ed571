// Package socket connects processes on one host by Unix sockets: messages,
// descriptors, and the kernel's word for who is at the other end.
//
// Guaranteed:
//   - A message arrives whole, once, in order, with exactly its descriptors,
//     or not at all; nothing a peer sends makes us hold more memory than it
//     has sent, or keep a descriptor that nobody asked for.
//   - [Conn.Peer] comes from the kernel. A listener's policy, and a dialler's,
//     decide before a byte is read.
//   - [Listen] never deletes or steals a live socket, replaces one whose owner
//     died, and leaves none behind.
//   - Every call that can wait takes a context and ends with it; an
//     interrupted call tears no message.
//   - Sending and receiving allocate nothing in steady state (RecvInto).
//   - All of that holds as well through memory that both processes share,
//     several times as fast ([ConnOptions].SharedBuffer, Linux).
//
// Not guaranteed: that the peer has processed what Send delivered to the
// kernel. Nothing is encrypted: the kernel carries it, and root can read it.
//
// Concurrency: everything is safe for concurrent use. Concurrent senders'
// messages don't mix; each message goes to one of the concurrent receivers.
//
// When a process dies at any point, its peers get what it had sent, then
// io.EOF, [ErrTruncated] or [ErrPeerClosed]; its socket file is replaced by
// the next Listen on that path.
//
// Platforms: Linux is complete. macOS and FreeBSD have all but abstract names,
// SO_PASSRIGHTS, process pinning and paths beyond their limit (see README).
// Elsewhere every call returns an error wrapping errors.ErrUnsupported.
//
// The frame is that of Python's multiprocessing.connection, see package frame.
package socket
