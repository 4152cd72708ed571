// Package model is an explicit-state model checker for the queue's
// shared-memory protocol.
//
// The model has the shared words of package queue and, for every process, a
// state machine whose transitions each make one shared access: the loads,
// stores and compare-and-swaps of ring.go, reap.go, block.go, get.go, put.go,
// lease.go and lanes.go, in their order. The search visits every state that
// any interleaving of the processes can reach, with a crash before any access
// as long as the configuration has crashes left. A process that is stopped is one
// that is not scheduled, so all interleavings cover SIGSTOP.
//
//	state.go    the shared words, the processes' private state, and the ghosts:
//	            what an observer who sees everything knows
//	process.go  the protocol, one access per step
//	ghost.go    the properties that every step is checked for
//	sleep.go    waiting and waking
//	search.go   breadth-first search, traces, and the checks that run one process
//	            alone from a reached state
//	mutants.go  faults that the checker has to find
//
// Model and code are kept together by hand: whoever changes the order of
// shared accesses in package queue changes process.go too.
package model
