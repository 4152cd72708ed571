package acl

import "fmt"

// Apply gives the file at path the permissions that p means for a resource:
// the socket file behind "socket:/run/app.sock", the file in /dev/shm behind
// "shm:feed" or "queue:jobs", the FIFO behind "pipe:/run/log". From then on the
// kernel refuses whom the policy refuses, also where no server asks it.
//
// The file must be of the sort that the resource says, no link, and ours (or we
// are root). Everything changes in one step: there is no moment with
// permissions that neither the old nor the new state has. See
// [Policy.FileAccess] for what is derived; read the warnings.
//
// On Linux single users and groups get POSIX ACL entries, which getfacl shows.
// Where the file system, or the system (macOS, FreeBSD), has none, the mode is
// set so that nobody gets what the policy denies, with a warning for each user
// and group that loses by it. Errors wrap os.ErrNotExist, os.ErrPermission,
// os.ErrInvalid (another sort of file) or errors.ErrUnsupported.
func Apply(path string, p *Policy, resource string) (FileAccess, error) {
	a, err := apply(path, p, resource)
	if err != nil {
		return FileAccess{}, fmt.Errorf("acl: apply %q to %q: %w", resource, path, err)
	}
	return a, nil
}
