package main

// why explains what is faster than ours at the same work.
func why(g Group, mech string) string {
	if g.Work == Decisions {
		return "A map answers one exact question. Check also weighs every rule about the user and his groups, patterns, and denials that override, and says which rule decided."
	}
	if g.Work == Batched && (mech == "c-unix" || mech == "c-pipe") {
		return "64 KiB go out with one system call, about a thousand messages of a fixed size at a time, without a length. Our batch of 64 is claimed, published and counted on its own; our streams carry a length with each message."
	}
	if g.Work == Streamed {
		return "The receivers of gRPC and drpc use the memory of one message for the next, as ours does only into a buffer (RecvInto). What else, nobody has compared."
	}
	if text := reasons[mech]; text != "" {
		return text
	}
	return "Unknown: nobody has compared their profiles."
}

var reasons = map[string]string{
	"c-line":          "The floor: one word changes hands. No message, no memory for it, nobody else.",
	"c-ring":          "One producer and one consumer, who never sleep, and nothing to clean up: a process that dies holding a slot stops it for ever. Ours takes any number of processes, claims each entry so that a dead one's can be found, counts, and asks whether somebody sleeps.",
	"c-mpmc":          "The same algorithm without an owner for each slot: a process that dies between claiming and publishing stops all others for ever. It also spins instead of sleeping.",
	"c-futex":         "The floor of sleeping: a word and two system calls, no message. Ours adds the entry, the look whether somebody sleeps, and Go's entry into and return from a blocking system call.",
	"c-unix-polled":   "The same system calls, in C and without sleeping: what the kernel takes for them. Messages there have a fixed size, without a length, and no descriptors can come.",
	"c-unix":          "System calls from C block in the kernel. Go's go through the runtime's poller: an attempt that fails with EAGAIN, epoll, and the scheduler's hand-over to the goroutine. Messages there have a fixed size, without a length.",
	"c-pipe":          "As with the AF_UNIX stream: blocking calls from C, messages of a fixed size without a length.",
	"unixconn":        "It does less for each message: no context, no descriptors, no turn among concurrent callers.",
	"unixconn-buffer": "bufio on both sides has no context to watch and no flush when the sender pauses.",
	"ospipe":          "It does less for each message: no context and no turn among concurrent callers.",
	"ospipe-buffer":   "bufio on both sides has no context to watch and no flush when the sender pauses.",
	"boost-mq":        "A mutex and two condition variables in shared memory, and a copy: nothing is recorded that would let a survivor clean up. A process that dies holding the mutex stops all others for ever.",
	"posix-mq":        "The kernel copies and wakes; calls from C block in it, without Go's poller.",
	"sysv-msg":        "The kernel copies and wakes; calls from C block in it, without Go's poller.",
	"libzmq":          "It gathers messages in its own threads and writes many at once, also where ours is asked to deliver each before it returns. What it has not written dies with the process.",
	"nng":             "It hands messages to threads of its own. What they have not written dies with the process.",
	"drpc":            "Its calls have a connection each here, so they are read and written in parallel, without being told apart by number.",
	"file-map":        "Nothing is reserved, so a full file system kills whoever writes later; nothing is checked, and the object is visible before it is whole.",
	"net-object":      "It makes no lock file and asks nobody whether the path is in use: it fails on a socket that a dead process left behind.",
	"ospipe-object":   "No buffers and no turns for concurrent callers.",
	"net-idle":        "It keeps nothing of the peer's identity, and has no buffer for descriptors.",
	"ospipe-idle":     "It has no turns for concurrent callers.",
	"peercred":        "One system call. PeerOf also reads the groups, pins the process by a descriptor, and checks that they fit together.",
	"go-chan":         "A channel lies within one process and is guarded by one lock: nothing to map, nobody to survive.",
	"net-rpc":         "A call in gob is a message each way as well. Ours adds a deadline and cancellation for each call, a code with each error, and a check that the caller may.",
	"ttrpc":           "A call is a message each way as well. Ours adds credit for streams, open files, and a check that the caller may.",
	"grpc":            "It gathers frames of many calls in one write, in goroutines of its own.",
	"zmq4":            "It hands messages to goroutines of its own. What they have not written dies with the process.",
	"py-pipe":         "Blocking system calls, and a length and its message in one write, as ours; no poller and no context.",
	"py-queue":        "A thread feeds the pipe: put returns before the kernel has the message, which dies with the process.",
	"py-connection":   "Blocking system calls, and a length and its message in one write, as ours; no poller and no context.",
	"py-shm":          "It maps the file and nothing else: memory that is truncated or not there kills the process.",
	"ospipe-raw":      "It does less for each call: no turn that ends with a context.",
	"copy":            "Where few bytes move, setting up costs more than the copy saves.",
	"copy-socket":     "Who fills the socket limits it: a splice takes what is there, in pieces as small as the sender's buffers.",
	"iocopy":          "Where few bytes move, setting up costs more than the copy saves.",
	"iocopy-socket":   "It splices as well, through a pipe between, and watches no context.",
	"casbin":          "It compares the request with rules in order, and the first may decide.",
	"casbin-rbac":     "It compares the request with rules in order, and the first may decide.",
	"casbin-cached":   "It looks up the whole request in a map, after the same one was decided before.",
	"c-memcpy":        "WriteAt checks bounds, whether the region is still open, and guards against memory that goes away.",
	"map-idle":        "Only the page itself. Ours keeps what ends waits on Close and turns a fault into an error.",
	"mkfifo-object":   "It checks neither owner, type nor mode, and would hang if the other end never came.",
}
