package main

import (
	"fmt"
	"regexp"
)

// A Group is one table of the report, or one column of a table: mechanisms that
// do the same work, and so are measured one after the other, again and again.
type Group struct {
	Work                 Work
	Size                 int
	Producers, Consumers int
	Many                 int // connections or queues
	Mechs                []string
	Apart                bool   // the two sides are kept on a CPU each
	Deadline             bool   // of each call
	Busy                 bool   // other programs compute, one on each CPU
	Series               string // not empty: a column of the table of that name
	Long                 bool   // left out with -short
}

// Key names the group in -only and in file names.
func (g Group) Key() string {
	if g.Series != "" {
		return fmt.Sprintf("%s-%d/%d", g.Series, g.column(), g.Size)
	}
	k := string(g.Work)
	if g.Producers > 0 {
		k += fmt.Sprintf("-%dx%d", g.Producers, g.Consumers)
	}
	if g.Apart {
		k += "-apart"
	}
	if g.Busy {
		k += "-busy"
	}
	if g.Deadline {
		k += "-deadline"
	}
	return fmt.Sprintf("%s/%d", k, g.Size)
}

// millis is how long a repetition lasts. That of a crowd of consumers takes four times
// as long as others, or waking all of them twice, at the start and for the end of the
// queue, would be much of what is measured.
func (g Group) millis(usual int) int {
	if g.Consumers >= 16 {
		return 4 * usual
	}
	return usual
}

// column is how many there are of what the series is about.
func (g Group) column() int {
	if g.Many > 0 {
		return g.Many
	}
	return g.Consumers
}

// Title is what the report calls it.
func (g Group) Title() string {
	switch {
	case g.Apart:
		g.Apart = false
		return g.Title() + ", a CPU for each side"
	case g.Busy:
		g.Busy = false
		return g.Title() + ", beside programs that compute"
	case g.Deadline:
		g.Deadline = false
		return g.Title() + ", each call with a deadline"
	case g.Series != "":
		return fmt.Sprintf("%s: %d", g.SeriesTitle(), g.column())
	}
	switch g.Work {
	case PingPong:
		return "Round trip, " + sizeText(g.Size)
	case Paced:
		return fmt.Sprintf("Round trip to a process that sleeps, %s", sizeText(g.Size))
	case Asleep:
		return fmt.Sprintf("Round trip, both sides asleep, %s", sizeText(g.Size))
	case OneWay:
		return fmt.Sprintf("One way, %d to %d, %s, a message a call", g.Producers, g.Consumers, sizeText(g.Size))
	case Batched:
		return fmt.Sprintf("One way, %d to %d, %s, batched or coalesced", g.Producers, g.Consumers, sizeText(g.Size))
	case Streamed:
		return fmt.Sprintf("One way, over the stream of a call, %s", sizeText(g.Size))
	case InFlight:
		return fmt.Sprintf("Calls with %d in flight, %s", flying, sizeText(g.Size))
	case Uncontended:
		return "Put and get in one process, nobody else there, " + sizeText(g.Size)
	case Relay:
		return "Into a pipe that another process drains, " + sizeText(g.Size) + " in pieces of 64 KiB"
	case Reading:
		return fmt.Sprintf("Reading a policy of %d rules", g.Size)
	case Identity:
		return "Who is at the other end of a connection"
	case Objects:
		return "The life of an object, " + sizeText(g.Size) + " of memory or what it has by default"
	case Idle:
		return fmt.Sprintf("Memory of the process for each of %d idle objects", g.Size)
	case Decisions:
		return fmt.Sprintf("A decision among %d rules", g.Size)
	}
	return fmt.Sprintf("Copies into shared memory, %s", sizeText(g.Size))
}

// SeriesTitle is what the report calls the table of which the group is a column.
func (g Group) SeriesTitle() string {
	if g.Work == Many {
		return fmt.Sprintf("Round trip over the next of many %s, %s", g.Series, sizeText(g.Size))
	}
	return fmt.Sprintf("One way to many %s, %s, a message a call", g.Series, sizeText(g.Size))
}

// Rates reports whether the group measures how many a second, not how long.
func (g Group) Rates() bool {
	return g.Work == OneWay || g.Work == Batched || g.Work == Streamed || g.Work == InFlight || g.Work == Memory
}

// Here reports whether the group is about one process alone.
func (g Group) Here() bool {
	switch g.Work {
	case Decisions, Uncontended, Reading, Identity, Objects:
		return true
	}
	return false
}

func sizeText(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}

