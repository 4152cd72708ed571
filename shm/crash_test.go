//go:build unix

package shm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/ipcctl/ipc/shm"
	"github.com/ipcctl/ipc/shm/shmsync"
	"github.com/matryer/is"
)

// Layout of the segment of the kill campaigns.
const (
	atMutex  = 0
	atOwner  = 64  // who is in the critical section: 0 or a pid
	atDouble = 72  // how often two were
	atRounds = 80  // critical sections done
	atPair   = 128 // two words that are equal outside the critical section
	atSem    = 192
	permits  = 3
	atInside = 256 // pid per slot of those that hold a permit
	slots    = 64
	atDoomed = 1024 // pids that the parent is about to kill, the last ones
	doomed   = 64
)

// childLocker enters and leaves the critical section until it is killed.
func childLocker(args []string) error {
	r, err := shm.Open(args[0], nil)
	if err != nil {
		return err
	}
	m, err := r.Mutex(atMutex)
	if err != nil {
		return err
	}
	dieWithParent()
	say("ready")
	for {
		if err := criticalSection(r, m, uint64(os.Getpid())); err != nil {
			return err
		}
	}
}

// criticalSection fails if somebody alive is inside, or if what it protects is
// broken without ErrOwnerDead.
func criticalSection(r *shm.Region, m *shmsync.Mutex, me uint64) error {
	owner, _ := r.Word64(atOwner)
	double, _ := r.Word64(atDouble)
	rounds, _ := r.Word64(atRounds)
	a, _ := r.Word64(atPair)
	b, _ := r.Word64(atPair + 8)
	ctx, cancel := context.WithTimeout(context.Background(), watchdog)
	defer cancel()
	err := m.Lock(ctx)
	if errors.Is(err, shmsync.ErrOwnerDead) {
		owner.Store(0) // repair
		v, _ := a.Load()
		b.Store(v)
		err = m.Repaired()
	}
	if err != nil {
		return err
	}
	if ok, _ := owner.CompareAndSwap(0, me); !ok {
		double.Add(1)
	}
	x, _ := a.Add(1)
	for range rand.IntN(100) { // die here
	}
	y, _ := b.Add(1)
	if x != y {
		double.Add(1)
	}
	rounds.Add(1)
	if ok, _ := owner.CompareAndSwap(me, 0); !ok {
		double.Add(1)
	}
	return m.Unlock()
}

// killCount is the size of a kill campaign.
func killCount() int {
	if testing.Short() {
		return min(*kills, 30)
	}
	return *kills
}

func TestMutexKillCampaign(t *testing.T) {
	is := is.New(t)
	name := testName(t)
	r, err := shm.Create(name, 4096, nil)
	is.NoErr(err)
	defer r.Close()
	m, err := r.Mutex(atMutex)
	is.NoErr(err)
	rounds, _ := r.Word64(atRounds)
	double, _ := r.Word64(atDouble)

	longest := killAndReplace(t, "locker", name, rounds, nil)
	is.NoErr(criticalSection(r, m, 1)) // whoever died, we get in
	n, _ := rounds.Load()
	twice, _ := double.Load()
	t.Logf("%d kills, %d critical sections, longest standstill %v", killCount(), n, longest)
	is.Equal(twice, uint64(0)) // never two at once, never a broken pair unnoticed
}

// killAndReplace keeps four children running, kills one after the other at
// random moments, and demands progress after each kill. It returns the longest
// time without progress.
func killAndReplace(t *testing.T, child, name string, rounds shm.Word64, doom func(k, pid int)) (longest time.Duration) {
	const n = 4
	ps := make([]*process, n)
	for i := range ps {
		ps[i] = start(t, child, name, strconv.Itoa(i))
	}
	for _, p := range ps {
		p.line()
	}
	for k := range killCount() {
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond) // a random moment to die
		i := rand.IntN(n)
		if doom != nil {
			doom(k, ps[i].cmd.Process.Pid)
		}
		ps[i].kill()
		before, _ := rounds.Load()
		began := time.Now()
		waitUntil(t, fmt.Sprintf("progress after kill %d", k), func() bool { now, _ := rounds.Load(); return now > before })
		longest = max(longest, time.Since(began))
		ps[i] = start(t, child, name, strconv.Itoa(i))
	}
	for i, p := range ps {
		if doom != nil {
			doom(killCount()+i, p.cmd.Process.Pid)
		}
		p.kill()
	}
	return longest
}

