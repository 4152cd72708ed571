package main

import (
	"fmt"
	"math"
	"slices"
)

// A target is a figure that the modules are built to reach. Ratios are of
// medians of this run; targets without a peer are absolute.
type target struct {
	what string
	// value returns the figure, NaN if a part of it was not measured.
	value  func(*Report) float64
	least  float64 // the target: at least this much, or, if that is 0,
	most   float64 // at most this much
	format func(float64) string

	floor     func(*Report) float64 // what to see an absolute target beside; nil: nothing
	floorName string
	there     float64 // what the floor took on the machine where the target was set; 0: not known
}

// context is the floor of an absolute target.
func (t target) context(r *Report) string {
	if t.floor == nil {
		return ""
	}
	return fmt.Sprintf(" (%s: %s)", t.floorName, t.format(t.floor(r)))
}

// text is the figure, and what single repetitions gave if they differ.
func (t target) text(v float64, each []float64) string {
	s, text := spread(each), t.format(v)
	least, most := t.format(s.Min), t.format(s.Max)
	if len(each) < 2 || least == most {
		return text
	}
	return fmt.Sprintf("%s (%s – %s)", text, least, most)
}

// verdict says whether the figure is as it should be: in itself, or else in
// proportion to the floor, which this machine moves as it moves the figure. each is what
// single repetitions gave.
func (t target) verdict(r *Report, v float64, each []float64) string {
	if t.reached(v) {
		return "reached"
	}
	if t.there == 0 {
		missed := slices.DeleteFunc(slices.Clone(each), t.reached)
		if n := len(each) - len(missed); n > 0 {
			return fmt.Sprintf("**missed**, reached in %d of %d repetitions", n, len(each))
		}
		return "**missed**"
	}
	proportion := t
	proportion.least, proportion.most = t.least/t.there, t.most/t.there
	share := v / t.floor(r)
	if math.IsNaN(share) {
		return "**missed**"
	}
	text := fmt.Sprintf("%.2fx the floor, where %.2fx is wanted", share, max(proportion.least, proportion.most))
	if proportion.reached(share) {
		return "reached in proportion: " + text
	}
	return "**missed**: " + text
}

// reached reports whether the figure is as it should be.
// As it is printed: 1.004 is at most 1.00.
func (t target) reached(v float64) bool {
	round := func(v float64) float64 { return math.Round(v*100) / 100 }
	if t.least > 0 {
		return round(v) >= round(t.least)
	}
	return round(v) <= round(t.most)
}

func (t target) wanted() string {
	if t.least > 0 {
		return "at least " + t.format(t.least)
	}
	return "at most " + t.format(t.most)
}

func times(v float64) string  { return fmt.Sprintf("%.2fx", v) }
func allocs(v float64) string { return fmt.Sprintf("%.2f", v) }

func p50(key, mech string) func(*Report) float64 {
	return func(r *Report) float64 { return r.median(key, mech, func(s Result) float64 { return s.P50 }) }
}

func rate(key, mech string) func(*Report) float64 {
	return func(r *Report) float64 { return r.median(key, mech, func(s Result) float64 { return s.Rate }) }
}

func allocations(key, mech string) func(*Report) float64 {
	return func(r *Report) float64 { return r.median(key, mech, func(s Result) float64 { return s.Allocs }) }
}

func ratio(a, b func(*Report) float64) func(*Report) float64 {
	return func(r *Report) float64 { return a(r) / b(r) }
}

// best returns the largest of rates, or the smallest of times, of those that were
// measured.
func best(smallest bool, of ...func(*Report) float64) func(*Report) float64 {
	return func(r *Report) float64 {
		v := math.NaN()
		for _, f := range of {
			if x := f(r); math.IsNaN(v) || !math.IsNaN(x) && (x < v) == smallest {
				v = x
			}
		}
		return v
	}
}

// The targets of each module, in the words of what it was built for. Where one is
// absolute, it was set on another machine, and the floor of this one is beside it, with
// what that floor took there where it is known.
func targets() []target {
	return slices.Concat(queueTargets(), socketTargets(), rpcTargets(), pipeTargets(), aclTargets())
}

