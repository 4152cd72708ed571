module github.com/ipcctl/ipc/e2e

go 1.25.0

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/ipcctl/ipc/queue v0.1.0
	github.com/matryer/is v1.4.1
	golang.org/x/sys v0.47.0
)

require github.com/ipcctl/ipc/shm v0.1.0 // indirect
