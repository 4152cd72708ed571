//go:build race || !amd64

package queue

func inWords(int) bool          { return false }
func copyWords(dst, src []byte) { copy(dst, src) }
