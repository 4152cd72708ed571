//go:build race

package queue

// underRace: the race detector makes the enumerations ten times slower.
const underRace = true
