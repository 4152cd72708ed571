//go:build unix

package queue

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

var campaignKills = flag.Int("campaign", 300, "how many processes TestCampaign kills")

// A campaign is a row of rounds, each with a queue of its own:
//
//	parent     a producer and a consumer that live through the round and measure stalls
//	slots      a producer or consumer process each; killed or stopped at a random
//	           moment, replaced by another, and so on
//	ledgers    each producer process writes how many messages were accepted, each
//	           consumer process what it got, by write(2), which outlives it
//
// At the end of a round the queue is drained and the ledgers are compared.

// mode is how the consumers of a round take.
type mode int

const (
	byGet mode = iota
	byBatch
	byLease
	byDeadLease // with a dead-letter queue, and many messages given back
	modes       // the number of modes
)

func (m mode) String() string {
	return [...]string{"Get", "GetBatch", "Lease", "Lease with dead letters"}[m]
}

const (
	campaignSlots = 3
	mostPacked    = 5 // messages in one PutBatch
	mostTaken     = 7 // messages in one GetBatch
)

func (m mode) options(capacity int) *Options {
	o := &Options{Capacity: capacity, Lanes: 24, MaxMessage: 5000, EntrySize: 256, Memory: 200 << 10}
	if m == byDeadLease {
		o.MaxAttempts, o.DeadLetters = 3, 1000
	}
	return o
}

// A campaign message: producer u32, sequence u32, length u32, CRC u32, payload.
const messageHeader = 16

func makeMessage(rnd *rand.Rand, producer, seq uint32) []byte {
	n := rnd.IntN(200)
	if rnd.IntN(8) == 0 {
		n = rnd.IntN(5000 - messageHeader)
	}
	m := make([]byte, messageHeader+n)
	for i := messageHeader; i < len(m); i++ {
		m[i] = byte(seq) + byte(i)*byte(producer|1)
	}
	e := binary.LittleEndian
	e.PutUint32(m, producer)
	e.PutUint32(m[4:], seq)
	e.PutUint32(m[8:], uint32(n))
	e.PutUint32(m[12:], checksum(m))
	return m
}

// checksum is of all but itself.
func checksum(m []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(m[:12]), crc32.IEEETable, m[messageHeader:])
}

// receipt is what a consumer writes of a message, as 16 bytes.
type receipt struct {
	producer, seq uint32
	torn, again   bool
}

func receiptOf(m []byte, again bool) receipt {
	if len(m) < messageHeader {
		return receipt{torn: true}
	}
	e := binary.LittleEndian
	ok := e.Uint32(m[8:]) == uint32(len(m)-messageHeader) && e.Uint32(m[12:]) == checksum(m)
	return receipt{e.Uint32(m), e.Uint32(m[4:]), !ok, again}
}

