package pipe

import (
	"fmt"
	"io/fs"
)

// CreateOptions says how [Create] makes a FIFO.
type CreateOptions struct {
	// Mode is the permission bits, exactly, whatever the umask. It must let the
	// owner read and write. Zero means 0600.
	Mode fs.FileMode

	// ReplaceStale takes over a FIFO of this user's at the path where it is
	// proven that no process has it open or waits to. A FIFO in that state holds
	// nothing, so the old one is as good as new. Only Linux can prove it.
	ReplaceStale bool
}

// FIFO is a FIFO that this process created.
type FIFO struct {
	path string
	id   fileID
}

// Create makes a FIFO at path. What exists there is left alone: the error wraps
// os.ErrExist, and the text says what it is. The process's umask is not touched.
func Create(path string, o *CreateOptions) (*FIFO, error) {
	if o == nil {
		o = &CreateOptions{}
	}
	perm := o.Mode
	if perm == 0 {
		perm = 0o600
	}
	if perm&^fs.ModePerm != 0 || perm&0o600 != 0o600 {
		return nil, fail("create", path, fmt.Errorf("mode %v: want permission bits with owner read and write", o.Mode))
	}
	id, err := create(path, perm, o.ReplaceStale)
	if err != nil {
		return nil, fail("create", path, err)
	}
	return &FIFO{path: path, id: id}, nil
}

// Path returns where the FIFO is.
func (f *FIFO) Path() string { return f.path }

// Remove removes the FIFO. Where it is gone, or something else has taken its
// path, nothing is removed and the error wraps os.ErrNotExist. Processes that have
// it open keep it.
//
// Between the check and the removal lies an instant in which a process that
// may write to the directory could exchange the two.
func (f *FIFO) Remove() error { return fail("remove", f.path, remove(f.path, f.id)) }