func childPermits(args []string) error {
	r, err := shm.Open(args[0], nil)
	if err != nil {
		return err
	}
	s, err := r.Semaphore(atSem, permits)
	if err != nil {
		return err
	}
	rounds, _ := r.Word64(atRounds)
	dieWithParent()
	say("ready")
	for {
		ctx, cancel := context.WithTimeout(context.Background(), watchdog)
		err := s.Acquire(ctx)
		cancel()
		if err != nil {
			return err
		}
		slot, err := enterSlot(r)
		if err != nil {
			return err
		}
		rounds.Add(1)
		slot.Store(0)
		if err := s.Release(); err != nil {
			return err
		}
	}
}

// enterSlot writes our pid into a free slot, and counts a violation if more
// processes than there are permits are inside and none of them is doomed: the
// parent says so before it kills.
func enterSlot(r *shm.Region) (slot shm.Word64, err error) {
	var inside []uint64
	entered := false
	for i := range int64(slots) {
		w, err := r.Word64(atInside + 8*i)
		if err != nil {
			return slot, err
		}
		v, _ := w.Load()
		if v != 0 && isDoomed(r, v) {
			w.CompareAndSwap(v, 0)
			v, _ = w.Load()
		}
		if v == 0 && !entered {
			entered, _ = w.CompareAndSwap(0, uint64(os.Getpid()))
			slot = w
		} else if v != 0 {
			inside = append(inside, v)
		}
	}
	alive := 1
	for _, pid := range inside {
		if !isDoomed(r, pid) { // looked at last: doom comes before everything that follows from it
			alive++
		}
	}
	if alive > permits {
		double, _ := r.Word64(atDouble)
		double.Add(1)
	}
	return slot, nil
}

func isDoomed(r *shm.Region, pid uint64) bool {
	for i := range int64(doomed) {
		if v, _ := r.LoadUint64(atDoomed + 8*i); v == pid {
			return true
		}
	}
	return false
}

