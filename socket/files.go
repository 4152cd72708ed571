package socket

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/ipcctl/ipc/socket/frame"
)

// control is what came beside the bytes of a read.
type control struct {
	length    int // bytes of ancillary data
	truncated bool
}

// sendFiles sends msg as a frame that shares no sendmsg with another, so that
// the receiver can tell whose the descriptors are.
func (out *outbound) sendFiles(ctx context.Context, msg []byte, files []*os.File) error {
	if len(files) > MaxFiles {
		return fmt.Errorf("%w: %d, limit %d", ErrTooManyFiles, len(files), MaxFiles)
	}
	return withDescriptors(files, make([]int, 0, len(files)), func(fds []int) error {
		return out.do(ctx, func(fw *frame.Writer) error {
			if err := fw.Flush(); err != nil {
				return err
			}
			if err := out.held.hold(fds); err != nil {
				return err
			}
			if out.c.closed.Load() { // Close may have released before we held
				out.held.release()
				return os.ErrClosed
			}
			out.rights = sysRights(fds)
			defer func() { out.rights = nil }()
			return fw.WriteMessage(msg)
		})
	})
}

// withDescriptors calls f with the descriptors of files, none of which can be
// closed meanwhile. It leaves their blocking mode alone, as File.Fd would not.
func withDescriptors(files []*os.File, fds []int, f func(fds []int) error) error {
	if len(files) == 0 {
		return f(fds)
	}
	if files[0] == nil {
		return fmt.Errorf("nil file: %w", os.ErrInvalid)
	}
	raw, err := files[0].SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	err = raw.Control(func(fd uintptr) {
		ferr = withDescriptors(files[1:], append(fds, int(fd)), f)
	})
	if err != nil {
		return fmt.Errorf("file %q: %w", files[0].Name(), os.ErrClosed)
	}
	return ferr
}

func closeFiles(files []*os.File) error {
	var all error
	for _, f := range files {
		if err := f.Close(); err != nil {
			all = errors.Join(all, err)
		}
	}
	return all
}
