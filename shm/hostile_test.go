//go:build unix

package shm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

const hostileSize = 64 << 10

// victim uses one segment through one access path until stop, and returns the
// first error that is not one of those promised.
type victim func(r *shm.Region, ro *shm.Reader, step int) error

// plain are the victims that make no atomic access.
var plain = []string{"ReadAt", "WriteAt", "View", "ShareableList"}

var victims = map[string]victim{
	"ReadAt": func(r *shm.Region, ro *shm.Reader, i int) error {
		_, err := ro.ReadAt(make([]byte, 5000), int64(i%1000*4093%(hostileSize-5000)))
		return err
	},
	"WriteAt": func(r *shm.Region, _ *shm.Reader, i int) error {
		_, err := r.WriteAt(make([]byte, 5000), int64(i%1000*4093%(hostileSize-5000)))
		return err
	},
	"View": func(r *shm.Region, _ *shm.Reader, i int) error {
		return r.View(0, hostileSize, func(b []byte) error {
			sum := byte(0)
			for j := 0; j < len(b); j += 512 {
				sum += b[j]
				b[j] = sum
			}
			return nil
		})
	},
	"At": func(r *shm.Region, _ *shm.Reader, i int) error {
		p, err := shm.At[[16]uint64](r, int64(i%500*128))
		if err != nil {
			return err
		}
		v, err := p.Load()
		if err != nil {
			return err
		}
		return p.Store(v)
	},
	"Word32": func(r *shm.Region, ro *shm.Reader, i int) error {
		w, err := r.Word32(int64(i % 16000 * 4))
		if err != nil {
			return err
		}
		if _, err := w.Add(1); err != nil {
			return err
		}
		old, err := w.Load()
		if err != nil {
			return err
		}
		if err := w.Wait(context.Background(), old, time.Millisecond); err != nil {
			return err
		}
		_, err = ro.LoadUint32(int64(i % 16000 * 4))
		return err
	},
	"Word64": func(r *shm.Region, ro *shm.Reader, i int) error {
		w, err := r.Word64(int64(i % 8000 * 8))
		if err != nil {
			return err
		}
		_, err = w.CompareAndSwap(0, uint64(i))
		return err
	},
	"Mutex": func(r *shm.Region, _ *shm.Reader, i int) error {
		m, err := r.Mutex(int64(i%2) * 32768)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if err := m.Lock(ctx); err != nil {
			return err
		}
		return m.Unlock()
	},
	"Semaphore": func(r *shm.Region, _ *shm.Reader, i int) error {
		s, err := r.Semaphore(16384, 3)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if err := s.Acquire(ctx); err != nil {
			return err
		}
		return s.Release()
	},
	"Event": func(r *shm.Region, _ *shm.Reader, i int) error {
		e, err := r.Event(20480)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if i%2 == 0 {
			return e.Reset()
		}
		return e.Wait(ctx)
	},
	"Cell": func(r *shm.Region, ro *shm.Reader, i int) error {
		c, err := shm.OpenByteCell(r, 40960)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if err := c.Store(ctx, []byte("value")); err != nil {
			return err
		}
		_, n, err := c.Load(nil)
		if err != nil {
			return err
		}
		return c.Wait(ctx, n)
	},
	"ShareableList": func(r *shm.Region, _ *shm.Reader, i int) error {
		l, err := shm.ShareableListIn(r)
		if err != nil {
			return err
		}
		_, err = l.Items()
		return err
	},
}

// promised are the errors that a hostile peer may cause.
func promised(err error) bool {
	for _, e := range []error{shm.ErrFault, shm.ErrCorrupt, shm.ErrEmpty, context.DeadlineExceeded} {
		if errors.Is(err, e) {
			return true
		}
	}
	return err == nil || strings.Contains(err.Error(), "previous owner died") || strings.Contains(err.Error(), "not locked by this handle")
}

