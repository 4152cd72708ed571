package host

import (
	"bytes"
	"os"
	"strconv"
)

// acceptCon is __SO_ACCEPTCON of the kernel: the socket listens.
const acceptCon = 1 << 16

// UnixSockets reads the kernel's table of Unix sockets, proc_net_unix(5), of
// this network namespace.
func UnixSockets() ([]UnixSocket, error) {
	text, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return nil, err
	}
	return parseUnixSockets(text), nil
}

// parseUnixSockets reads lines of the form
//
//	Num       RefCount Protocol Flags    Type St Inode Path
//	ffff8881: 00000002 00000000 00010000 0001 01 12345 /run/x.sock
//
// A path may hold blanks, and "@" stands for the zero byte of an abstract one.
func parseUnixSockets(text []byte) []UnixSocket {
	var out []UnixSocket
	_, text, _ = bytes.Cut(text, []byte("\n")) // the header
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		var f [7][]byte
		rest := line
		for i := range f {
			rest = bytes.TrimLeft(rest, " ")
			f[i], rest, _ = bytes.Cut(rest, []byte(" "))
		}
		flags, err1 := strconv.ParseUint(string(f[3]), 16, 32)
		kind, err2 := strconv.ParseUint(string(f[4]), 16, 16)
		ino, err3 := strconv.ParseUint(string(f[6]), 10, 64)
		if err1 != nil || err2 != nil || err3 != nil {
			continue
		}
		out = append(out, UnixSocket{
			Path:      string(rest),
			Inode:     ino,
			Type:      socketType(kind),
			Listening: flags&acceptCon != 0,
			Connected: string(f[5]) == "03",
		})
	}
	return out
}

func socketType(n uint64) string {
	switch n {
	case 1:
		return "stream"
	case 2:
		return "dgram"
	case 5:
		return "seqpacket"
	}
	return strconv.FormatUint(n, 10)
}
