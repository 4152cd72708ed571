//go:build unix && (!linux || ipcportable)

package pipe

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// openBeforeWriter opens path for reading and looks, at bounded intervals, for
// a writer. A read tells one that is there (EAGAIN) from none (0); bytes that it
// happens to take are the head of the stream.
func openBeforeWriter(ctx context.Context, path string, id fileID) (int, []byte, error) {
	fd, err := openOnce(path, unix.O_RDONLY|unix.O_NONBLOCK, id)
	if err != nil {
		return -1, nil, err
	}
	head := make([]byte, pipeBuf)
	for pause := time.Millisecond; ; pause = min(2*pause, pollMax) { // ends: a writer, an error, ctx
		n, err := unix.Read(fd, head)
		switch {
		case n > 0:
			return fd, head[:n], nil
		case err == unix.EAGAIN:
			return fd, nil, nil
		case err == nil:
			err = sleep(ctx, pause)
		case err == unix.EINTR:
			err = nil
		default:
			err = os.NewSyscallError("read", err)
		}
		if err != nil {
			_ = unix.Close(fd)
			return -1, nil, err
		}
	}
}

// openBeforeReader tries, at bounded intervals, to open path for writing.
func openBeforeReader(ctx context.Context, path string, id fileID) (int, error) {
	for pause := time.Millisecond; ; pause = min(2*pause, pollMax) { // ends: a reader, an error, ctx
		fd, err := openOnce(path, unix.O_WRONLY|unix.O_NONBLOCK, id)
		if !errors.Is(err, unix.ENXIO) {
			return fd, err
		}
		if err := sleep(ctx, pause); err != nil {
			return -1, err
		}
	}
}
