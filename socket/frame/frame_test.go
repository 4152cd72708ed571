package frame

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/matryer/is"
)

// Bytes printed by CPython 3.11: Connection.send_bytes over a socket pair.
func TestGoldenBytes(t *testing.T) {
	for _, tc := range []struct{ name, msg, want string }{
		{"hello", "hello", "0000000568656c6c6f"},
		{"empty", "", "00000000"},
		{"pickle", "\x80\x04\x95\x0a\x00\x00\x00\x00\x00\x00\x00\x8c\x01x\x94K\x01N\x87\x94.",
			"000000158004950a000000000000008c0178944b014e87942e"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(hex.EncodeToString(Append(nil, []byte(tc.msg))), tc.want)

			var out bytes.Buffer
			is.NoErr(NewWriter(&out, 0).WriteMessage([]byte(tc.msg)))
			is.Equal(hex.EncodeToString(out.Bytes()), tc.want)

			got, err := NewReader(&out, 0).ReadMessage(nil)
			is.NoErr(err)
			is.Equal(string(got), tc.msg)
		})
	}
}

func TestHeaderBoundaries(t *testing.T) {
	is := is.New(t)
	is.Equal(hex.EncodeToString(AppendHeader(nil, math.MaxInt32)), "7fffffff")
	is.Equal(HeaderLen(math.MaxInt32), 4)

	size, need, err := parseHeader([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0x80, 0, 0, 0})
	is.NoErr(err)
	is.Equal(need, 12)
	is.Equal(size, uint64(1)<<31)

	if math.MaxInt > math.MaxInt32 {
		n := math.MaxInt32
		n++
		is.Equal(hex.EncodeToString(AppendHeader(nil, n)), "ffffffff0000000080000000")
		is.Equal(HeaderLen(n), 12)
	}
}

// A length that CPython would write in the short form is taken in the long
// form too, as CPython takes it.
func TestLongHeaderOfShortMessage(t *testing.T) {
	is := is.New(t)
	in := "\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x02hi\x00\x00\x00\x00"
	r := NewReader(iotest.OneByteReader(strings.NewReader(in)), 0)
	got, err := r.ReadMessage(nil)
	is.NoErr(err)
	is.Equal(string(got), "hi")
	is.Equal(r.Offset(), int64(14))
	got, err = r.ReadMessage(got)
	is.NoErr(err)
	is.Equal(len(got), 0)
	is.Equal(r.Offset(), int64(len(in)))
}

var sizes = []int{0, 1, 2, 3, 4095, 4096, 4097, 16384, 16385, maxBuffer - 4, maxBuffer - 3, maxBuffer, 300_000, 5 << 20}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + n)
	}
	return b
}

func TestRoundTripWhateverTheReads(t *testing.T) {
	var stream bytes.Buffer
	w := NewWriter(&stream, Unlimited)
	for _, n := range sizes {
		if err := w.BufferMessage(pattern(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"whole":     func(r io.Reader) io.Reader { return r },
		"half":      iotest.HalfReader,
		"data+EOF":  iotest.DataErrReader,
		"13 bytes":  func(r io.Reader) io.Reader { return &chunkReader{r, 13} },
		"9999":      func(r io.Reader) io.Reader { return &chunkReader{r, 9999} },
		"deadlines": func(r io.Reader) io.Reader { return &flakyReader{r: &chunkReader{r, 3001}} },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			r := NewReader(wrap(bytes.NewReader(stream.Bytes())), Unlimited)
			var buf []byte
			var at int64
			for _, n := range sizes {
				msg, err := r.ReadMessage(buf)
				for errors.Is(err, errFlaky) {
					msg, err = r.ReadMessage(buf)
				}
				is.NoErr(err)
				if !bytes.Equal(msg, pattern(n)) {
					t.Fatalf("message of %d bytes came back as %d other bytes", n, len(msg))
				}
				at += int64(HeaderLen(n) + n)
				is.Equal(r.Offset(), at)
				buf = msg
			}
			_, err := r.ReadMessage(buf)
			for errors.Is(err, errFlaky) {
				_, err = r.ReadMessage(buf)
			}
			is.Equal(err, io.EOF)
			_, err = r.ReadMessage(buf)
			is.Equal(err, io.EOF) // the end stays the end
		})
	}
}

func TestStreamEndsInsideFrame(t *testing.T) {
	whole := Append(nil, pattern(70_000))
	for _, cut := range []int{1, 3, 4, 5, 4096, 65_536, len(whole) - 1} {
		is := is.New(t)
		r := NewReader(bytes.NewReader(whole[:cut]), 0)
		_, err := r.ReadMessage(nil)
		is.True(errors.Is(err, ErrTruncated)) // cut inside the frame
		is.True(errors.Is(err, io.ErrUnexpectedEOF))
		is.True(!errors.Is(err, io.EOF))
		_, err = r.ReadMessage(nil)
		is.True(errors.Is(err, ErrTruncated)) // final
	}
}

