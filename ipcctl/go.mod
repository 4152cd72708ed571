module github.com/ipcctl/ipc/ipcctl

go 1.25.0

require (
	github.com/ipcctl/ipc/acl v0.1.0
	github.com/ipcctl/ipc/pipe v0.1.0
	github.com/ipcctl/ipc/queue v0.1.0
	github.com/ipcctl/ipc/shm v0.1.0
	github.com/ipcctl/ipc/socket v0.1.0
	github.com/matryer/is v1.4.1
	github.com/urfave/cli/v2 v2.27.7
	golang.org/x/sys v0.47.0
)

require (
	github.com/cpuguy83/go-md2man/v2 v2.0.7 // indirect
	github.com/russross/blackfriday/v2 v2.1.0 // indirect
	github.com/xrash/smetrics v0.0.0-20240521201337-686a1a2994c1 // indirect
)
