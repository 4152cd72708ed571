package main

// Kind says on whose side a mechanism is.
type Kind int

// The kinds.
const (
	Ours  Kind = iota // of this repository
	Peer              // what one would use instead
	Floor             // what the machine and the kernel can do, in C
)

func (k Kind) String() string { return [...]string{"ours", "peer", "floor"}[k] }

// mechanism is one way to do the work. It is a program in another language, or
// else has what the work needs.
type mechanism struct {
	label   string
	kind    Kind
	ping    *pinger
	flow    *flow
	many    *pinger                                 // over many connections
	local   func(*Job) (op func() error, err error) // in one process
	object  *object                                 // for the steps of its life
	make    func() (object any, err error)          // for its memory
	program *program
}

// mechanisms has all by the names that -only and results.jsonl use.
//
// The functions that make a ping or a flow are not inlined here (TestHotLoops): the copy
// of a closure that comes into the init function that way has nothing inlined into it, so
// that a Lease, for one, would cost an allocation that it does not cost a program.
var mechanisms = map[string]*mechanism{
	"queue":          {label: "queue, Put and GetInto", ping: queuePing, many: manyQueues, flow: queueFlow("put", "get")},
	"queue-lease":    {label: "queue, Put and Lease", flow: queueFlow("put", "lease")},
	"queue-in-place": {label: "queue, Reserve and Lease (in place)", flow: queueFlow("reserve", "lease")},
	"queue-batch":    {label: "queue, PutBatch and GetBatchInto, 64", flow: queueFlow("batch", "batch")},
	"socket":         {label: "socket.Conn", ping: socketPing(asIs), many: manySockets, flow: socketFlow(asIs, false)},
	"socket-spin":    {label: "socket.Conn, Spin 50 us", ping: socketPing(spinning)},
	"socket-buffer":  {label: "socket.Conn, SendBuffered", flow: socketFlow(asIs, true)},
	"socket-shared":  {label: "socket.Conn, SharedBuffer", ping: socketPing(shared), flow: socketFlow(shared, false)},
	"shared-buffer":  {label: "socket.Conn, SharedBuffer, SendBuffered", flow: socketFlow(shared, true)},
	"pipe":           {label: "pipe", ping: pipePing, flow: pipeFlow(false)},
	"pipe-buffer":    {label: "pipe, SendBuffered", flow: pipeFlow(true)},
	"pipe-raw":       {label: "pipe, Write and Read, no messages", flow: pipeRaw},
	"rpc":            {label: "socket/rpc", ping: rpcPing(asIs, false), many: manyCalls(rpcPing(asIs, false)), flow: rpcStream(asIs, false)},
	"rpc-spin":       {label: "socket/rpc, Spin 50 us", ping: rpcPing(spinning, false)},
	"rpc-shared":     {label: "socket/rpc, SharedBuffer", ping: rpcPing(shared, false), flow: rpcStream(shared, false)},
	"shared-reuse":   {label: "socket/rpc, SharedBuffer, memory goes round", ping: rpcPing(shared, true), flow: rpcStream(shared, true)},
	"rpc-reuse":      {label: "socket/rpc, memory goes round", ping: rpcPing(asIs, true), flow: rpcStream(asIs, true)},
	"rpc-timeout":    {label: "socket/rpc, Request.Timeout", ping: rpcTimeout},
	"acl":            {label: "acl.Policy.Check", local: aclDecide},

	"unixconn":             {label: "net.UnixConn, length prefix", kind: Peer, ping: unixStream.ping(), many: manyUnixConns, flow: unixStream.flow(false)},
	"unixconn-buffer":      {label: "net.UnixConn, length prefix, bufio 64 KiB", kind: Peer, flow: unixStream.flow(true)},
	"ospipe":               {label: "os.Pipe, length prefix", kind: Peer, ping: osPipe.ping(), flow: osPipe.flow(false)},
	"ospipe-buffer":        {label: "os.Pipe, length prefix, bufio 64 KiB", kind: Peer, flow: osPipe.flow(true)},
	"ospipe-raw":           {label: "os.Pipe, Write and Read, no messages", kind: Peer, flow: osPipeRaw},
	"net-rpc":              {label: "net/rpc (gob)", kind: Peer, ping: netRPC},
	"grpc":                 {label: "gRPC (bytes codec)", kind: Peer, ping: grpcPing, flow: grpcStream()},
	"ttrpc":                {label: "ttrpc (protobuf BytesValue)", kind: Peer, ping: ttrpcPing, many: manyCalls(ttrpcPing), flow: ttrpcStream()},
	"drpc":                 {label: "drpc (bytes codec)", kind: Peer, ping: drpcPing, flow: drpcStream(false)},
	"drpc-gather":          {label: "drpc, ManualFlush (bytes codec)", kind: Peer, flow: drpcStream(true)},
	"zmq4":                 {label: "go-zeromq/zmq4", kind: Peer, ping: zmq4Ping, flow: zmq4Flow},
	"casbin":               {label: "casbin", kind: Peer, local: casbinDecide(false, false)},
	"casbin-rbac":          {label: "casbin, roles", kind: Peer, local: casbinDecide(true, false)},
	"casbin-cached":        {label: "casbin, cached, always the same request", kind: Peer, local: casbinDecide(false, true)},
	"queue-local":          {label: "queue, Put and GetInto", local: queueLocal},
	"queue-local-in-place": {label: "queue, Reserve and Lease (in place)", local: queueLocalInPlace},
	"go-chan":              {label: "a buffered Go channel of 64 bytes, within the process", kind: Floor, local: chanLocal},
	"relay":                {label: "pipe.Relay of a file", ping: relayPing(fromFile, byRelay)},
	"copy":                 {label: "io.Copy of a file through user space", kind: Peer, ping: relayPing(fromFile, byHand)},
	"relay-socket":         {label: "pipe.Relay of a Unix socket", ping: relayPing(fromSocket, byRelay)},
	"copy-socket":          {label: "io.Copy of a Unix socket through user space", kind: Peer, ping: relayPing(fromSocket, byHand)},
	"iocopy":               {label: "io.Copy of a file, as it is", kind: Peer, ping: relayPing(fromFile, byCopy)},
	"iocopy-socket":        {label: "io.Copy of a Unix socket, as it is (os.File splices)", kind: Peer, ping: relayPing(fromSocket, byCopy)},
	"acl-parse":            {label: "acl.Parse", local: aclParse},
	"acl-peer":             {label: "acl.PeerOf", local: aclPeer},
	"peercred":             {label: "SO_PEERCRED alone, from Go", kind: Floor, local: peerCred},
	"shm":                  {label: "shm.Region, WriteAt", local: shmCopy},
	"file-map":             {label: "a file in /dev/shm: open, truncate, mmap", kind: Floor, object: fileObject},
	"shm-object":           {label: "shm segment", object: shmObject},
	"queue-object":         {label: "queue of 16 messages", object: queueObject},
	"socket-object":        {label: "socket.Listen; Dial and Accept", object: socketObject()},
	"net-object":           {label: "net.Listen; Dial and Accept", kind: Peer, object: netObject()},
	"fifo-object":          {label: "pipe.Create; OpenReader and OpenWriter", object: fifoObject()},
	"mkfifo-object":        {label: "mkfifo; os.OpenFile, both ends", kind: Peer, object: mkfifoObject},
	"pair-object":          {label: "socket.Pair", object: pairObject},
	"pipe-object":          {label: "pipe.New", object: pipeObject},
	"ospipe-object":        {label: "os.Pipe", kind: Peer, object: osPipeObject},
	"shm-idle":             {label: "shm.Anonymous of a page, written to", make: idleShm},
	"map-idle":             {label: "memfd_create and mmap of a page, written to", kind: Floor, make: idleMap},
	"socket-idle":          {label: "socket.Pair after a message each way, for each end", make: idleSocket},
	"net-idle":             {label: "net.UnixConn, a bufio.Reader of 4 KiB, a message each way, for each end", kind: Peer, make: idleNet},
	"pipe-idle":            {label: "pipe.New after a message, both ends", make: idlePipe},
	"ospipe-idle":          {label: "os.Pipe, a bufio.Reader of 4 KiB, after a message, both ends", kind: Peer, make: idleOSPipe},
	"queue-idle":           {label: "queue.Anonymous of 16 messages of 64 B, and its mapping", make: idleQueue},
	"go-map":               {label: "a Go map of uid and two strings", kind: Floor, local: mapDecide},

	"posix-mq":      {label: "POSIX message queue (C)", kind: Peer, program: floorC},
	"sysv-msg":      {label: "System V message queue (C)", kind: Peer, program: floorC},
	"boost-mq":      {label: "Boost.Interprocess message_queue (C++)", kind: Peer, program: boostCpp},
	"libzmq":        {label: "libzmq PUSH/PULL (C)", kind: Peer, program: zmqC},
	"nng":           {label: "nng PUSH/PULL (C)", kind: Peer, program: nngC},
	"py-pipe":       {label: "Python multiprocessing.Pipe", kind: Peer, program: peersPy},
	"py-queue":      {label: "Python multiprocessing.Queue", kind: Peer, program: peersPy},
	"py-shm":        {label: "Python multiprocessing.shared_memory.SharedMemory", kind: Peer, program: peersPy},
	"py-connection": {label: "Python multiprocessing.connection", kind: Peer, program: peersPy},

	"c-line":        {label: "C, cache line, spinning", kind: Floor, program: floorC},
	"c-ring":        {label: "C, ring of one producer and one consumer, spinning", kind: Floor, program: floorC},
	"c-mpmc":        {label: "C, Vyukov's ring, spinning, not crash-safe", kind: Floor, program: floorC},
	"c-futex":       {label: "C, futex", kind: Floor, program: floorC},
	"c-unix":        {label: "C, AF_UNIX stream", kind: Floor, program: floorC},
	"c-unix-polled": {label: "C, AF_UNIX stream, polled", kind: Floor, program: floorC},
	"c-pipe":        {label: "C, pipe", kind: Floor, program: floorC},
	"c-memcpy":      {label: "C, memcpy between shared mappings", kind: Floor, program: floorC},
}

