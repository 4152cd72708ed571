package frame

import (
	"bytes"
	"errors"
	"testing"

	"github.com/matryer/is"
)

// A long message goes to memory that was asked for, if that is long enough and the
// caller's is not, also when its reading is interrupted.
func TestMemoryIsAskedFor(t *testing.T) {
	const long = growChunk + 1000
	for name, c := range map[string]struct {
		n, buf, given int
		asked, there  bool
	}{
		"short":             {n: growChunk, given: long},
		"a buffer":          {n: long, buf: long, given: long},
		"long":              {n: long, buf: 100, given: long, asked: true, there: true},
		"longer than it":    {n: long, given: long - 1, asked: true},
		"nothing to be had": {n: long, asked: true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, flaky := range []bool{false, true} {
				is := is.New(t)
				var stream bytes.Buffer
				w := NewWriter(&stream, Unlimited)
				is.NoErr(w.WriteMessage(pattern(c.n)))
				r := NewReader(&chunkReader{&stream, 999}, Unlimited)
				if flaky {
					r = NewReader(&flakyReader{r: &chunkReader{&stream, 999}}, Unlimited)
				}
				var asked []int
				memory := make([]byte, c.given)
				r.SetMemory(func(n int) []byte {
					asked = append(asked, n)
					return memory[:0]
				})
				msg, err := r.ReadMessage(make([]byte, c.buf))
				for errors.Is(err, errFlaky) {
					msg, err = r.ReadMessage(make([]byte, c.buf))
				}
				is.NoErr(err)
				is.True(bytes.Equal(msg, pattern(c.n)))
				is.Equal(len(asked) > 0, c.asked)
				for _, n := range asked {
					is.Equal(n, c.n)
				}
				if !flaky { // else what has come moves to the Reader's own
					is.Equal(c.given > 0 && &msg[0] == &memory[:1][0], c.there)
				}
			}
		})
	}
}

// What lies in the Reader's own buffer as a whole is no exception.
func TestMemoryIsAskedForWhatIsBuffered(t *testing.T) {
	is := is.New(t)
	const long, rounds = growChunk + 4000, 20
	var stream bytes.Buffer
	w := NewWriter(&stream, Unlimited)
	for range rounds {
		for range 200 {
			is.NoErr(w.BufferMessage(pattern(300)))
		}
		is.NoErr(w.BufferMessage(pattern(long)))
	}
	is.NoErr(w.Flush())
	r := NewReader(&stream, Unlimited)
	asked := 0
	r.SetMemory(func(n int) []byte { asked++; return make([]byte, n) })
	for range rounds {
		for range 200 {
			_, err := r.ReadMessage(nil)
			is.NoErr(err)
		}
		msg, err := r.ReadMessage(nil)
		is.NoErr(err)
		is.True(bytes.Equal(msg, pattern(long)))
	}
	is.Equal(asked, rounds)
}