func queueTargets() []target {
	// against is a rate as a multiple of Boost's at the same work.
	against := func(key, mech string) func(*Report) float64 { return ratio(rate(key, mech), rate(key, "boost-mq")) }
	return []target{
		{what: "queue, 64 B, put and get with nobody else there", value: p50("uncontended/64", "queue-local"), most: 60, format: timeText, floor: p50("uncontended/64", "c-mpmc"), floorName: "Vyukov's ring in C"},
		{what: "queue, 64 B, one to one, against Boost", value: against("one-way-1x1/64", "queue"), least: 3, format: times},
		{what: "queue, 64 B, one to one, a CPU for each side, against Boost", value: against("one-way-1x1-apart/64", "queue"), least: 3, format: times},
		{what: "queue, 64 B, one to one", value: rate("one-way-1x1/64", "queue"), least: 21e6, format: rateText, floor: rate("one-way-1x1/64", "c-ring"), floorName: "the ring in C", there: 33e6},
		{what: "queue, 1 KiB, one to one, against Boost", value: against("one-way-1x1/1024", "queue"), least: 3, format: times},
		{what: "queue, 64 KiB, one to one, with copies, against Boost", value: against("one-way-1x1/65536", "queue"), least: 2, format: times},
		{what: "queue, 64 KiB, one to one, in place, against Boost", value: against("one-way-1x1/65536", "queue-in-place"), least: 2, format: times},
		{what: "queue, 64 B, two to two, against Boost", value: against("one-way-2x2/64", "queue"), least: 4, format: times},
		{what: "queue, 64 B, two to two", value: rate("one-way-2x2/64", "queue"), least: 20e6, format: rateText, floor: rate("one-way-2x2/64", "c-mpmc"), floorName: "Vyukov's ring in C", there: 72e6},
		{what: "queue, 64 B, batches of 64 (twice Aeron's 56 M/s)", value: rate("batched-1x1/64", "queue-batch"), least: 112e6, format: rateText, floor: rate("batched-1x1/64", "c-ring"), floorName: "the ring in C", there: 165e6},
		{what: "queue, 64 B, batches of 64 (twice Aeron's 56 M/s), a CPU for each side", value: rate("batched-1x1-apart/64", "queue-batch"), least: 112e6, format: rateText, floor: rate("batched-1x1-apart/64", "c-ring"), floorName: "the ring in C", there: 165e6},
		{what: "queue, 64 B, round trip, spinning, p50", value: p50("ping-pong/64", "queue"), most: 300, format: timeText, floor: p50("ping-pong/64", "c-ring"), floorName: "the ring in C", there: 130},
		{what: "queue, 64 B, round trip, spinning, a CPU for each side, p50", value: p50("ping-pong-apart/64", "queue"), most: 300, format: timeText, floor: p50("ping-pong-apart/64", "c-ring"), floorName: "the ring in C", there: 130},
		{what: "queue, 64 B, round trip, both sides asleep, p50, against a futex in C", value: ratio(p50("asleep/64", "queue"), p50("asleep/64", "c-futex")), most: 1.25, format: times},
		{what: "queue, 64 B, round trip to a process that sleeps, p50, against a futex in C", value: ratio(p50("paced/64", "queue"), p50("paced/64", "c-futex")), most: 1.25, format: times},
		{what: "queue, 64 B, round trip beside programs that compute, p50, against a futex in C", value: ratio(p50("ping-pong-busy/64", "queue"), p50("ping-pong-busy/64", "c-futex")), most: 1.25, format: times},
		{what: "queue, 64 B, allocations of Put and GetInto", value: allocations("ping-pong/64", "queue"), most: 0, format: allocs},
		{what: "queue, 64 B, allocations of Reserve and Lease", value: allocations("uncontended/64", "queue-local-in-place"), most: 0, format: allocs},
		// "Does not collapse" has no figure; this is ours.
		{what: "queue, 64 B, one producer, 64 consumers against 1", value: ratio(rate("consumers-64/64", "queue"), rate("consumers-1/64", "queue")), least: 0.5, format: times},
	}
}

