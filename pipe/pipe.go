package pipe

import "fmt"

// mode is what one transfer on a pipe means.
type mode uint8

const (
	stream mode = iota // bytes; messages are frames
	packet             // the kernel keeps one write apart from the next
	framed             // packet where the kernel can't: every write is one frame
)

// New makes an anonymous pipe. Both ends are close-on-exec and non-blocking;
// give one to a child with [Reader.Detach] or [Writer.Detach].
func New() (*Reader, *Writer, error) { return newPipe(stream) }

// NewPacket makes an anonymous pipe in which one Send or Write is one message
// of 1 to [MaxPacket] bytes and one Recv or Read takes one message.
//
// On Linux the kernel keeps the packets apart (O_DIRECT, pipe(2)), so several
// processes may share either end. Elsewhere every packet is a frame, and each
// end belongs to one process.
func NewPacket() (*Reader, *Writer, error) { return newPipe(packetMode) }

func newPipe(m mode) (*Reader, *Writer, error) {
	m, files, err := openPipeFiles(m)
	if err != nil {
		return nil, nil, fmt.Errorf("pipe: new: %w", err)
	}
	r, err := wrapReader(files[0], "", m)
	if err != nil {
		_ = files[1].Close()
		return nil, nil, fmt.Errorf("pipe: new: %w", err)
	}
	w, err := wrapWriter(files[1], "", m)
	if err != nil {
		_ = r.Close()
		return nil, nil, fmt.Errorf("pipe: new: %w", err)
	}
	return r, w, nil
}
