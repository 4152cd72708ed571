package cpu

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/matryer/is"
)

func TestCopyOver(t *testing.T) {
	is := is.New(t)
	rng := rand.New(rand.NewPCG(1, 2))
	src, dst := make([]byte, 64<<10), make([]byte, 64<<10)
	for i := range src {
		src[i] = byte(rng.Uint32())
	}
	for range 1000 {
		from, to := rng.IntN(100), rng.IntN(100)
		n, m := rng.IntN(60<<10), rng.IntN(60<<10)
		clear(dst)
		is.Equal(CopyOver(dst[to:to+m], src[from:from+n]), min(n, m))
		is.True(bytes.Equal(dst[to:to+min(n, m)], src[from:from+min(n, m)]))
		is.Equal(bytes.Count(dst[:to], []byte{0}), to) // and nothing else
		is.Equal(bytes.Count(dst[to+min(n, m):], []byte{0}), len(dst)-to-min(n, m))
	}
	is.Equal(CopyOver(nil, src), 0)
	is.Equal(CopyOver(dst, nil), 0)
}