func TestLimitIsCheckedBeforeAllocation(t *testing.T) {
	for name, in := range map[string]string{
		"over by one":  "\x00\x00\x04\x01",
		"2 GiB":        "\x7f\xff\xff\xff",
		"4 GiB":        "\xff\xff\xff\xff\x00\x00\x00\x01\x00\x00\x00\x00",
		"2^64-1 bytes": "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			r := NewReader(strings.NewReader(in+strings.Repeat("x", 2000)), 1024)
			_, err := r.ReadMessage(nil)
			is.True(errors.Is(err, ErrTooLarge))
			_, err = r.ReadMessage(nil)
			is.True(errors.Is(err, ErrTooLarge)) // the next frame cannot be found
		})
	}
	is := is.New(t)
	r := NewReader(strings.NewReader("\x00\x00\x04\x00"+strings.Repeat("x", 1024)), 1024)
	got, err := r.ReadMessage(nil)
	is.NoErr(err) // exactly the limit
	is.Equal(len(got), 1024)
}

func TestLengthAloneBuysLittleMemory(t *testing.T) {
	src := strings.NewReader("\x7f\xff\xff\xff" + strings.Repeat("x", 1000))
	r := NewReader(src, Unlimited)
	_, err := r.ReadMessage(nil)
	if !errors.Is(err, ErrTruncated) {
		t.Fatalf("error = %v, want ErrTruncated", err)
	}
	if got := cap(r.body) + cap(r.buf) + cap(r.first); got > minBuffer+growChunk {
		t.Fatalf("a 2 GiB length and 1000 bytes hold %d bytes", got)
	}
}

// What has come of a message buys no more than five times as much.
func TestMemoryGrowsWithWhatHasCome(t *testing.T) {
	for _, n := range []int{growChunk + 1, 64 << 10, 64<<10 + 32, 1 << 20, 5<<20 + 1} {
		for had := growChunk; had < n; {
			next := grown(had, n)
			if next <= had || next > n || next > 5*had {
				t.Fatalf("%d of %d bytes have come, and memory becomes %d", had, n, next)
			}
			had = next
		}
	}
}

func TestCorruptHeader(t *testing.T) {
	is := is.New(t)
	r := NewReader(strings.NewReader("\xff\xff\xff\xfe\x00\x00\x00\x00"), Unlimited)
	_, err := r.ReadMessage(nil)
	is.True(errors.Is(err, ErrCorrupt))
	_, err = r.ReadMessage(nil)
	is.True(errors.Is(err, ErrCorrupt))
}

func TestReaderHoldsStreamToItsContract(t *testing.T) {
	is := is.New(t)
	_, err := NewReader(readerFunc(func(p []byte) (int, error) { return 0, nil }), 0).ReadMessage(nil)
	is.Equal(err, io.ErrNoProgress)
	_, err = NewReader(readerFunc(func(p []byte) (int, error) { return len(p) + 1, nil }), 0).ReadMessage(nil)
	is.True(err != nil)
}

func TestWriterCoalesces(t *testing.T) {
	is := is.New(t)
	c := &countingWriter{}
	w := NewWriter(c, 0)
	for range 1000 {
		is.NoErr(w.BufferMessage([]byte("0123456789")))
	}
	is.Equal(c.writes, 0)
	is.Equal(w.Buffered(), 14_000)
	is.NoErr(w.WriteMessage([]byte("last")))
	is.Equal(c.writes, 1)
	is.Equal(c.Len(), 14_008)
	is.Equal(w.Buffered(), 0)
}

func TestWriterLimit(t *testing.T) {
	is := is.New(t)
	var out bytes.Buffer
	w := NewWriter(&out, 10)
	is.True(errors.Is(w.WriteMessage(make([]byte, 11)), ErrTooLarge))
	is.True(errors.Is(w.BufferMessage(make([]byte, 11)), ErrTooLarge))
	is.Equal(out.Len()+w.Buffered(), 0) // nothing of it went out
	is.NoErr(w.WriteMessage(make([]byte, 10)))
}

