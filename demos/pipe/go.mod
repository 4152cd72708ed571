module github.com/ipcctl/ipc/demos/pipe

go 1.25.0

require (
	github.com/ipcctl/ipc/pipe v0.1.0
)
