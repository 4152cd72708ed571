package host

// Sleeper is a process with a thread that sleeps in the kernel until a word of a
// file, which it has mapped, changes: futex(2).
type Sleeper struct {
	Process
	Offset uint64 // of the word in the file
}
