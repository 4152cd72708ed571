package command

func shmGroup() *node {
	return &node{
		name:  "shm",
		usage: "shared-memory segments",
		about: "A segment is named memory of a fixed size: Python's SharedMemory and ours are\n" +
			"the same objects. A NAME with a slash in it is a file that is mapped instead.",
		examples: []example{
			{"name=$(ipcctl shm create --size 4KiB)", "make one"},
			{"ipcctl shm write $name hello && ipcctl shm read $name --length 5", "use it"},
			{"ipcctl ls --kind shm", "see them all"},
		},
		children: []*node{shmCreateVerb(), shmWriteVerb(), shmReadVerb(), shmRmVerb(), shmDumpVerb(), shmWatchVerb()},
	}
}
