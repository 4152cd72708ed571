//go:build !ipcportable

package shm_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

// A file that ends before its size, as one that shrinks while it is copied, is
// no end of anything: the error says what happened.
func TestStableCopyOfAFileThatEndsEarly(t *testing.T) {
	is := is.New(t)
	f, err := os.Open("/sys/kernel/uevent_seqnum") // a page, says stat, and it holds a number
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	_, err = shm.ReaderFromFile(f, &shm.Options{Stable: true})
	is.True(errors.Is(err, io.ErrUnexpectedEOF))
	is.True(!errors.Is(err, io.EOF))
	is.True(strings.Contains(err.Error(), "of 4096 bytes"))
}
