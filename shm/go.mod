module github.com/ipcctl/ipc/shm

go 1.25.0

require (
	github.com/matryer/is v1.4.1
	golang.org/x/sys v0.47.0
)