// rivals are those that one would use instead of one of ours, whatever else of
// ours may be faster than both.
var rivals = map[string][]string{
	"queue":  {"boost-mq", "posix-mq", "sysv-msg"},
	"socket": {"unixconn"}, "socket-buffer": {"unixconn-buffer"}, "socket-shared": {"unixconn"}, "shared-buffer": {"unixconn-buffer"},
	"pipe": {"ospipe"}, "pipe-buffer": {"ospipe-buffer"}, "pipe-raw": {"ospipe-raw"},
	"relay": {"copy", "iocopy"}, "relay-socket": {"copy-socket", "iocopy-socket"}, "queue-object": {"boost-mq"}, "fifo-object": {"mkfifo-object"},
	"rpc": {"net-rpc", "ttrpc", "drpc", "drpc-gather", "grpc"}, "rpc-spin": {"net-rpc", "ttrpc", "drpc", "grpc"},
	"rpc-reuse":  {"net-rpc", "ttrpc", "drpc", "grpc"},
	"rpc-shared": {"net-rpc", "ttrpc", "drpc", "drpc-gather", "grpc"}, "shared-reuse": {"net-rpc", "ttrpc", "drpc", "grpc"},
	"shm-object": {"file-map", "py-shm"}, "shm": {"c-memcpy", "py-shm"}, "shm-idle": {"map-idle"}, "socket-object": {"net-object"}, "pipe-object": {"ospipe-object"},
	"socket-idle": {"net-idle"}, "pipe-idle": {"ospipe-idle"},
}

// A slot is a place for a peer that has no adapter yet.
type slot struct{ name, why string }

// To fill a slot, require its module in go.mod and write a pinger and a flow as
// in peer_zmq4.go, or write a program as native/zmq.c, and name it in mechanisms
// and in plan.
var slots = []slot{
	{"github.com/cloudwego/shmipc-go", "its module could not be fetched where this was written"},
	{"go.nanomsg.org/mangos/v3", "its module could not be fetched where this was written"},
	{"github.com/james-barrow/golang-ipc", "its module could not be fetched where this was written"},
	{"Aeron", "no package of it was at hand where this was written, and its media driver has to be built from its sources"},
}