// However often the stream stops the writer, it sees whole frames in order:
// a message whose first byte went out follows wholly, one that failed before
// that is not sent.
func TestWriterNeverTearsAFrame(t *testing.T) {
	for _, step := range []int{1777, 65_536, 65_540, 100_000} {
		t.Run(fmt.Sprintf("plain, %d bytes a write", step), func(t *testing.T) {
			out := &stutteringWriter{step: step}
			neverTears(t, out, &out.Buffer)
		})
		t.Run(fmt.Sprintf("vector, %d bytes a write", step), func(t *testing.T) {
			out := &stutteringVector{stutteringWriter{step: step}}
			neverTears(t, out, &out.Buffer)
		})
	}
}

func neverTears(t *testing.T, dst io.Writer, out *bytes.Buffer) {
	is := is.New(t)
	w := NewWriter(dst, Unlimited)
	var want [][]byte
	for i, n := range append(sizes, sizes...) {
		msg := pattern(n)
		before := out.Len() + w.Buffered()
		err := w.WriteMessage(msg)
		kept := out.Len()+w.Buffered() > before
		if err == nil || kept {
			want = append(want, msg)
		}
		is.Equal(err == nil || errors.Is(err, errFlaky), true) // errors are the stream's own
		if i%3 == 0 {
			for w.Flush() != nil {
			}
		}
	}
	for w.Flush() != nil {
	}
	r := NewReader(out, Unlimited)
	for _, m := range want {
		got, err := r.ReadMessage(nil)
		is.NoErr(err)
		is.True(bytes.Equal(got, m)) // frames arrive whole and in order
	}
	_, err := r.ReadMessage(nil)
	is.Equal(err, io.EOF)
}

func TestWriterWithdrawsWhatNeverWentOut(t *testing.T) {
	is := is.New(t)
	out := &stutteringWriter{step: 0}
	w := NewWriter(out, Unlimited)
	is.True(w.WriteMessage([]byte("small")) != nil)
	is.True(w.WriteMessage(make([]byte, 200_000)) != nil)
	is.Equal(w.Buffered(), 0)
	is.NoErr(w.BufferMessage([]byte("kept")))
	is.True(w.WriteMessage([]byte("lost")) != nil)
	out.step = 1 << 20
	is.NoErr(w.Flush())
	is.Equal(out.String(), string(Append(nil, []byte("kept"))))
}

// The short cuts do what the whole way does, or nothing.
func TestShortCuts(t *testing.T) {
	is := is.New(t)
	var out bytes.Buffer
	w := NewWriter(&out, directSize+10)
	is.True(!w.TryBuffer([]byte("first"))) // there is no buffer yet
	is.NoErr(w.BufferMessage(pattern(1000)))
	is.True(w.TryBuffer([]byte("second")))
	is.True(!w.TryBuffer(pattern(directSize))) // goes from where it lies
	is.True(!w.TryBuffer(pattern(directSize + 11)))
	for w.TryBuffer([]byte("x")) {
	}
	is.Equal(out.Len(), 0) // nothing was written
	is.NoErr(w.Flush())

	r := NewReader(&out, 0)
	buf := make([]byte, 0, 1000)
	_, ok := r.TryBuffered(buf)
	is.True(!ok) // nothing was read yet
	_, ok = r.Next()
	is.True(!ok)
	_, err := r.ReadMessage(nil)
	is.NoErr(err)
	n, ok := r.Next()
	is.True(ok)
	is.Equal(n, 6)
	_, ok = r.TryBuffered(make([]byte, 5))
	is.True(!ok) // no room
	at := r.Offset()
	msg, ok := r.TryBuffered(buf)
	is.True(ok)
	is.Equal(string(msg), "second")
	is.Equal(r.Offset(), at+4+6)

	r = NewReader(strings.NewReader("\x00\x00\x00\x02ok\x00\x00\x00\x09too large\x00\x00\x00\x02ok"), 4)
	_, err = r.ReadMessage(buf)
	is.NoErr(err)
	_, ok = r.Next()
	is.True(!ok) // beyond the limit
	_, err = r.ReadMessage(buf)
	is.True(errors.Is(err, ErrTooLarge))
	r.SetLimit(1000)
	_, ok = r.TryBuffered(buf)
	is.True(!ok) // what failed stays so
}

