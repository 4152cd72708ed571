package pipe

import (
	"context"
	"io"
)

// readPacket takes one message into p.
func (r *Reader) readPacket(ctx context.Context, p []byte) (int, error) {
	if r.mode == packet && len(p) >= MaxPacket {
		return r.transfer(ctx, p)
	}
	if r.scratch == nil {
		r.scratch = make([]byte, MaxPacket)
	}
	var msg []byte
	var err error
	if r.mode == packet {
		var n int
		n, err = r.transfer(ctx, r.scratch)
		msg = r.scratch[:n]
	} else {
		msg, err = r.recvFrame(ctx, r.scratch)
	}
	n := copy(p, msg)
	if err == nil && n < len(msg) {
		err = io.ErrShortBuffer
	}
	return n, err
}

// recvPacket takes one message into the capacity of buf, or into new memory.
// The kernel drops what of a packet doesn't fit a read, so a short buf is read
// into only after the scratch.
func (r *Reader) recvPacket(ctx context.Context, buf []byte) ([]byte, error) {
	if cap(buf) >= MaxPacket {
		n, err := r.transfer(ctx, buf[:MaxPacket])
		return buf[:n], err
	}
	if r.scratch == nil {
		r.scratch = make([]byte, MaxPacket)
	}
	n, err := r.transfer(ctx, r.scratch)
	if err != nil {
		return nil, err
	}
	return append(buf[:0], r.scratch[:n]...), nil
}
