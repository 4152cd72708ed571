module github.com/ipcctl/ipc/demos/queue

go 1.25.0

require github.com/ipcctl/ipc/queue v0.1.0

require (
	github.com/ipcctl/ipc/shm v0.1.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)