func TestNoAllocationInSteadyState(t *testing.T) {
	msg := pattern(1000)
	one := Append(nil, msg)
	r := NewReader(&loopReader{data: one}, 0)
	buf := make([]byte, 0, 1024)
	w := NewWriter(io.Discard, 0)
	turn := func() {
		if err := w.WriteMessage(msg); err != nil {
			t.Fatal(err)
		}
		if err := w.BufferMessage(msg); err != nil {
			t.Fatal(err)
		}
		var err error
		if buf, err = r.ReadMessage(buf); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		turn()
	}
	if n := testing.AllocsPerRun(1000, turn); n != 0 {
		t.Fatalf("%v allocations per message, want none", n)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x05hello\x00\x00\x00\x00"), 3)
	f.Add([]byte("\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x02hi"), 1)
	f.Add([]byte("\xff\xff\xff\xff\x00\x00\x00\x01\x00\x00\x00\x00"), 64)
	f.Add([]byte("\xff\xff\xff\xfe"), 64)
	f.Add([]byte("\x00\x00\xff\xffshort"), 7)
	f.Fuzz(func(t *testing.T, in []byte, chunk int) {
		const limit = 1 << 16
		r := NewReader(&chunkReader{bytes.NewReader(in), max(1, chunk)}, limit)
		var again []byte
		for {
			msg, err := r.ReadMessage(nil)
			if err != nil {
				if cap(r.buf) > maxBuffer || cap(r.body) > limit {
					t.Fatalf("holds %d + %d bytes", cap(r.buf), cap(r.body))
				}
				if err == io.EOF && r.Offset() != int64(len(in)) {
					t.Fatalf("clean end at %d of %d bytes", r.Offset(), len(in))
				}
				break
			}
			again = Append(again, msg)
		}
		// What was accepted reads the same after writing it again.
		r2 := NewReader(bytes.NewReader(again), limit)
		r1 := NewReader(bytes.NewReader(in), limit)
		for {
			b, err := r2.ReadMessage(nil)
			if err == io.EOF {
				return
			}
			a, err1 := r1.ReadMessage(make([]byte, 0, 64))
			if err != nil || err1 != nil || !bytes.Equal(a, b) {
				t.Fatalf("rewritten stream differs: %v %v", err, err1)
			}
		}
	})
}

func FuzzWriterReader(f *testing.F) {
	f.Add([]byte("abc"), 5, 2)
	f.Add(bytes.Repeat([]byte("z"), 70_000), 4096, 1000)
	f.Fuzz(func(t *testing.T, data []byte, cut, step int) {
		out := &stutteringVector{stutteringWriter{step: max(100, step)}}
		var dst io.Writer = &out.stutteringWriter
		if step%2 == 0 {
			dst = out
		}
		w := NewWriter(dst, Unlimited)
		cut = min(max(cut, 0), len(data))
		for _, m := range [][]byte{data[:cut], data[cut:], data} {
			if err := w.BufferMessage(m); err != nil && !errors.Is(err, errFlaky) {
				t.Fatal(err)
			}
		}
		for w.Flush() != nil {
		}
		r := NewReader(&out.Buffer, Unlimited)
		for {
			if _, err := r.ReadMessage(nil); err == io.EOF {
				return
			} else if err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkReaderSameProcess64B(b *testing.B) {
	data := bytes.Repeat(Append(nil, pattern(64)), 1000)
	r := NewReader(&loopReader{data: data}, 0)
	var buf []byte
	b.SetBytes(64)
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = r.ReadMessage(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriterCoalesced64B(b *testing.B) {
	w := NewWriter(io.Discard, 0)
	msg := pattern(64)
	b.SetBytes(64)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.BufferMessage(msg); err != nil {
			b.Fatal(err)
		}
	}
}

// Streams that behave badly in the ways that streams do.

var errFlaky = errors.New("deadline passed")

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

type chunkReader struct {
	r io.Reader
	n int
}

func (c *chunkReader) Read(p []byte) (int, error) { return c.r.Read(p[:min(len(p), c.n)]) }

// flakyReader fails every other call.
type flakyReader struct {
	r     io.Reader
	turns int
}

func (f *flakyReader) Read(p []byte) (int, error) {
	if f.turns++; f.turns%2 == 0 {
		return 0, errFlaky
	}
	return f.r.Read(p)
}

type loopReader struct {
	data []byte
	at   int
}

func (l *loopReader) Read(p []byte) (int, error) {
	n := copy(p, l.data[l.at:])
	l.at = (l.at + n) % len(l.data)
	return n, nil
}

type countingWriter struct {
	bytes.Buffer
	writes int
}

func (c *countingWriter) Write(p []byte) (int, error) {
	c.writes++
	return c.Buffer.Write(p)
}

// stutteringWriter takes at most step bytes of a write, then fails.
type stutteringWriter struct {
	bytes.Buffer
	step int
}

func (s *stutteringWriter) Write(p []byte) (int, error) {
	if len(p) <= s.step {
		return s.Buffer.Write(p)
	}
	n, _ := s.Buffer.Write(p[:s.step])
	return n, errFlaky
}

// stutteringVector does the same for two buffers at once.
type stutteringVector struct{ stutteringWriter }

func (s *stutteringVector) WriteVector(p, q []byte) (int, error) {
	return s.Write(append(bytes.Clone(p), q...))
}