func socketTargets() []target {
	return []target{
		{what: "socket, 64 B, round trip, p50, against net.UnixConn", value: ratio(p50("ping-pong/64", "socket"), p50("ping-pong/64", "unixconn")), most: 1, format: times},
		{what: "socket with Spin, 64 B, round trip: how many times faster than net.UnixConn", value: ratio(p50("ping-pong/64", "unixconn"), p50("ping-pong/64", "socket-spin")), least: 3, format: times, floor: ratio(p50("ping-pong/64", "unixconn"), p50("ping-pong/64", "c-unix-polled")), floorName: "AF_UNIX in C, polled"},
		{what: "socket with Spin, 64 B, round trip, a CPU for each side: how many times faster than net.UnixConn", value: ratio(p50("ping-pong-apart/64", "unixconn"), p50("ping-pong-apart/64", "socket-spin")), least: 3, format: times, floor: ratio(p50("ping-pong-apart/64", "unixconn"), p50("ping-pong-apart/64", "c-unix-polled")), floorName: "AF_UNIX in C, polled"},
		{what: "socket with SharedBuffer, 64 B, round trip: how many times faster than net.UnixConn", value: ratio(p50("ping-pong/64", "unixconn"), p50("ping-pong/64", "socket-shared")), least: 3, format: times},
		{what: "socket with SharedBuffer, 64 B, round trip, a CPU for each side: how many times faster than net.UnixConn", value: ratio(p50("ping-pong-apart/64", "unixconn"), p50("ping-pong-apart/64", "socket-shared")), least: 3, format: times},
		{what: "socket with SharedBuffer, 64 B, one way, a message a call, against net.UnixConn", value: ratio(rate("one-way-1x1/64", "socket-shared"), rate("one-way-1x1/64", "unixconn")), least: 3, format: times},
		{what: "socket, 64 B, coalesced, against net.UnixConn with a write a message", value: ratio(rate("batched-1x1/64", "socket-buffer"), rate("one-way-1x1/64", "unixconn")), least: 20, format: times},
		{what: "socket, 64 B, coalesced", value: rate("batched-1x1/64", "socket-buffer"), least: 15e6, format: rateText, floor: rate("batched-1x1/64", "c-unix"), floorName: "AF_UNIX in C, 64 KiB a write", there: 125e6},
		{what: "socket, 1 MiB, against net.UnixConn", value: ratio(rate("one-way-1x1/1048576", "socket"), rate("one-way-1x1/1048576", "unixconn")), least: 2, format: times, floor: ratio(rate("one-way-1x1/1048576", "c-unix"), rate("one-way-1x1/1048576", "unixconn")), floorName: "AF_UNIX in C"},
		{what: "socket with SharedBuffer, 1 MiB, against net.UnixConn", value: ratio(rate("one-way-1x1/1048576", "socket-shared"), rate("one-way-1x1/1048576", "unixconn")), least: 2, format: times},
		{what: "socket with SharedBuffer, 64 B, coalesced, against net.UnixConn with a write a message", value: ratio(rate("batched-1x1/64", "shared-buffer"), rate("one-way-1x1/64", "unixconn")), least: 20, format: times},
		{what: "socket with SharedBuffer, 64 B, allocations of a round trip", value: allocations("ping-pong/64", "socket-shared"), most: 0, format: allocs},
		{what: "socket, 64 B, allocations of a round trip", value: allocations("ping-pong/64", "socket"), most: 0, format: allocs},
		{what: "socket, memory of an idle connection among 1,000", value: func(r *Report) float64 {
			return r.median("idle/1000", "socket-idle", func(s Result) float64 { return s.Bytes })
		}, most: 16 << 10, format: bytesText},
		{what: "socket, who is at the other end (once per connection)", value: p50("identity/0", "acl-peer"), most: 20e3, format: timeText, floor: p50("identity/0", "peercred"), floorName: "SO_PEERCRED alone", there: 305},
	}
}