func (r receipt) append(b []byte) []byte {
	e := binary.LittleEndian
	b = e.AppendUint32(e.AppendUint32(b, r.producer), r.seq)
	return append(b, bit(r.torn), bit(r.again), 0, 0, 0, 0, 0, 0)
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func readReceipts(b []byte) (l []receipt) {
	e := binary.LittleEndian
	for ; len(b) >= 16; b = b[16:] {
		l = append(l, receipt{e.Uint32(b), e.Uint32(b[4:]), b[8] != 0, b[9] != 0})
	}
	return l
}

// putNumbered puts messages until ctx ends or the queue is closed for writing, and
// calls accepted with how many were put so far.
func putNumbered(ctx context.Context, q *Queue, id uint32, rnd *rand.Rand, accepted func(n uint32)) error {
	for seq := uint32(0); ; {
		var err error
		n := 1
		if rnd.IntN(2) == 0 {
			err = q.Put(ctx, makeMessage(rnd, id, seq))
			n = int(1 - bit(err != nil))
		} else {
			batch := make([][]byte, 1+rnd.IntN(mostPacked))
			for i := range batch {
				batch[i] = makeMessage(rnd, id, seq+uint32(i))
			}
			n, err = q.PutBatch(ctx, batch)
		}
		seq += uint32(n)
		accepted(seq)
		if err != nil {
			return err
		}
	}
}

// takeNumbered takes messages until ctx or the queue ends, and calls got with them
// before it acknowledges.
func takeNumbered(ctx context.Context, q *Queue, m mode, rnd *rand.Rand, got func(...receipt)) error {
	for {
		switch m {
		case byGet:
			msg, err := q.Get(ctx)
			if err != nil {
				return err
			}
			got(receiptOf(msg, false))
		case byBatch:
			msgs, err := q.GetBatch(ctx, 1+rnd.IntN(mostTaken))
			if err != nil {
				return err
			}
			l := make([]receipt, len(msgs))
			for i, msg := range msgs {
				l[i] = receiptOf(msg, false)
			}
			got(l...)
		default:
			lease, err := q.Lease(ctx)
			if err != nil {
				return err
			}
			if m == byDeadLease && rnd.IntN(4) == 0 || rnd.IntN(20) == 0 {
				if err := lease.Nack(); err != nil {
					return err
				}
				continue
			}
			got(receiptOf(lease.Bytes(), lease.Redelivered()))
			if err := lease.Ack(); err != nil {
				return err
			}
		}
	}
}

var (
	producerMain = registerChild("producer", runProducer)
	consumerMain = registerChild("consumer", runConsumer)
)

// runProducer is a producer process: queue, ledger, id.
func runProducer(args []string) error {
	id, err := strconv.ParseUint(args[2], 10, 32)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(args[1], os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	q, err := Open(args[0], nil)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	var werr error
	err = putNumbered(context.Background(), q, uint32(id), rand.New(rand.NewPCG(id, 1)), func(n uint32) {
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], n)
		if _, err := f.WriteAt(b[:], 0); err != nil {
			werr = err
		}
	})
	if errors.Is(err, ErrClosedWrite) {
		err = nil
	}
	return errors.Join(err, werr)
}

