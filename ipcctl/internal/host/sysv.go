package host

// SysV is one object of System V IPC, sysvipc(7), of this IPC namespace.
type SysV struct {
	Kind     string // shm, sem or msg
	ID       int    // what ipcrm(1) takes
	Key      uint32 // 0 is IPC_PRIVATE: whoever has the ID reaches it, and nobody else
	Mode     uint32 // permission bits
	UID      uint32
	Size     int64 // bytes of a segment, bytes waiting in a queue
	Count    int   // processes attached to a segment, semaphores in a set, messages in a queue
	Doomed   bool  // a segment that is removed when the last process detaches
	Creator  int   // pid of a segment's creator, 0 if unknown
	LastPIDs []int // of a segment who last attached or detached, of a queue who last sent and received
}
