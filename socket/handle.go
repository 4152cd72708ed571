package socket

import (
	"context"
	"fmt"
	"os"
)

// SendHandle passes one descriptor as Python's
// multiprocessing.reduction.send_handle and DupFd do: the byte 1 with the
// descriptor, outside any message. The peer must be waiting for it
// (RecvHandle, or reduction.recv_handle); sent at another time it breaks the
// connection.
//
// On macOS SendHandle then waits for the byte "A" with which the receiver
// acknowledges, as CPython does there (reduction.ACKNOWLEDGE).
func (c *Conn) SendHandle(ctx context.Context, f *os.File) error {
	err := withDescriptors([]*os.File{f}, make([]int, 0, 1), func(fds []int) error {
		return c.out.raw(ctx, []byte{1}, sysRights(fds))
	})
	if err == nil && handlesAreAcknowledged {
		var b byte
		if b, _, err = c.in.raw(ctx); err == nil && b != 'A' {
			err = fmt.Errorf("acknowledged by byte %#x: %w", b, os.ErrInvalid)
		}
	}
	if err != nil {
		return opError("send handle", c.addr, err)
	}
	return nil
}

// RecvHandle receives one descriptor from a peer that calls SendHandle or
// reduction.send_handle. The caller closes the File.
//
// The error wraps os.ErrInvalid when something else came; nothing of it is
// kept.
func (c *Conn) RecvHandle(ctx context.Context) (*os.File, error) {
	b, files, err := c.in.raw(ctx)
	if err == nil && (len(files) != 1 || b != 1) {
		closeFiles(files)
		err = fmt.Errorf("byte %#x with %d descriptors, want 1 with one: %w", b, len(files), os.ErrInvalid)
	}
	if err == nil && handlesAreAcknowledged {
		if err = c.out.raw(ctx, []byte{'A'}, nil); err != nil {
			closeFiles(files)
		}
	}
	if err != nil {
		return nil, opError("recv handle", c.addr, err)
	}
	return files[0], nil
}

// raw sends bytes outside the frames, behind everything buffered.
func (out *outbound) raw(ctx context.Context, p, rights []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := out.turn.lock(ctx); err != nil {
		return err
	}
	defer out.turn.unlock()
	if out.c.closed.Load() {
		return os.ErrClosed
	}
	out.ctx = ctx
	defer out.settle()
	if err := out.fw.Flush(); err != nil {
		return err
	}
	out.rights = rights
	defer func() { out.rights = nil }()
	_, err := out.Write(p)
	return err
}

// raw receives one byte outside the frames and what came with it. It reads the
// byte alone, so that a frame behind it stays where the frame.Reader looks.
func (in *inbound) raw(ctx context.Context) (byte, []*os.File, error) {
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	if err := in.turn.lock(ctx); err != nil {
		return 0, nil, err
	}
	defer in.turn.unlock()
	if in.failed != nil {
		return 0, nil, in.failed
	}
	if in.c.closed.Load() {
		return 0, nil, os.ErrClosed
	}
	in.ctx = ctx
	defer in.settle()
	var p [1]byte
	n, err := in.fr.ReadRaw(p[:])
	if n == 0 {
		return 0, nil, err
	}
	files := in.claim(in.fr.Offset())
	return p[0], files, nil
}
