// Package host reads what the kernel knows about the objects that processes
// talk through: which sockets listen and are connected, which processes hold
// or map a file. It asks the kernel's tables alone, never the objects' users,
// so it works on objects of any program and needs no cooperation.
//
// An unprivileged caller sees the processes of its own user; Processes says
// how many it could not look into, so that nobody takes "no user seen" for
// "no user".
//
// Linux only; elsewhere every function returns an error that wraps
// errors.ErrUnsupported.
package host