func TestSemaphoreKillCampaign(t *testing.T) {
	is := is.New(t)
	name := testName(t)
	r, err := shm.Create(name, 4096, nil)
	is.NoErr(err)
	defer r.Close()
	rounds, _ := r.Word64(atRounds)
	longest := killAndReplace(t, "permits", name, rounds, func(k, pid int) {
		w, _ := r.Word64(atDoomed + int64(k%doomed)*8)
		w.Store(uint64(pid))
	})
	twice, err := r.LoadUint64(atDouble)
	is.NoErr(err)
	is.Equal(twice, uint64(0)) // never more inside than permits

	// All permits are free again, and there are exactly as many as before.
	s, err := r.Semaphore(atSem, permits)
	is.NoErr(err)
	for range permits {
		is.NoErr(s.Acquire(watchdogContext(t)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	is.True(errors.Is(s.Acquire(ctx), context.DeadlineExceeded))
	for range permits {
		is.NoErr(s.Release())
	}
	is.True(errors.Is(s.Release(), shmsync.ErrNotOwner))
	t.Logf("%d kills, longest standstill %v", killCount(), longest)
}

// A stopped owner is not a dead one: ctx ends the wait.
func TestStoppedOwnerKeepsTheMutex(t *testing.T) {
	is := is.New(t)
	name := testName(t)
	r, err := shm.Create(name, 4096, nil)
	is.NoErr(err)
	defer r.Close()
	m, err := r.Mutex(atMutex)
	is.NoErr(err)
	word, err := r.Word32(atMutex)
	is.NoErr(err)
	p := start(t, "locker", name)
	p.line()
	for owned := false; !owned; { // stop it while it owns the mutex
		is.NoErr(p.cmd.Process.Signal(syscall.SIGSTOP))
		waitUntil(t, "the child stops", func() bool { return stopped(p.cmd.Process.Pid) })
		v, _ := word.Load()
		if owned = v&(1<<30-1) != 0; !owned {
			is.NoErr(p.cmd.Process.Signal(syscall.SIGCONT))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
	defer cancel()
	is.True(errors.Is(m.Lock(ctx), context.DeadlineExceeded))
	ok, err := m.TryLock()
	is.NoErr(err)
	is.True(!ok)
	p.kill() // SIGKILL ends a stopped process too
	is.True(errors.Is(m.Lock(watchdogContext(t)), shmsync.ErrOwnerDead))
	is.NoErr(m.Unlock()) // without Repaired:
	is.True(errors.Is(m.Lock(watchdogContext(t)), shmsync.ErrOwnerDead))
	is.NoErr(m.Repaired())
	is.NoErr(m.Unlock())
	is.NoErr(m.Lock(t.Context()))
	is.NoErr(m.Unlock())
	is.True(errors.Is(m.Unlock(), shmsync.ErrNotOwner))
}

// childCellWriter stores values whose every byte is the same until it is
// killed: cellwriter NAME SEED.
func childCellWriter(args []string) error {
	r, err := shm.Open(args[0], nil)
	if err != nil {
		return err
	}
	c, err := shm.OpenByteCell(r, 0)
	if err != nil {
		return err
	}
	dieWithParent()
	say("ready")
	buf := make([]byte, c.Capacity())
	for {
		n := 1 + rand.IntN(len(buf))
		x := byte(rand.Uint32())
		for i := range buf[:n] {
			buf[i] = x
		}
		buf[0] = byte(n) // and its length is in the first byte
		if err := c.Store(context.Background(), buf[:n]); err != nil {
			return err
		}
	}
}

func TestCellKillCampaign(t *testing.T) {
	is := is.New(t)
	name := testName(t)
	const capacity = 200
	r, err := shm.Create(name, shm.ByteCellSize(capacity), &shm.Options{
		Init: func(mem []byte) error { return shm.InitByteCell(mem, capacity) }})
	is.NoErr(err)
	defer r.Close()
	ro, err := shm.OpenReader(name, nil)
	is.NoErr(err)
	defer ro.Close()
	c, err := shm.OpenByteCellReader(ro, 0)
	is.NoErr(err)
	_, _, err = c.Load(nil)
	is.True(errors.Is(err, shm.ErrEmpty))

	done := make(chan error, 1)
	var reads int
	stop := make(chan struct{})
	go func() { done <- checkCell(c, stop, &reads) }()
	published, err := r.Word64(64)
	is.NoErr(err)
	longest := killAndReplace(t, "cellwriter", name, published, nil)
	close(stop)
	is.NoErr(<-done)
	n, _ := published.Load()
	t.Logf("%d reads of %d values, %d writers killed, longest standstill of writers %v", reads, n, killCount(), longest)
	is.True(reads > 0)
}

// checkCell reads until stop; each value must be whole and none older than the
// one before.
func checkCell(c *shm.ByteCellReader, stop chan struct{}, reads *int) error {
	var buf []byte
	var last uint64
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		for range 1000 {
			v, n, err := c.Load(buf)
			if errors.Is(err, shm.ErrEmpty) {
				continue
			}
			if err != nil {
				return err
			}
			buf = v
			if n < last {
				return fmt.Errorf("value %d after value %d", n, last)
			}
			last = n
			*reads++
			if len(v) != int(v[0]) {
				return fmt.Errorf("value %d: %d bytes, says %d", n, len(v), v[0])
			}
			for _, x := range v[1:] {
				if x != v[len(v)-1] {
					return fmt.Errorf("torn value %d: %x", n, v)
				}
			}
		}
	}
}
