module github.com/ipcctl/ipc/bench

go 1.26.0

replace (
	github.com/ipcctl/ipc/acl => ../acl
	github.com/ipcctl/ipc/pipe => ../pipe
	github.com/ipcctl/ipc/queue => ../queue
	github.com/ipcctl/ipc/shm => ../shm
	github.com/ipcctl/ipc/socket => ../socket
)

require (
	github.com/casbin/casbin/v2 v2.135.0
	github.com/containerd/ttrpc v1.2.10
	github.com/go-zeromq/zmq4 v0.17.0
	github.com/ipcctl/ipc/acl v0.1.0
	github.com/ipcctl/ipc/pipe v0.1.0
	github.com/ipcctl/ipc/queue v0.1.0
	github.com/ipcctl/ipc/shm v0.1.0
	github.com/ipcctl/ipc/socket v0.1.0
	github.com/matryer/is v1.4.1
	golang.org/x/sys v0.48.0
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
	storj.io/drpc v1.0.0
)

require (
	github.com/bmatcuk/doublestar/v4 v4.6.1 // indirect
	github.com/casbin/govaluate v1.3.0 // indirect
	github.com/containerd/log v0.1.0 // indirect
	github.com/go-zeromq/goczmq/v4 v4.2.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/sirupsen/logrus v1.9.4 // indirect
	github.com/zeebo/errs v1.2.2 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sync v0.23.0 // indirect
	golang.org/x/text v0.42.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260817212433-ac3dfec99bb1 // indirect
)