// runConsumer is a consumer process: queue, ledger, mode, id.
func runConsumer(args []string) error {
	var m, id int
	if _, err := fmt.Sscan(args[2]+" "+args[3], &m, &id); err != nil {
		return err
	}
	f, err := os.OpenFile(args[1], os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	q, err := Open(args[0], nil)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	var werr error
	err = takeNumbered(context.Background(), q, mode(m), rand.New(rand.NewPCG(uint64(id), 2)), func(l ...receipt) {
		var b []byte
		for _, r := range l {
			b = r.append(b)
		}
		if _, err := f.Write(b); err != nil {
			werr = err
		}
	})
	if err == io.EOF {
		err = nil
	}
	return errors.Join(err, werr)
}

// tally is what a campaign counts.
type tally struct {
	kills, consumerKills, stops int
	accepted, delivered         int
	redelivered, lost, buried   int
	counted                     uint64 // as lost, by the queues
	stall                       time.Duration
}

// stopwatch keeps the longest time between two events.
type stopwatch struct {
	last    time.Time
	longest time.Duration
}

func (s *stopwatch) tick() {
	now := time.Now()
	if !s.last.IsZero() {
		s.longest = max(s.longest, now.Sub(s.last))
	}
	s.last = now
}

// round is one queue's part of a campaign.
type round struct {
	mode     mode
	capacity int
	name     string
	dir      string

	mu      sync.Mutex
	next    uint32 // id of the next process
	kills   int    // left to do
	tally   *tally
	failure error
}

// slot keeps one process running and attacks it, until the round's kills are done.
func (r *round) slot(rnd *rand.Rand) {
	for {
		r.mu.Lock()
		if r.kills <= 0 || r.failure != nil {
			r.mu.Unlock()
			return
		}
		r.kills--
		r.next++
		id := r.next
		r.mu.Unlock()

		consumer := rnd.IntN(2) == 0
		stops, err := r.victim(rnd, id, consumer)
		r.mu.Lock()
		r.tally.kills++
		r.tally.stops += stops
		if consumer {
			r.tally.consumerKills++
		}
		if err != nil && r.failure == nil {
			r.failure = err
		}
		r.mu.Unlock()
	}
}

// victim runs process id until its death.
func (r *round) victim(rnd *rand.Rand, id uint32, consumer bool) (stops int, err error) {
	kind, args := producerMain, []string{r.name, r.ledger("p", id), fmt.Sprint(id)}
	if consumer {
		kind, args = consumerMain, []string{r.name, r.ledger("c", id), fmt.Sprint(int(r.mode)), fmt.Sprint(id)}
	}
	c, err := start(kind, args...)
	if err != nil {
		return 0, err
	}
	defer c.kill()
	if rnd.IntN(5) > 0 { // else it dies somewhere on the way in
		if _, err := c.line(); err != nil {
			return 0, fmt.Errorf("%s: %w: %s", kind, err, c.err.String())
		}
	}
	pause := func(most time.Duration) { time.Sleep(time.Duration(rnd.Int64N(int64(most)))) }
	pause(4 * time.Millisecond)
	if rnd.IntN(5) == 0 {
		stops++
		c.cmd.Process.Signal(syscall.SIGSTOP)
		pause(20 * time.Millisecond)
		if rnd.IntN(2) == 0 {
			c.cmd.Process.Signal(syscall.SIGCONT)
			pause(4 * time.Millisecond)
		}
	}
	c.cmd.Process.Kill()
	err = c.cmd.Wait()
	if ws, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !ws.Signaled() {
		return stops, fmt.Errorf("%s: %v: %s", kind, err, c.err.String())
	}
	return stops, nil
}

func (r *round) ledger(kind string, id uint32) string {
	return filepath.Join(r.dir, fmt.Sprint(kind, id))
}

// run is the whole round.
func (r *round) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	q, err := Create(r.name, r.mode.options(r.capacity))
	if err != nil {
		t.Fatal(err)
	}
	defer Remove(r.name)
	defer q.Close()
	watchdog := time.AfterFunc(9*time.Minute, func() { panic("the queue is wedged") })
	defer watchdog.Stop()

	// The survivors: producer 0, and a consumer. They leave most of the work to
	// those who die.
	const rest = 50 * time.Microsecond
	var puts, gets stopwatch
	var accepted uint32
	var got []receipt
	var survivors, slots sync.WaitGroup
	var putErr, getErr error
	survivors.Go(func() {
		putErr = putNumbered(ctx, q, 0, rand.New(rand.NewPCG(0, 3)), func(n uint32) {
			accepted = n
			puts.tick()
			time.Sleep(rest)
		})
	})
	survivors.Go(func() {
		getErr = takeNumbered(ctx, q, r.mode, rand.New(rand.NewPCG(0, 4)), func(l ...receipt) {
			got = append(got, l...)
			gets.tick()
			time.Sleep(rest)
		})
	})
	for range campaignSlots {
		rnd := rand.New(rand.NewPCG(rand.Uint64(), 0))
		slots.Go(func() { r.slot(rnd) })
	}
	slots.Wait()
	if err := q.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	survivors.Wait()
	if r.failure != nil {
		t.Fatal(r.failure)
	}
	if !errors.Is(putErr, ErrClosedWrite) || getErr != io.EOF {
		t.Fatalf("the survivors ended with %v and %v", putErr, getErr)
	}
	r.tally.stall = max(r.tally.stall, puts.longest, gets.longest)

	var buried []receipt
	if r.mode == byDeadLease {
		buried = r.exhume(t)
	}
	if err := q.reapDead(); err != nil { // those who died last and had nothing on lease
		t.Error(err)
	}
	st := q.Stats()
	r.tally.counted += st.Lost + st.LostAtMost
	if st.Len != 0 || st.Leased != 0 || st.ChunksUsed != 0 {
		t.Errorf("after the end: %d messages, %d leased, %d chunks", st.Len, st.Leased, st.ChunksUsed)
	}
	if !reapAll(q.r, nil) {
		t.Error("a lane cannot be reaped")
	}
	for _, f := range audit(q.r) {
		t.Error(f)
	}
	r.compare(t, accepted, got, buried)
}

