package socket

import "golang.org/x/sys/unix"

// controlAtEnd: a read that meets data with descriptors ends behind it
// (net/unix/af_unix.c, unix_stream_read_generic).
const controlAtEnd = true

const sendFlags = unix.MSG_NOSIGNAL
