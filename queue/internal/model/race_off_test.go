//go:build !race

package model

// raceDetector: there is one goroutine, and the detector makes it slow.
const raceDetector = false