// exhume returns what is in the dead-letter queue.
func (r *round) exhume(t *testing.T) (l []receipt) {
	q, err := Open(DeadName(r.name), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for {
		m, err := q.TryGet()
		if err != nil {
			return l
		}
		l = append(l, receiptOf(m, true))
	}
}

// compare compares what was put with what came.
func (r *round) compare(t *testing.T, accepted uint32, got, buried []receipt) {
	puts := map[uint32]uint32{0: accepted}
	logs := [][]receipt{got}
	for id := uint32(1); id <= r.next; id++ {
		if b, err := os.ReadFile(r.ledger("p", id)); err == nil && len(b) == 4 {
			puts[id] = binary.LittleEndian.Uint32(b)
		}
		if b, err := os.ReadFile(r.ledger("c", id)); err == nil {
			logs = append(logs, readReceipts(b))
		}
	}
	type key struct{ producer, seq uint32 }
	came := map[key]bool{}
	for i, l := range logs {
		last := map[uint32]uint32{} // by producer: the last sequence number + 1
		for _, m := range l {
			k := key{m.producer, m.seq}
			switch {
			case m.torn:
				t.Errorf("%v: consumer %d: torn message %v", r.mode, i, k)
				continue
			case m.producer > r.next || m.seq >= puts[m.producer]+mostPacked:
				t.Errorf("%v: consumer %d: message %v was never put", r.mode, i, k)
				continue
			case came[k] && !m.again && r.mode < byLease:
				t.Errorf("%v: message %v came twice", r.mode, k)
			case !m.again && m.seq < last[m.producer]:
				t.Errorf("%v: consumer %d: message %v after %d", r.mode, i, k, last[m.producer]-1)
			}
			came[k] = true
			r.tally.delivered++
			if m.again {
				r.tally.redelivered++
			} else {
				last[m.producer] = m.seq + 1
			}
		}
	}
	// A message that came several times came first without the flag; only the
	// logs of different processes have no common order.
	if r.mode >= byLease {
		first := map[key]int{}
		for _, l := range logs {
			for _, m := range l {
				if !m.again {
					if first[key{m.producer, m.seq}]++; first[key{m.producer, m.seq}] > 1 {
						t.Errorf("%v: message %d of %d came twice without saying so", r.mode, m.seq, m.producer)
					}
				}
			}
		}
	}
	for _, m := range buried {
		r.tally.buried++
		came[key{m.producer, m.seq}] = true
	}
	for id, n := range puts {
		r.tally.accepted += int(n)
		for seq := range n {
			if !came[key{id, seq}] {
				r.tally.lost++
				if r.mode >= byLease {
					t.Errorf("%v: message %d of %d is lost", r.mode, seq, id)
				}
			}
		}
	}
}

// TestCampaign kills many processes at random moments. -campaign=10000 is the
// long form.
func TestCampaign(t *testing.T) {
	kills := *campaignKills
	if testing.Short() {
		kills = min(kills, 60)
	}
	var all [modes]tally
	for i := 0; kills > 0; i++ {
		m := mode(i) % modes
		capacity := []int{4, 8, 5, 13}[i/int(modes)%4]
		most := []int{1, mostTaken}[bit(m == byBatch)]
		n := min(kills, max(3*capacity+5, 50))
		if kills-n < 3*capacity {
			n = kills
		}
		kills -= n
		one := &tally{}
		name := uniqueName(t)
		if i%3 == 2 {
			name = filepath.Join(t.TempDir(), "q")
		}
		r := &round{mode: m, capacity: capacity, name: name, dir: t.TempDir(), kills: n, tally: one}
		r.run(t)
		if one.lost > most*one.consumerKills {
			t.Errorf("%v: %d messages lost by %d kills of consumers", m, one.lost, one.consumerKills)
		}
		all[m].add(one)
		if t.Failed() {
			t.Fatalf("round %d: capacity %d, %v, %+v", i, capacity, m, *one)
		}
	}
	var sum tally
	for m := range modes {
		if all[m].kills > 0 {
			t.Logf("%v: %v", m, &all[m])
			sum.add(&all[m])
		}
	}
	fmt.Printf("campaign: %v\n", &sum)
}

func (s *tally) add(o *tally) {
	s.kills += o.kills
	s.consumerKills += o.consumerKills
	s.stops += o.stops
	s.accepted += o.accepted
	s.delivered += o.delivered
	s.redelivered += o.redelivered
	s.lost += o.lost
	s.buried += o.buried
	s.counted += o.counted
	s.stall = max(s.stall, o.stall)
}

func (s *tally) String() string {
	return fmt.Sprintf("%d kills (%d of consumers), %d stops, %d messages accepted, %d delivered, %d of them again, %d dead letters, %d lost (%d counted), 0 torn, 0 out of order, 0 leaked; longest stall %v",
		s.kills, s.consumerKills, s.stops, s.accepted, s.delivered, s.redelivered, s.buried, s.lost, s.counted, s.stall.Round(time.Millisecond))
}