// groups returns all of them, in the order of the report.
func groups() []Group {
	calls := []string{"rpc", "rpc-spin", "rpc-shared", "net-rpc", "ttrpc", "drpc", "grpc"}
	calledStreams := []string{"rpc", "rpc-shared", "ttrpc", "drpc", "drpc-gather", "grpc"}
	trips := append([]string{"c-line", "c-futex", "c-ring", "c-unix", "c-unix-polled", "c-pipe", "queue", "socket", "socket-spin", "socket-shared", "pipe",
		"unixconn", "ospipe", "boost-mq", "posix-mq", "sysv-msg", "libzmq", "nng", "zmq4", "py-pipe", "py-queue", "py-connection"}, calls...)
	apart := append([]string{"c-line", "c-futex", "c-ring", "c-unix", "c-unix-polled", "c-pipe", "queue", "socket", "socket-spin", "socket-shared", "pipe",
		"unixconn", "ospipe", "boost-mq", "posix-mq"}, calls...)
	longTrips := append([]string{"rpc-reuse", "shared-reuse"}, trips[2:]...)
	asleep := []string{"c-futex", "c-unix", "c-pipe", "queue", "socket", "socket-shared", "pipe", "unixconn", "ospipe", "boost-mq"}
	oneWay := []string{"c-ring", "c-unix", "c-pipe", "queue", "queue-lease", "queue-in-place", "socket", "socket-shared", "pipe", "pipe-raw",
		"unixconn", "ospipe", "ospipe-raw", "boost-mq", "posix-mq", "sysv-msg", "libzmq", "nng", "zmq4", "py-pipe", "py-queue"}
	oneWayApart := []string{"c-ring", "c-unix", "c-pipe", "queue", "queue-lease", "queue-in-place", "socket", "socket-shared", "pipe", "pipe-raw",
		"unixconn", "ospipe", "ospipe-raw", "boost-mq", "posix-mq"}
	streams := []string{"c-unix", "c-pipe", "queue", "queue-in-place", "socket", "socket-shared", "pipe", "pipe-raw", "unixconn", "ospipe", "ospipe-raw", "boost-mq"}
	batched := []string{"c-ring", "c-unix", "c-pipe", "queue-batch", "socket-buffer", "shared-buffer", "pipe-buffer", "unixconn-buffer", "ospipe-buffer"}
	busy := []string{"c-futex", "c-ring", "c-unix", "c-pipe", "queue", "socket", "socket-spin", "socket-shared", "pipe", "rpc", "rpc-shared", "unixconn", "ospipe",
		"boost-mq", "posix-mq", "sysv-msg", "py-connection", "net-rpc", "ttrpc", "drpc", "grpc"}
	busyOneWay := []string{"c-ring", "c-unix", "c-pipe", "queue", "queue-lease", "socket", "socket-shared", "pipe", "unixconn", "ospipe", "boost-mq", "posix-mq", "sysv-msg"}
	many := []string{"c-mpmc", "queue", "queue-lease", "boost-mq", "posix-mq", "sysv-msg", "py-queue"}
	all := []Group{
		{Work: Memory, Size: 64 << 10, Mechs: []string{"c-memcpy", "shm", "py-shm"}},
		{Work: Memory, Size: 1 << 20, Mechs: []string{"c-memcpy", "shm", "py-shm"}},
		{Work: PingPong, Size: 64, Mechs: trips},
		{Work: PingPong, Size: 64, Apart: true, Mechs: apart},
		{Work: PingPong, Size: 64, Busy: true, Mechs: busy},
		{Work: PingPong, Size: 64, Deadline: true, Mechs: []string{"rpc-timeout", "rpc", "ttrpc", "drpc", "grpc"}, Long: true},
		{Work: PingPong, Size: 1 << 10, Mechs: trips[2:], Long: true},
		{Work: PingPong, Size: 16 << 10, Mechs: trips[2:], Long: true},
		{Work: PingPong, Size: 256 << 10, Mechs: longTrips, Long: true},
		{Work: PingPong, Size: 1 << 20, Mechs: longTrips, Long: true},
		{Work: Paced, Size: 64, Mechs: []string{"c-line", "c-futex", "c-unix", "queue", "socket", "socket-shared", "pipe", "rpc", "rpc-shared", "unixconn", "ospipe", "boost-mq", "ttrpc", "grpc"}},
		{Work: Asleep, Size: 64, Mechs: asleep},
		{Work: Asleep, Size: 1 << 10, Mechs: asleep[1:], Long: true},
		{Work: Asleep, Size: 16 << 10, Mechs: asleep[1:], Long: true},
		{Work: Asleep, Size: 256 << 10, Mechs: asleep[1:], Long: true},
		{Work: Asleep, Size: 1 << 20, Mechs: asleep[1:], Long: true},
		{Work: OneWay, Size: 64, Producers: 1, Consumers: 1, Mechs: oneWay},
		{Work: Batched, Size: 64, Producers: 1, Consumers: 1, Mechs: batched},
		{Work: OneWay, Size: 64, Producers: 1, Consumers: 1, Apart: true, Mechs: oneWayApart},
		{Work: Batched, Size: 64, Producers: 1, Consumers: 1, Apart: true, Mechs: batched},
		{Work: OneWay, Size: 64, Producers: 1, Consumers: 1, Busy: true, Mechs: busyOneWay},
		{Work: OneWay, Size: 1 << 10, Producers: 1, Consumers: 1, Mechs: oneWay},
		{Work: Batched, Size: 1 << 10, Producers: 1, Consumers: 1, Mechs: batched, Long: true},
		{Work: OneWay, Size: 4 << 10, Producers: 1, Consumers: 1, Mechs: streams},
		{Work: OneWay, Size: 64 << 10, Producers: 1, Consumers: 1, Mechs: oneWay},
		{Work: OneWay, Size: 1 << 20, Producers: 1, Consumers: 1, Mechs: streams},
		{Work: OneWay, Size: 64, Producers: 2, Consumers: 2, Mechs: many},
		{Work: OneWay, Size: 1 << 10, Producers: 2, Consumers: 2, Mechs: many},
		{Work: OneWay, Size: 64, Producers: 4, Consumers: 4, Mechs: many, Long: true},
		{Work: OneWay, Size: 1 << 10, Producers: 4, Consumers: 4, Mechs: many, Long: true},
	}
	for _, n := range []int{1, 4, 16, 64} {
		all = append(all, Group{Work: OneWay, Size: 64, Producers: 1, Consumers: n, Series: "consumers",
			Mechs: []string{"queue", "queue-lease", "boost-mq", "posix-mq"}, Long: n == 4 || n == 16})
	}
	for _, n := range []int{1, 10, 100, 1000, 10000} {
		all = append(all, Group{Work: Many, Size: 64, Many: n, Series: "connections",
			Mechs: []string{"socket", "rpc", "unixconn", "ttrpc"}, Long: n != 1 && n != 1000})
	}
	for _, n := range []int{1, 10, 100, 1000} {
		all = append(all, Group{Work: Many, Size: 64, Many: n, Series: "queues", Mechs: []string{"queue"}, Long: n == 10 || n == 1000})
	}
	all = append(all,
		Group{Work: InFlight, Size: 64, Mechs: calls},
		Group{Work: InFlight, Size: 64, Deadline: true, Mechs: []string{"rpc-timeout", "rpc", "ttrpc", "drpc", "grpc"}},
		Group{Work: InFlight, Size: 1 << 10, Mechs: calls, Long: true},
		Group{Work: InFlight, Size: 64 << 10, Mechs: append([]string{"rpc-reuse", "shared-reuse"}, calls...), Long: true},
		Group{Work: Streamed, Size: 64, Producers: 1, Consumers: 1, Mechs: calledStreams},
		Group{Work: Streamed, Size: 1 << 10, Producers: 1, Consumers: 1, Mechs: calledStreams},
		Group{Work: Streamed, Size: 64 << 10, Producers: 1, Consumers: 1, Mechs: append([]string{"rpc-reuse", "shared-reuse"}, calledStreams...), Long: true},
		Group{Work: Relay, Size: 16 << 20, Mechs: []string{"relay", "copy", "iocopy", "relay-socket", "copy-socket", "iocopy-socket"}},
		Group{Work: Uncontended, Size: 64, Mechs: []string{"go-chan", "c-mpmc", "queue-local", "queue-local-in-place", "boost-mq", "posix-mq", "sysv-msg"}})
	for _, rules := range []int{10, 1000, 10000} {
		all = append(all, Group{Work: Decisions, Size: rules, Mechs: []string{"go-map", "acl", "casbin", "casbin-rbac", "casbin-cached"}})
	}
	return append(all,
		Group{Work: Reading, Size: 10000, Mechs: []string{"acl-parse"}},
		Group{Work: Identity, Mechs: []string{"acl-peer", "peercred"}},
		Group{Work: Objects, Size: 64 << 10, Mechs: []string{"shm-object", "file-map", "py-shm", "queue-object", "boost-mq", "posix-mq", "sysv-msg",
			"socket-object", "net-object", "fifo-object", "mkfifo-object", "pair-object", "pipe-object", "ospipe-object"}},
		Group{Work: Idle, Size: 1000, Mechs: []string{"socket-idle", "net-idle", "pipe-idle", "ospipe-idle", "queue-idle", "shm-idle", "map-idle"}})
}

// plan returns the groups that a run measures: those of -short, and the
// mechanisms whose "group/mechanism" only matches.
func plan(short bool, only *regexp.Regexp) []Group {
	var kept []Group
	for _, g := range groups() {
		if short && g.Long {
			continue
		}
		var mechs []string
		for _, m := range g.Mechs {
			if only == nil || only.MatchString(g.Key()+"/"+m) {
				mechs = append(mechs, m)
			}
		}
		if g.Mechs = mechs; len(mechs) > 0 {
			kept = append(kept, g)
		}
	}
	return kept
}
