package shm_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

// A descriptor that cannot be attached leaves none behind.
func TestFailedAttachLeaksNothing(t *testing.T) {
	is := is.New(t)
	r, w, err := os.Pipe()
	is.NoErr(err)
	defer r.Close()
	defer w.Close()
	pipe, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", r.Fd()))
	is.NoErr(err)
	ends := func() (n int) {
		for _, f := range openFiles() {
			if strings.HasSuffix(f, pipe) {
				n++
			}
		}
		return n
	}
	is.Equal(ends(), 2)
	for range 20 { // nothing that the garbage collector would get to
		_, err = shm.FromFile(r, nil)
		is.True(errors.Is(err, shm.ErrNotSegment))
		_, err = shm.ReaderFromFile(r, nil)
		is.True(errors.Is(err, shm.ErrNotSegment))
		_, err = shm.ReaderFromFile(r, &shm.Options{Stable: true})
		is.True(errors.Is(err, shm.ErrNotSegment))
	}
	is.Equal(ends(), 2)
}
