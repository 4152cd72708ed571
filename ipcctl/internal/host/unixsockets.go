package host

// UnixSocket is one row of the kernel's table of Unix sockets.
type UnixSocket struct {
	Path      string // "" if unnamed; "@name" if abstract
	Inode     uint64 // 0 for a connection that nobody has accepted yet
	Type      string // stream, dgram, seqpacket
	Listening bool
	Connected bool
}