func rpcTargets() []target {
	peers := []string{"net-rpc", "ttrpc", "drpc", "grpc"}
	fastest := func(smallest bool, of func(key, mech string) func(*Report) float64, key string) func(*Report) float64 {
		var all []func(*Report) float64
		for _, peer := range peers {
			all = append(all, of(key, peer))
		}
		return best(smallest, all...)
	}
	var all []target
	for _, mech := range []string{"rpc", "rpc-spin", "rpc-shared"} {
		label := mechanisms[mech].label
		for _, peer := range peers {
			all = append(all, target{what: fmt.Sprintf("%s, 64 B, round trip: how many times faster than %s", label, mechanisms[peer].label),
				value: ratio(p50("ping-pong/64", peer), p50("ping-pong/64", mech)), least: 3, format: times})
		}
		all = append(all,
			target{what: label + ", 64 B, round trip, a CPU for each side: how many times faster than the best peer",
				value: ratio(fastest(true, p50, "ping-pong-apart/64"), p50("ping-pong-apart/64", mech)), least: 3, format: times},
			target{what: label + ", 64 B, 64 in flight, against the best peer", value: ratio(rate("in-flight/64", mech), fastest(false, rate, "in-flight/64")), least: 3, format: times},
			target{what: label + ", 64 B, 64 in flight", value: rate("in-flight/64", mech), least: 1.5e6, format: rateText,
				floor: fastest(false, rate, "in-flight/64"), floorName: "the best peer", there: 0.49e6})
	}
	for _, size := range []int{64, 1 << 10} {
		key := fmt.Sprintf("streamed-1x1/%d", size)
		for _, mech := range []string{"rpc", "rpc-shared"} {
			all = append(all, target{what: fmt.Sprintf("%s, %s, over the stream of a call, against the best peer", mechanisms[mech].label, sizeText(size)),
				value: ratio(rate(key, mech), best(false, fastest(false, rate, key), rate(key, "drpc-gather"))), least: 1, format: times})
		}
	}
	all = append(all, target{what: "socket/rpc, 64 B, round trip beside programs that compute: how many times faster than the best peer",
		value: ratio(fastest(true, p50, "ping-pong-busy/64"), p50("ping-pong-busy/64", "rpc")), least: 1, format: times})
	return append(all, target{what: "socket/rpc, 64 B, allocations of a call, the caller's side", value: allocations("ping-pong/64", "rpc"), most: 2, format: allocs})
}

func pipeTargets() []target {
	var all []target
	for _, size := range []int{64, 4 << 10, 64 << 10, 1 << 20} {
		key := fmt.Sprintf("one-way-1x1/%d", size)
		all = append(all,
			target{what: fmt.Sprintf("pipe, %s, messages, against os.Pipe with a length prefix", sizeText(size)), value: ratio(rate(key, "pipe"), rate(key, "ospipe")), least: 1, format: times},
			target{what: fmt.Sprintf("pipe, %s, bytes, against os.Pipe with a length prefix", sizeText(size)), value: ratio(rate(key, "pipe-raw"), rate(key, "ospipe")), least: 1, format: times},
			target{what: fmt.Sprintf("pipe, %s, bytes, against os.Pipe without one", sizeText(size)), value: ratio(rate(key, "pipe-raw"), rate(key, "ospipe-raw")), least: 1, format: times})
	}
	all = append(all, target{what: "pipe, 64 B, coalesced, against os.Pipe with a write a message", value: ratio(rate("batched-1x1/64", "pipe-buffer"), rate("one-way-1x1/64", "ospipe")), least: 10, format: times})
	for _, trip := range []struct{ key, what string }{{"ping-pong/64", ""}, {"ping-pong-apart/64", ", a CPU for each side"}, {"paced/64", " to a process that sleeps"}, {"asleep/64", ", both sides asleep"}} {
		all = append(all, target{what: "pipe, 64 B, round trip" + trip.what + ", p50, against os.Pipe", value: ratio(p50(trip.key, "pipe"), p50(trip.key, "ospipe")), most: 1, format: times})
	}
	return append(all,
		target{what: "pipe, Relay of a file, against io.Copy through user space", value: ratio(p50("relay/16777216", "copy"), p50("relay/16777216", "relay")), least: 2, format: times},
		target{what: "pipe, Relay of a socket, against io.Copy through user space", value: ratio(p50("relay/16777216", "copy-socket"), p50("relay/16777216", "relay-socket")), least: 2, format: times},
		target{what: "pipe, Relay of a socket, against io.Copy as it is, which splices", value: ratio(p50("relay/16777216", "iocopy-socket"), p50("relay/16777216", "relay-socket")), least: 1, format: times})
}

func aclTargets() []target {
	var all []target
	there := map[int]float64{10: 28, 1000: 28, 10000: 54}
	for _, rules := range []int{10, 1000, 10000} {
		key := fmt.Sprintf("decision/%d", rules)
		all = append(all,
			target{what: fmt.Sprintf("acl, Check among %d rules", rules), value: p50(key, "acl"), most: 100, format: timeText, floor: p50(key, "go-map"), floorName: "a Go map", there: there[rules]},
			target{what: fmt.Sprintf("acl, allocations of Check among %d rules", rules), value: allocations(key, "acl"), most: 0, format: allocs})
	}
	return append(all, target{what: "acl, parsing 10,000 rules", value: p50("reading/10000", "acl-parse"), most: 50e6, format: timeText})
}
