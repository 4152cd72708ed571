// Package acl decides who may do what between processes of one host: who, as
// the kernel tells it; what, as a policy of readable lines says.
//
//	allow user:alice, group:staff connect socket:/run/app.sock
//	deny  user:bob any any
//
// [PeerOf] gives the identity behind a connection, [ProcessOf] a hold on the
// process itself. [Load] and [Parse] compile a policy, [Policy.Check] decides,
// [Policy.Explain] tells why, [Watch] keeps a policy up to date, [Auditor]
// records decisions, and [Apply] has the kernel enforce a policy where there is
// a file. POLICIES.md describes the language and shows ten policies.
//
// Guaranteed: what no rule allows is denied; a rule that denies overrides every
// rule that allows; a word that the language doesn't know is an error with its
// place, never a skipped rule; a request that a policy can't spell (a/../b, NUL)
// is denied; unknown ids are denied; a policy file that others could have
// written is refused; Check allocates nothing, and takes no longer for rules
// about others; a decision is made by one policy as a whole, also during a
// reload, and a failed reload keeps the last good policy.
//
// Not guaranteed: that a process is trustworthy because its user is. Ids are
// those at the time of connect; a process may have given its socket to another.
// Names of users and groups are looked up when a policy is read, not later.
// Before Linux 6.5, and on macOS, nothing proves that the peer's pid has not
// been given away already: then [FieldPin] is missing.
//
// Platforms: Linux is complete. macOS tells at most 16 groups, and Apply sets
// the mode alone. FreeBSD has policies, Watch and Apply, but no PeerOf. Elsewhere
// Parse and Check work; the rest returns an error wrapping errors.ErrUnsupported.
//
// Concurrency: a Policy never changes; all types are safe for concurrent use. A
// crash leaves nothing behind: the package makes no files, and Apply changes a
// file's permissions in one step.
package acl
