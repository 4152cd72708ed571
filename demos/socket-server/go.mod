module github.com/ipcctl/ipc/demos/socket-server

go 1.25.0

require github.com/ipcctl/ipc/socket v0.1.0

require (
	github.com/ipcctl/ipc/acl v0.1.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)
