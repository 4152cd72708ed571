package main

import (
	"fmt"
	"regexp"
)

// A Group is one table of the report: mechanisms that do the same work, and so
// are measured one after the other, again and again.
type Group struct {
	Work                 Work
	Size                 int
	Producers, Consumers int
	Mechs                []string
	Apart                bool // the two sides are kept on a CPU each
	Long                 bool // left out with -short
}

// Key names the group in -only and in file names.
func (g Group) Key() string {
	k := string(g.Work)
	if g.Producers > 0 {
		k += fmt.Sprintf("-%dx%d", g.Producers, g.Consumers)
	}
	if g.Apart {
		k += "-apart"
	}
	return fmt.Sprintf("%s/%d", k, g.Size)
}

// Title is what the report calls it.
func (g Group) Title() string {
	if g.Apart {
		g.Apart = false
		return g.Title() + ", a CPU for each side"
	}
	switch g.Work {
	case PingPong:
		return "Round trip, " + sizeText(g.Size)
	case Paced:
		return fmt.Sprintf("Round trip to a process that sleeps, %s", sizeText(g.Size))
	case OneWay:
		return fmt.Sprintf("One way, %d to %d, %s, a message a call", g.Producers, g.Consumers, sizeText(g.Size))
	case Batched:
		return fmt.Sprintf("One way, %d to %d, %s, batched or coalesced", g.Producers, g.Consumers, sizeText(g.Size))
	case InFlight:
		return fmt.Sprintf("Calls with %d in flight, %s", flying, sizeText(g.Size))
	case Uncontended:
		return "Put and get in one process, nobody else there, " + sizeText(g.Size)
	case Relay:
		return "A file into a pipe that another process drains, " + sizeText(g.Size) + " in pieces of 64 KiB"
	case Reading:
		return fmt.Sprintf("Reading a policy of %d rules", g.Size)
	case Identity:
		return "Who is at the other end of a connection"
	case Objects:
		return "Making and removing an object, " + sizeText(g.Size) + " of memory or what it has by default"
	case Idle:
		return fmt.Sprintf("Memory of the process for each of %d idle objects", g.Size)
	case Decisions:
		return fmt.Sprintf("A decision among %d rules", g.Size)
	}
	return fmt.Sprintf("memcpy, %s", sizeText(g.Size))
}

