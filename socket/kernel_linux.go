package socket

import "golang.org/x/sys/unix"

// controlAtEnd: a read that meets data with descriptors ends behind it
// (net/unix/af_unix.c, unix_stream_read_generic).
const controlAtEnd = true

const sendFlags = unix.MSG_NOSIGNAL

// soPassRights is SO_PASSRIGHTS of asm-generic/socket.h (Linux 6.16): whether
// peers may send descriptors to this socket.
const soPassRights = 83
