//go:build !unix

package pipe

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"github.com/ipcctl/ipc/socket"
)

// Systems without Unix pipes and FIFOs: everything builds, and says so.

const (
	pipeBuf    = 512
	packetMode = framed
)

type fileID struct{}

type desc struct {
	name     string
	closed   atomic.Bool
	sized    atomic.Bool
	file     io.Closer
	fd       int
	deadline func(time.Time) error
	relay    atomic.Pointer[context.CancelFunc]
	brief    bool
	stay     bool
	none     bool
	head     []byte
}

func newReadDesc(*os.File, string) (*desc, error)  { return nil, errors.ErrUnsupported }
func newWriteDesc(*os.File, string) (*desc, error) { return nil, errors.ErrUnsupported }

func (d *desc) transfer(context.Context, []byte) (int, error) { return 0, errors.ErrUnsupported }
func (d *desc) transferBoth(context.Context, []byte, []byte) (int, error) {
	return 0, errors.ErrUnsupported
}
func (d *desc) hungUp() bool               { return false }
func (d *desc) resize(int) (int, error)    { return 0, errors.ErrUnsupported }
func (d *desc) detach() (*os.File, error)  { return nil, errors.ErrUnsupported }
func (d *desc) halt() (open, relayed bool) { return false, false }

func openPipeFiles(m mode) (mode, [2]*os.File, error) {
	return m, [2]*os.File{}, errors.ErrUnsupported
}
func packetsHere() (mode, error)                       { return framed, nil }
func adopt(*os.File, int, mode) (*os.File, error)      { return nil, errors.ErrUnsupported }
func create(string, fs.FileMode, bool) (fileID, error) { return fileID{}, errors.ErrUnsupported }
func remove(string, fileID) error                      { return errors.ErrUnsupported }
func socketID(*os.File) (uint64, error)                { return 0, errors.ErrUnsupported }
func takeSocket(int, uint64) (*socket.Conn, error)     { return nil, errors.ErrUnsupported }

func openReadEnd(context.Context, string, *ReaderOptions) (*os.File, []byte, error) {
	return nil, nil, errors.ErrUnsupported
}

func openWriteEnd(context.Context, string, *WriterOptions) (*os.File, error) {
	return nil, errors.ErrUnsupported
}

func interrupt(context.Context, func(time.Time) error) (restore func()) { return func() {} }

func spliceAll(context.Context, *Moved, io.Reader, []io.Writer) error {
	return errors.ErrUnsupported
}
