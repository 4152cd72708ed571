package queue

import (
	"bytes"
	"testing"

	"github.com/matryer/is"
)

// Short messages are copied whole, wherever they lie, and nothing beside them.
func TestCopyWords(t *testing.T) {
	is := is.New(t)
	const least, most = 16, 64
	src := make([]byte, most+8)
	for i := range src {
		src[i] = byte(i + 1)
	}
	for n := range most + 20 {
		if n < least || n > most {
			is.True(!inWords(n))
			continue
		}
		for at := range 8 {
			dst := make([]byte, 8+n+8)
			copyWords(dst[at:at+n], src[8-at:8-at+n])
			want := make([]byte, len(dst))
			copy(want[at:], src[8-at:8-at+n])
			is.True(bytes.Equal(dst, want))
		}
	}
}
