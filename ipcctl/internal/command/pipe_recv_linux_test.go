//go:build !ipcportable

package command_test

import (
	"os"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestPipeTakesOneMessage has one receiver after the other take from the same
// sender: none may take what is for the next.
func TestPipeTakesOneMessage(t *testing.T) {
	is := is.New(t)
	path := newFIFO(t)
	keep, err := os.OpenFile(path, os.O_RDWR, 0) // the FIFO keeps its contents while somebody has it open
	is.NoErr(err)
	defer keep.Close()
	must(t, "", "pipe", "send", path, "one", strings.Repeat("2", 4000), "three")
	is.Equal(must(t, "", "pipe", "recv", path), "one\n")
	is.Equal(must(t, "", "pipe", "recv", path, "--raw"), strings.Repeat("2", 4000))
	is.Equal(must(t, "", "pipe", "recv", path), "three\n")
}
