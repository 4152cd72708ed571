// Package rpc carries calls and streams over a socket connection.
//
// Guaranteed:
//   - Many calls share one connection; each gets its own reply, or an error,
//     exactly once. A deadline and a cancellation reach the handler.
//   - A stream has a window of its own: a slow one blocks itself and nobody
//     else, and holds no more memory than its window and one message.
//   - The handler knows from the kernel who calls ([Call.Peer]); a policy
//     decides for each method before it runs.
//   - A panic in a handler is that call's error. Shutdown lets calls finish, and
//     refuses others so that a client makes them elsewhere.
//   - A call that may have begun is sent again only if it was declared idempotent.
//
// Not guaranteed: that a call whose connection was lost has not been carried
// out. Calls of one client start in order and run concurrently. Methods that
// have been quick (10 µs) for a while are run one after the other, until one
// is not: then the calls behind it wait for up to 2 ms, once.
//
// Concurrency: everything is safe for concurrent use, except that a stream has
// one sender and one receiver at a time.
//
// When a process dies, the kernel closes its connections: at the other end the
// contexts of its calls end and calls to it return an error wrapping
// [ErrConnection]. There are no pings.
//
// The wire format is in PROTOCOL.md.
package rpc
