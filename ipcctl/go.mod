module github.com/ipcctl/ipc/ipcctl

go 1.25.0

require (
	github.com/ipcctl/ipc/acl v0.1.0
	github.com/ipcctl/ipc/pipe v0.1.0
	github.com/ipcctl/ipc/queue v0.1.0
	github.com/ipcctl/ipc/shm v0.1.0
	github.com/ipcctl/ipc/socket v0.1.0
	github.com/urfave/cli/v2 v2.27.7
	golang.org/x/sys v0.47.0
	github.com/matryer/is v1.4.1
)
