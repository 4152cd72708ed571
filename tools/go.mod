module github.com/ipcctl/ipc/tools

go 1.25.0

require (
	github.com/matryer/is v1.4.1
	golang.org/x/mod v0.35.0
)
