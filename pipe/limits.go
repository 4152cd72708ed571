package pipe

// MaxPacket is the longest message, in bytes, of a packet pipe.
const MaxPacket = 4096

// usual is the capacity that Linux gives a pipe, and roomy that of one which
// carries more than that. It is a compromise: a pipe's buffers are
// kernel memory, and count against the user's quota (pipe-user-pages-soft).
const (
	usual = 64 << 10
	roomy = 256 << 10
)

// longMessage is from how many bytes on a message is received without being
// copied again.
const longMessage = 16 << 10

// frameHeader is the length in bytes of the header of every frame that fits
// PIPE_BUF.
const frameHeader = 4

// MaxAtomic is the longest message, in bytes, that several writers can send
// into one pipe at the same time without tearing each other's: PIPE_BUF less
// the frame's header. It is 4092 on Linux and 508 on macOS and the BSDs.
const MaxAtomic = pipeBuf - frameHeader
