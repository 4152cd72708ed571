package pipe

import "golang.org/x/sys/unix"

// writeBoth writes p and q as if they were one.
func writeBoth(fd int, p, q []byte) (int, error) { return unix.Writev(fd, [][]byte{p, q}) }
