//go:build amd64 || 386 || s390x

package queue

// loadsDone stands between plain loads and the atomic one that tells whether they
// count. These CPUs keep loads in order, and the compiler does not move loads
// across an atomic one.
func loadsDone() {}
