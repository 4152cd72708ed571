// Package shm is shared memory whose failures are ordinary errors: named
// segments, files, anonymous memory and received descriptors, with typed
// access, latest-value cells, Python's ShareableList, and locks that survive
// the death of their owner.
//
// Guaranteed:
//   - Create makes a segment whole or not at all: its space is reserved (too
//     little is ENOSPC at once), Options.Init has run, and then its name appears.
//   - A segment that another process truncates, punches, removes or overwrites
//     makes operations return ErrFault or ErrCorrupt. It never kills or hangs
//     this process, nor makes it touch memory that is not the segment's. A fault
//     anywhere else stays a panic.
//   - Close returns at once and ends all waits with os.ErrClosed. Memory that
//     somebody is still inside of, in a View or by Pin, stays mapped until then.
//   - A Reader cannot be made writable: its mapping and its descriptor are
//     read-only for the kernel.
//   - Whoever dies holding a mutex, a permit or half a cell value blocks nobody:
//     death is told by the kernel's locks, not by pids or timeouts.
//
// Not guaranteed: what the bytes say, if a writer of the segment is hostile;
// any order between plain ReadAt and WriteAt of several processes; survival of
// a reboot, or of a logout under systemd's RemoveIPC.
//
// Names are Python's: Create("") makes psm_xxxxxxxx, the mode is 0600, and byte
// 0 is the user's. multiprocessing.shared_memory attaches to our segments and we
// to its. A Python up to 3.12 deletes what it attached to when it exits: Lend it
// a name of its own.
//
// Linux has everything. On macOS, sizes that only a descriptor tells are rounded
// up to a page, descriptors are not sealed, List shows this user's segments of
// this library, and Lend and Placement wrap errors.ErrUnsupported; other Unix
// systems are the same with files. Elsewhere all is errors.ErrUnsupported.
//
// All methods may be called concurrently. Typed access and cells refuse Go
// types whose layout depends on the CPU.
package shm
