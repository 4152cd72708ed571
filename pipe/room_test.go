//go:build linux && !ipcportable

package pipe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/matryer/is"
)

// What is longer than a pipe's usual capacity makes room for itself, and
// nothing else does.
func TestLongTransfersMakeRoom(t *testing.T) {
	for name, c := range map[string]struct {
		send func(ctx context.Context, w *Writer) error
		want int
	}{
		"long message": {func(ctx context.Context, w *Writer) error { return w.Send(ctx, pattern(usual)) }, roomy}, // with its header
		"long write": {func(ctx context.Context, w *Writer) error {
			_, err := w.WriteContext(ctx, pattern(usual+1))
			return err
		}, roomy},
		"short message": {func(ctx context.Context, w *Writer) error { return w.Send(ctx, pattern(usual/2)) }, usual},
		"short write":   {func(ctx context.Context, w *Writer) error { _, err := w.WriteContext(ctx, pattern(usual)); return err }, usual},
		"relay": {func(ctx context.Context, w *Writer) error {
			_, err := Relay(ctx, w, bytes.NewReader(pattern(10)))
			return err
		}, roomy},
		"chosen": {func(ctx context.Context, w *Writer) error {
			if _, err := w.SetCapacity(2 * usual); err != nil {
				return err
			}
			return w.Send(ctx, pattern(usual))
		}, 2 * usual},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			r, w := pair(t, stream)
			before, err := w.Capacity()
			is.NoErr(err)
			if before != usual {
				t.Skipf("a pipe of this user's holds %d bytes", before)
			}
			drained := later(func() error {
				_, err := io.Copy(io.Discard, struct{ io.Reader }{r})
				return err
			})
			is.NoErr(c.send(watched(t), w))
			got, err := w.Capacity()
			is.NoErr(err)
			is.Equal(got, c.want)
			is.NoErr(w.Close())
			is.NoErr(drained())
		})
	}
}

// So does a pipe that is full, for what is written in long pieces.
func TestFullPipesMakeRoom(t *testing.T) {
	for name, c := range map[string]struct {
		send func(ctx context.Context, w *Writer) error
		want int
	}{
		"long messages":  {func(ctx context.Context, w *Writer) error { return w.Send(ctx, pattern(longMessage)) }, roomy},
		"short messages": {func(ctx context.Context, w *Writer) error { return w.Send(ctx, pattern(longMessage/4)) }, usual},
		"coalesced":      {func(ctx context.Context, w *Writer) error { return w.SendBuffered(ctx, pattern(1000)) }, roomy},
		"writes": {func(ctx context.Context, w *Writer) error {
			_, err := w.WriteContext(ctx, pattern(longMessage))
			return err
		}, roomy},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, w := pair(t, stream)
			before, err := w.Capacity()
			is.NoErr(err)
			if before != usual {
				t.Skipf("a pipe of this user's holds %d bytes", before)
			}
			ctx, cancel := context.WithTimeout(watched(t), 50*time.Millisecond)
			defer cancel()
			for err == nil { // until it is full, and nobody reads
				err = c.send(ctx, w)
			}
			is.True(errors.Is(err, context.DeadlineExceeded))
			got, err := w.Capacity()
			is.NoErr(err)
			is.Equal(got, c.want)
		})
	}
}

// A capacity that the other end's process chose is left alone.
func TestTheOthersCapacityStays(t *testing.T) {
	is := is.New(t)
	r, w := pair(t, stream)
	small, err := r.SetCapacity(os.Getpagesize())
	is.NoErr(err)
	drained := later(func() error {
		_, err := io.Copy(io.Discard, struct{ io.Reader }{r})
		return err
	})
	is.NoErr(w.Send(watched(t), pattern(1<<18)))
	got, err := w.Capacity()
	is.NoErr(err)
	is.Equal(got, small)
	is.NoErr(w.Close())
	is.NoErr(drained())
}