// Another process truncates, punches, grows and overwrites the segment while
// this one uses it through every access path.
func TestHostileProcess(t *testing.T) {
	is := is.New(t)
	name := filepath.Join(t.TempDir(), "victim")
	if dir, err := os.MkdirTemp("/dev/shm", "shmtest-hostile-"); err == nil {
		defer os.RemoveAll(dir)
		name = filepath.Join(dir, "victim") // in memory, where it hurts
	}
	r, err := shm.Create(name, hostileSize, nil)
	is.NoErr(err)
	defer r.Close()
	ro, err := shm.OpenReader(name, nil)
	is.NoErr(err)
	defer ro.Close()
	attacker := start(t, "hostile", name)
	is.Equal(attacker.line(), "attacking")

	var faults, fine atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for what, use := range victims {
		if underRace && !slices.Contains(plain, what) {
			continue
		}
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				err := use(r, ro, i)
				if errors.Is(err, shm.ErrFault) {
					faults.Add(1)
				} else if err == nil {
					fine.Add(1)
				}
				if !promised(err) {
					t.Errorf("%s: %v", what, err)
					return
				}
			}
		})
	}
	time.Sleep(campaignLength()) // the length of the campaign, not a condition
	stop.Store(true)
	wg.Wait()
	attacker.kill()
	t.Logf("%d operations faulted, %d succeeded", faults.Load(), fine.Load())
	is.True(faults.Load() > 0) // the attack was real
	is.True(fine.Load() > 0)
}

func campaignLength() time.Duration {
	if testing.Short() {
		return min(*campaign, 300*time.Millisecond)
	}
	return *campaign
}

// childHostile attacks until it is killed.
func childHostile(args []string) error {
	f, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	dieWithParent()
	say("attacking")
	noise := make([]byte, 4096)
	for i := 0; ; i++ {
		switch rand.IntN(7) {
		case 0:
			f.Truncate(0)
		case 1:
			f.Truncate(rand.Int64N(hostileSize))
		case 2:
			f.Truncate(hostileSize)
		case 3:
			f.Truncate(4 * hostileSize)
		case 4:
			punch(f, rand.Int64N(hostileSize), 8192)
		case 5:
			for j := range noise {
				noise[j] = byte(rand.Uint32())
			}
			f.WriteAt(noise, rand.Int64N(hostileSize))
		case 6:
			os.Remove(args[0])
		}
		if i%3 == 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}
}

// A full file system: ENOSPC from Create, ErrFault from a sparse segment of
// somebody else, and success again once there is space.
func TestFullTmpfs(t *testing.T) {
	cmd := command("fulltmpfs", t.TempDir())
	if err := isolate(cmd); err != nil {
		t.Skip("no mount namespace here:", err)
	}
	p := startCmd(t, cmd)
	got := p.line()
	if strings.HasPrefix(got, "cannot mount") {
		t.Skip(got)
	}
	if got != "ok" {
		t.Error(got)
	}
	p.wait()
}

func childFullTmpfs(args []string) error {
	if err := mountTmpfs(args[0], 1<<20); err != nil {
		say("cannot mount", err)
		return nil
	}
	say(errOr(fullTmpfs(args[0]), "ok"))
	return nil
}

func errOr(err error, ok string) string {
	if err != nil {
		return strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return ok
}

func fullTmpfs(dir string) error {
	if _, err := shm.Create(dir+"/big", 2<<20, nil); !noSpace(err) {
		return fmt.Errorf("2 MiB in 1 MiB: %v", err)
	}
	if l, _ := os.ReadDir(dir); len(l) != 0 {
		return fmt.Errorf("left behind: %v", l)
	}
	sparse, err := os.Create(dir + "/sparse")
	if err != nil {
		return err
	}
	defer sparse.Close()
	if err := sparse.Truncate(hostileSize); err != nil {
		return err
	}
	var fill []*shm.Region
	for size := 512 << 10; size >= 4096; {
		r, err := shm.Create(fmt.Sprintf("%s/fill%d", dir, len(fill)), size, nil)
		if err != nil {
			size /= 2
			continue
		}
		fill = append(fill, r)
	}
	r, err := shm.Open(dir+"/sparse", nil)
	if err != nil {
		return err
	}
	ro, err := shm.OpenReader(dir+"/sparse", nil)
	if err != nil {
		return err
	}
	faults := 0
	for what, use := range victims {
		for i := range 20 {
			err := use(r, ro, i)
			if !promised(err) {
				return fmt.Errorf("%s: %w", what, err)
			}
			if errors.Is(err, shm.ErrFault) {
				faults++
			}
		}
	}
	if faults == 0 {
		return errors.New("a full file system faulted nothing")
	}
	if err := shm.Remove(dir + "/fill0"); err != nil {
		return err
	}
	if err := fill[0].Close(); err != nil {
		return err
	}
	_, err = r.WriteAt(make([]byte, hostileSize), 0)
	return err
}
