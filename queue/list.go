package queue

import (
	"strings"

	"github.com/ipcctl/ipc/shm"
)

// Info describes a queue of this host.
type Info struct {
	Name  string
	File  shm.Info // name, size, owner, mode and users of its memory
	Stats Stats    // if Err is nil
	Err   error    // why its numbers could not be read
}

// List returns the queues in shared memory that this process may see, by name.
// Dead-letter queues are among them. Queues at paths are not: nothing on the
// system knows where they are.
func List() ([]Info, error) {
	objects, err := shm.List()
	if err != nil {
		return nil, err
	}
	var l []Info
	for _, o := range objects {
		name, ok := strings.CutPrefix(o.Name, filePrefix)
		if !ok {
			continue
		}
		i := Info{Name: name, File: o}
		r, err := OpenReader(name)
		if err == nil {
			i.Stats, i.Err = r.Stats()
			r.Close()
		} else {
			i.Err = err
		}
		l = append(l, i)
	}
	return l, nil
}
