//go:build unix

package pipe

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/matryer/is"
)

// Every way of keeping packets apart behaves the same.
func TestPackets(t *testing.T) {
	for _, m := range []struct {
		name string
		mode
	}{{"native", packetMode}, {"emulated", framed}} {
		t.Run(m.name, func(t *testing.T) {
			is := is.New(t)
			ctx := watched(t)
			r, w := pair(t, m.mode)

			is.True(errors.Is(w.Send(ctx, nil), ErrMessageSize)) // the kernel has no empty packets
			is.True(errors.Is(w.Send(ctx, make([]byte, MaxPacket+1)), ErrMessageSize))
			_, err := w.Write(nil)
			is.True(errors.Is(err, ErrMessageSize))

			for _, n := range []int{1, 100, MaxPacket} {
				is.NoErr(w.Send(ctx, pattern(n)))
				n2, err := w.Write(pattern(n))
				is.NoErr(err)
				is.Equal(n2, n)
			}
			buf := make([]byte, 10*MaxPacket)
			for _, n := range []int{1, 100, MaxPacket} {
				msg, err := r.Recv(ctx)
				is.NoErr(err)
				is.True(bytes.Equal(msg, pattern(n)))
				got, err := r.Read(buf) // one packet, whatever the room
				is.NoErr(err)
				is.True(bytes.Equal(buf[:got], pattern(n)))
			}

			is.NoErr(w.SendBuffered(ctx, []byte("buffered")))
			is.NoErr(w.Flush(ctx))
			is.NoErr(w.Send(ctx, []byte("too long for it")))
			is.NoErr(w.Send(ctx, []byte("whole")))
			msg, err := r.RecvInto(ctx, make([]byte, 0, 3))
			is.NoErr(err)
			is.Equal(string(msg), "buffered")
			n, err := r.Read(buf[:8])
			is.Equal(n, 8)
			is.True(errors.Is(err, io.ErrShortBuffer)) // what doesn't fit is lost, and said to be
			is.Equal(string(buf[:8]), "too long")
			msg, err = r.RecvInto(ctx, buf)
			is.NoErr(err)
			is.Equal(string(msg), "whole")

			is.NoErr(w.Close())
			_, err = r.Recv(ctx)
			is.Equal(err, io.EOF)
			_, err = r.Read(buf)
			is.Equal(err, io.EOF)
		})
	}
}

func TestPacketsThroughCopy(t *testing.T) {
	is := is.New(t)
	r, w, err := NewPacket()
	is.NoErr(err)
	defer r.Close()
	done := make(chan error, 1)
	go func() {
		_, err := w.ReadFrom(bytes.NewReader(pattern(100_000)))
		done <- errors.Join(err, w.Close())
	}()
	var out bytes.Buffer
	n, err := io.Copy(&out, r)
	is.NoErr(err)
	is.Equal(n, int64(100_000))
	is.True(bytes.Equal(out.Bytes(), pattern(100_000)))
	is.NoErr(<-done)
}
