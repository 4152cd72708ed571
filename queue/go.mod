module github.com/ipcctl/ipc/queue

go 1.25.0

require (
	github.com/ipcctl/ipc/shm v0.1.0
	github.com/matryer/is v1.4.1
	golang.org/x/sys v0.47.0
)
