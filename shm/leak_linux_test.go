package shm_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

// resources counts what a process can leak.
func resources(t *testing.T) (files, mappings, segments, goroutines int) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return len(openFiles()), bytes.Count(maps, []byte("rw-s")) + bytes.Count(maps, []byte("r--s")), len(testSegments()), runtime.NumGoroutine()
}

func TestNothingLeaks(t *testing.T) {
	is := is.New(t)
	rounds := 2000
	if testing.Short() {
		rounds = 300
	}
	if *campaign >= 10*time.Second {
		rounds = 10_000
	}
	files, mappings, segments, goroutines := resources(t)
	name := testName(t)
	for i := range rounds {
		r, err := shm.Create(name, 4096, nil)
		is.NoErr(err)
		_, err = shm.Create(name, 4096, nil)
		is.True(errors.Is(err, os.ErrExist))
		ro, err := shm.OpenReader(name, nil)
		is.NoErr(err)
		_, err = shm.OpenByteCell(r, 0)
		is.True(errors.Is(err, shm.ErrCorrupt))
		a, err := shm.Anonymous(4096, nil)
		is.NoErr(err)
		if i%10 == 0 {
			m, err := r.Mutex(0)
			is.NoErr(err)
			is.NoErr(m.Lock(context.Background()))
			e, err := r.Event(8)
			is.NoErr(err)
			ended, cancel := context.WithCancel(context.Background())
			go e.Wait(ended)
			cancel()
			is.True(errors.Is(e.Wait(ended), context.Canceled))
			f, err := a.ReaderFile()
			is.NoErr(err)
			is.NoErr(f.Close())
		}
		is.NoErr(shm.Remove(name))
		is.NoErr(r.Close())
		is.NoErr(ro.Close())
		is.NoErr(a.Close())
		_, err = shm.Open(name, nil)
		is.True(errors.Is(err, os.ErrNotExist))
	}
	waitUntil(t, "the goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
	files2, mappings2, segments2, _ := resources(t)
	is.Equal(files2, files)
	is.Equal(mappings2, mappings)
	is.Equal(segments2, segments)
}

// A Region that was never closed is unmapped by the garbage collector.
func TestForgottenRegion(t *testing.T) {
	is := is.New(t)
	_, before, _, _ := resources(t)
	for range 100 {
		_, err := shm.Anonymous(4096, nil)
		is.NoErr(err)
	}
	waitUntil(t, "the mappings go", func() bool {
		runtime.GC()
		_, now, _, _ := resources(t)
		return now <= before
	})
}
