//go:build race

package shm_test

// underRace: the race detector makes atomic accesses in C, where a fault ends
// the process. Nobody is in the middle of one there while memory goes away.
const underRace = true
