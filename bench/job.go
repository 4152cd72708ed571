package main

import (
	"context"
	"time"
)

// Job is one repetition of one measurement, as its processes are told.
//
//	coordinator ──▶ driver ──▶ server                      round trips
//	                       ──▶ producers, consumers        one way
//
// The driver is a process of its own for every repetition, and so is each of
// the others. Programs in C, C++ and Python are their own drivers.
type Job struct {
	Mech      string `json:"mech"`
	Work      Work   `json:"work"`
	Size      int    `json:"size"` // of a message in bytes; for decisions, the number of rules
	Producers int    `json:"producers,omitempty"`
	Consumers int    `json:"consumers,omitempty"`
	Many      int    `json:"many,omitempty"`     // connections or queues between the two sides
	Apart     bool   `json:"apart,omitempty"`    // the two sides have a CPU each
	Busy      bool   `json:"busy,omitempty"`     // beside programs that compute
	Deadline  bool   `json:"deadline,omitempty"` // each call has one
	Millis    int    `json:"millis"`             // for how long to measure
	Dir       string `json:"dir,omitempty"`      // for sockets, removed afterwards; not in results
	Name      string `json:"name,omitempty"`     // for objects in shared memory, removed afterwards; not in results
}

// context is that of a call: one that does not end, or one of the call's own with a
// deadline that it does not meet.
func (j *Job) context() (context.Context, context.CancelFunc) {
	if !j.Deadline {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Minute)
}

// Work is what the processes do.
type Work string

const (
	PingPong    Work = "ping-pong"   // a message there and back, again and again
	Paced       Work = "paced"       // the same, with a pause before each in which the other side falls asleep
	Asleep      Work = "asleep"      // the same, and the other side pauses before it answers, so both sleep
	Many        Work = "many"        // round trips, each over the next one of many connections or queues
	OneWay      Work = "one-way"     // as many messages as possible, one a call
	Batched     Work = "batched"     // the same, many a call or coalesced
	Streamed    Work = "streamed"    // the same over the stream of one call
	InFlight    Work = "in-flight"   // round trips, 64 under way at a time
	Decisions   Work = "decision"    // answers to "may he?", in one process
	Uncontended Work = "uncontended" // a message put and got again by one goroutine
	Relay       Work = "relay"       // bytes of a file into a pipe
	Reading     Work = "reading"     // parsing a policy
	Identity    Work = "identity"    // asking the kernel for the peer
	Objects     Work = "objects"     // making, opening, closing and removing one
	Idle        Work = "idle"        // what an object takes that nobody uses
	Memory      Work = "memcpy"      // copies of a buffer into shared memory
)

const (
	pauseMicros = 300 // before each round trip of Paced
	flying      = 64  // calls at a time of InFlight
	batchSize   = 64  // messages a call of Batched
)

// Result is what one repetition gave: times in nanoseconds, rates a second.
type Result struct {
	P50    float64 `json:"p50,omitempty"`
	P99    float64 `json:"p99,omitempty"`
	P999   float64 `json:"p999,omitempty"`
	Rate   float64 `json:"rate,omitempty"`
	Count  int64   `json:"count"`            // round trips, messages or decisions measured
	Bytes  float64 `json:"bytes,omitempty"`  // of memory for each object
	Allocs float64 `json:"allocs,omitempty"` // per operation, in the measuring process
	Steps  *Steps  `json:"steps,omitempty"`  // of an object's life
}

// Steps are the medians of the steps of an object's life, in nanoseconds. Zero:
// it has no such step.
type Steps struct {
	Create float64 `json:"create,omitempty"`
	Open   float64 `json:"open,omitempty"`
	Close  float64 `json:"close,omitempty"`
	Remove float64 `json:"remove,omitempty"`
}

// Record is a line of results.jsonl.
type Record struct {
	Job
	Rep   int     `json:"rep"`
	Load  float64 `json:"load"` // of the machine before it, over a minute
	Res   Result  `json:"result"`
	Error string  `json:"error,omitempty"`

	Cores   *cores  `json:"cores,omitempty"`   // right before it
	Stolen  float64 `json:"stolen,omitempty"`  // share of the CPUs that the hypervisor gave to others meanwhile
	Grown   int64   `json:"grown,omitempty"`   // bytes by which a CPU's list of free pages has grown meanwhile
	Instead bool    `json:"instead,omitempty"` // another try counts instead of this one: less disturbed, or one that failed
}
