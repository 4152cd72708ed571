//go:build unix

package shmsync

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestSemaphoreLimits(t *testing.T) {
	is := is.New(t)
	m := join(t, tempFile(t))
	mem := Plain(make([]byte, SemaphoreSize(MaxPermits+1)))
	for _, n := range []int{-1, 0, MaxPermits + 1} {
		_, err := NewSemaphore(mem, 0, n, m)
		is.True(errors.Is(err, os.ErrInvalid))
	}
	_, err := NewSemaphore(mem, 0, MaxPermits, m)
	is.NoErr(err)
}

// Any bits in a permit lead to an answer: nobody lives who could own it.
func FuzzPermit(f *testing.F) {
	for _, v := range []uint32{1, idMask, 1 << 30, 1 << 31, ^uint32(0)} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v uint32) {
		mem := Plain(make([]byte, SemaphoreSize(1)))
		s, err := NewSemaphore(mem, 0, 1, join(t, tempFile(t)))
		if err != nil {
			t.Fatal(err)
		}
		s.permit[0].Store(v)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Acquire(ctx); err != nil {
			t.Fatal(err)
		}
		if err := s.Release(); err != nil {
			t.Fatal(err)
		}
	})
}
