//go:build !race

package shm_test

const underRace = false