// Rates reports whether the group measures how many a second, not how long.
func (g Group) Rates() bool {
	return g.Work == OneWay || g.Work == Batched || g.Work == InFlight || g.Work == Memory
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

// plan returns the groups, the mechanisms of each in the order of the report.
// only limits them to those whose "group/mechanism" it matches.
func plan(short bool, only *regexp.Regexp) []Group {
	calls := []string{"rpc", "rpc-spin", "net-rpc", "ttrpc", "drpc", "grpc"}
	trips := append([]string{"c-line", "c-futex", "c-ring", "c-unix", "c-pipe", "queue", "socket", "socket-spin", "pipe",
		"unixconn", "ospipe", "boost-mq", "posix-mq", "sysv-msg", "libzmq", "nng", "zmq4", "py-pipe", "py-queue", "py-connection"}, calls...)
	oneWay := []string{"c-ring", "c-unix", "c-pipe", "queue", "queue-lease", "queue-in-place", "socket", "pipe",
		"unixconn", "ospipe", "boost-mq", "posix-mq", "sysv-msg", "libzmq", "nng", "zmq4", "py-pipe", "py-queue"}
	batched := []string{"c-ring", "c-unix", "c-pipe", "queue-batch", "socket-buffer", "pipe-buffer", "unixconn-buffer", "ospipe-buffer"}
	twoByTwo := []string{"c-mpmc", "queue", "queue-lease", "boost-mq", "posix-mq", "sysv-msg", "py-queue"}
	groups := []Group{
		{Work: Memory, Size: 64 << 10, Mechs: []string{"c-memcpy"}},
		{Work: Memory, Size: 1 << 20, Mechs: []string{"c-memcpy"}},
		{Work: PingPong, Size: 64, Mechs: trips},
		{Work: PingPong, Size: 64, Apart: true, Mechs: append([]string{"c-line", "c-futex", "c-ring", "c-unix", "c-pipe", "queue", "socket", "socket-spin", "pipe", "unixconn", "ospipe", "boost-mq", "posix-mq"}, calls...)},
		{Work: PingPong, Size: 1 << 10, Mechs: trips[2:], Long: true},
		{Work: PingPong, Size: 16 << 10, Mechs: trips[2:], Long: true},
		{Work: PingPong, Size: 64 << 10, Mechs: trips[2:], Long: true},
		{Work: PingPong, Size: 256 << 10, Mechs: trips[2:], Long: true},
		{Work: PingPong, Size: 1 << 20, Mechs: trips[2:], Long: true},
		{Work: Paced, Size: 64, Mechs: []string{"c-line", "c-futex", "c-unix", "queue", "socket", "pipe", "rpc", "unixconn", "ospipe", "boost-mq", "ttrpc", "grpc"}},
		{Work: OneWay, Size: 64, Producers: 1, Consumers: 1, Mechs: oneWay},
		{Work: Batched, Size: 64, Producers: 1, Consumers: 1, Mechs: batched},
		{Work: OneWay, Size: 64, Producers: 1, Consumers: 1, Apart: true, Mechs: []string{"c-ring", "c-unix", "c-pipe", "queue", "queue-lease", "queue-in-place", "socket", "pipe", "unixconn", "ospipe", "boost-mq", "posix-mq"}},
		{Work: Batched, Size: 64, Producers: 1, Consumers: 1, Apart: true, Mechs: batched},
		{Work: OneWay, Size: 1 << 10, Producers: 1, Consumers: 1, Mechs: oneWay},
		{Work: Batched, Size: 1 << 10, Producers: 1, Consumers: 1, Mechs: batched, Long: true},
		{Work: OneWay, Size: 64 << 10, Producers: 1, Consumers: 1, Mechs: oneWay},
		{Work: OneWay, Size: 1 << 20, Producers: 1, Consumers: 1, Mechs: []string{"c-unix", "c-pipe", "queue", "queue-in-place", "socket", "pipe", "unixconn", "ospipe", "boost-mq"}},
		{Work: OneWay, Size: 64, Producers: 2, Consumers: 2, Mechs: twoByTwo},
		{Work: OneWay, Size: 1 << 10, Producers: 2, Consumers: 2, Mechs: twoByTwo},
		{Work: OneWay, Size: 64, Producers: 4, Consumers: 4, Mechs: twoByTwo, Long: true},
		{Work: InFlight, Size: 64, Mechs: calls},
		{Work: InFlight, Size: 1 << 10, Mechs: calls, Long: true},
		{Work: InFlight, Size: 64 << 10, Mechs: calls, Long: true},
		{Work: Relay, Size: 16 << 20, Mechs: []string{"relay", "copy"}},
	}
	groups = append(groups, Group{Work: Uncontended, Size: 64, Mechs: []string{"go-chan", "queue-local"}})
	for _, rules := range []int{10, 1000, 10000} {
		groups = append(groups, Group{Work: Decisions, Size: rules, Mechs: []string{"go-map", "acl", "casbin", "casbin-rbac", "casbin-cached"}})
	}
	groups = append(groups,
		Group{Work: Reading, Size: 10000, Mechs: []string{"acl-parse"}},
		Group{Work: Identity, Mechs: []string{"acl-peer", "peercred"}},
		Group{Work: Objects, Size: 64 << 10, Mechs: []string{"file-map", "shm-object", "queue-object", "socket-object", "net-object", "pair-object", "pipe-object", "ospipe-object"}},
		Group{Work: Idle, Size: 1000, Mechs: []string{"socket-idle", "net-idle", "pipe-idle", "ospipe-idle", "queue-idle"}})
	var kept []Group
	for _, g := range groups {
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
