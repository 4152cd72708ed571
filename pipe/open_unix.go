//go:build unix

package pipe

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openReadEnd opens the read end of a FIFO. head is what was read while waiting
// for a writer.
func openReadEnd(ctx context.Context, path string, o *ReaderOptions) (f *os.File, head []byte, err error) {
	f, err = openFIFO(ctx, path, o.AllowOthers, func(id fileID) (fd int, err error) {
		if o.Persistent {
			return openOnce(path, unix.O_RDONLY|unix.O_NONBLOCK, id)
		}
		fd, head, err = openBeforeWriter(ctx, path, id)
		return fd, err
	})
	return f, head, err
}

// openWriteEnd opens the write end of a FIFO.
func openWriteEnd(ctx context.Context, path string, o *WriterOptions) (*os.File, error) {
	return openFIFO(ctx, path, o.AllowOthers, func(id fileID) (int, error) {
		fd, err := openOnce(path, unix.O_WRONLY|unix.O_NONBLOCK, id)
		if errors.Is(err, unix.ENXIO) { // no reader yet: open(2)
			return openBeforeReader(ctx, path, id)
		}
		return fd, err
	})
}

// openFIFO checks what is at path, opens it with open, and does both again if
// the path was given to another file in between.
func openFIFO(ctx context.Context, path string, others bool, open func(fileID) (int, error)) (*os.File, error) {
	const swaps = 100
	for range swaps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		st, err := inspect(path, others)
		if err != nil {
			return nil, err
		}
		fd, err := open(idOf(&st))
		if err == nil {
			return nonblock(fd, path)
		}
		if !errors.Is(err, errSwapped) {
			return nil, err
		}
	}
	return nil, errSwapped
}
