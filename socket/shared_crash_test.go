//go:build linux && !ipcportable

package socket

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"

	"github.com/ipcctl/ipc/socket/frame"
)

// A process is killed, or stopped, at every step of the protocol. Its peer gets what was
// sent before, whole and in order, and then the end; or it waits, as long as it likes.

var _ = func() bool {
	helpers["shared-victim"] = sharedVictim
	return true
}()

const victimRounds = 400

// victimMessage is message i of either direction, and how many descriptors it has.
func victimMessage(i int) (msg []byte, files int) {
	msg = binary.BigEndian.AppendUint32(nil, uint32(i))
	msg = append(msg, pattern(i*37%6000)...)
	if i%7 == 3 {
		files = 1 + i%2
	}
	return msg, files
}

// sharedVictim sends messages on the connection that it dials, or accepts, and takes those
// of its peer, until it gives itself the signal args[3] at step args[1] for the args[2]th
// time.
func sharedVictim(args []string) {
	path := args[4]
	step, _ := strconv.Atoi(args[1])
	left, _ := strconv.Atoi(args[2])
	sig, _ := strconv.Atoi(args[3])
	var n atomic.Int32
	hook := func(s ringStep) {
		if s == ringStep(step) && int(n.Add(1)) == left {
			_ = syscall.Kill(os.Getpid(), syscall.Signal(sig))
		}
	}
	ctx := context.Background()
	o := ConnOptions{SharedBuffer: minShared, Spin: -1}
	var c *Conn
	if args[0] == "dials" {
		var err error
		if c, err = Dial(ctx, path, &DialOptions{Wait: true, Conn: o}); err != nil {
			panic(err)
		}
	} else {
		l, err := Listen(path, &ListenOptions{Conn: o})
		if err != nil {
			panic(err)
		}
		if c, err = l.Accept(ctx); err != nil {
			panic(err)
		}
		if _, err = c.Recv(ctx); err != nil { // which brings the offer
			panic(err)
		}
	}
	s := c.shared.Load()
	s.in.hook, s.out.hook = hook, hook
	turns := turnsFor(ringStep(step), left)
	if turns != nil {
		turns <- struct{}{} // it begins
	}
	if err := converse(ctx, c, nil, turns); err != nil {
		panic(err)
	}
}

// turnsFor makes the two sides take turns where somebody has to sleep many times: whoever
// finds enough to do seldom does. Each message needs one, and each that comes gives one.
func turnsFor(step ringStep, nth int) chan struct{} {
	if nth > 2 && (step == stepAnnounce || step == stepBell) {
		return make(chan struct{}, victimRounds+1)
	}
	return nil
}

// converse sends all messages of its direction, receives all of the other, and returns the
// first thing that went wrong. With given it is impatient, and counts how often it has given
// up a Recv and called it again; with turns it waits for one before each message.
func converse(ctx context.Context, c *Conn, given *atomic.Int32, turns chan struct{}) error {
	file, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer file.Close()
	sent := make(chan error, 1)
	go func() {
		for i := range victimRounds {
			if turns != nil {
				if _, ok := <-turns; !ok {
					break
				}
			}
			msg, n := victimMessage(i)
			if err := c.Send(ctx, msg, []*os.File{file, file}[:n]...); err != nil {
				sent <- err
				return
			}
		}
		sent <- c.CloseWrite(ctx)
	}()
	for i := 0; err == nil; i++ {
		var m Message
		if m, err = recvPatiently(ctx, c, given); err != nil {
			break
		}
		msg, n := victimMessage(i)
		if !bytes.Equal(m.Data, msg) || len(m.Files) != n {
			err = fmt.Errorf("message %d is wrong: %d bytes, %d files", i, len(m.Data), len(m.Files))
		}
		m.Close()
		if turns != nil {
			turns <- struct{}{}
		}
		if i == victimRounds-1 && err == nil {
			if _, err = c.Recv(ctx); err == io.EOF {
				return <-sent
			}
		}
	}
	if turns != nil {
		close(turns)
	}
	return errors.Join(err, <-sent)
}

func recvPatiently(ctx context.Context, c *Conn, given *atomic.Int32) (Message, error) {
	for given != nil {
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		m, err := c.Recv(short)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return m, err
		}
		given.Add(1)
	}
	return c.Recv(ctx)
}

// victim starts a victim and connects to it.
func victim(t *testing.T, role string, step ringStep, nth int, sig syscall.Signal) (*Conn, *os.Process) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	cmd := helper(t, "shared-victim", role, strconv.Itoa(int(step)), strconv.Itoa(nth), strconv.Itoa(int(sig)), path)
	o := ConnOptions{SharedBuffer: minShared, Spin: -1}
	var c *Conn
	var err error
	start := func() {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	}
	if role == "dials" {
		l, err := Listen(path, &ListenOptions{Conn: o})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		start()
		if c, err = l.Accept(soon(t)); err != nil {
			t.Fatal(err)
		}
	} else {
		start()
		if c, err = Dial(soon(t), path, &DialOptions{Wait: true, Conn: o}); err != nil {
			t.Fatal(err)
		}
		if err := c.Send(soon(t), nil); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { c.Close() })
	return c, cmd.Process
}

func TestSharedKilledAtEachStep(t *testing.T) {
	for _, role := range []string{"dials", "accepts"} {
		for step := range ringSteps {
			for _, nth := range []int{1, 2, 30} {
				if step == stepSwitch && (nth > 1 || role == "dials") {
					continue // it enters once, who dials before the hook is there
				}
				t.Run(fmt.Sprintf("%s/%d/%d", role, step, nth), func(t *testing.T) {
					c, _ := victim(t, role, step, nth, syscall.SIGKILL)
					err := converse(soon(t), c, nil, turnsFor(step, nth))
					if !errors.Is(err, ErrPeerClosed) && !errors.Is(err, ErrTruncated) && !errors.Is(err, io.EOF) {
						t.Fatalf("killed at step %d for the %dth time: %v", step, nth, err)
					}
				})
			}
		}
	}
}

func TestSharedStoppedAtEachStep(t *testing.T) {
	for _, role := range []string{"dials", "accepts"} {
		for step := range ringSteps {
			if step == stepSwitch && role == "dials" {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", role, step), func(t *testing.T) {
				is := is.New(t)
				c, p := victim(t, role, step, 5, syscall.SIGSTOP)
				if step == stepSwitch {
					c, p = victim(t, role, step, 1, syscall.SIGSTOP)
				}
				done := make(chan error, 1)
				var given atomic.Int32
				go func() { done <- converse(soon(t), c, &given, turnsFor(step, 5)) }()
				eventually(t, "it has stopped", func() bool {
					var info unix.Siginfo
					return unix.Waitid(unix.P_PID, p.Pid, &info, unix.WSTOPPED|unix.WNOHANG|unix.WNOWAIT, nil) == nil && info.Signo == int32(syscall.SIGCHLD)
				})
				// Who waits for it can stop waiting, and it goes on where it was.
				before := given.Load()
				eventually(t, "its peer has given up waiting", func() bool { return given.Load() > before })
				is.NoErr(p.Signal(syscall.SIGCONT))
				is.NoErr(<-done)
			})
		}
	}
}

// A peer that dies between two messages, and says nothing any more, is noticed by who only
// sends, at the latest when the ring is full.
func TestSendToTheDead(t *testing.T) {
	is := is.New(t)
	c, p := victim(t, "accepts", ringSteps, 0, 0)
	m, err := c.Recv(soon(t)) // it is at work
	is.NoErr(err)
	is.NoErr(m.Close())
	is.NoErr(p.Kill())
	for sent := 0; err == nil; sent++ {
		err = c.Send(soon(t), []byte("x"))
		is.True(sent < minShared)
	}
	is.True(errors.Is(err, ErrPeerClosed))
}

// spoil runs f on the memory of a connection while its other side does not look.
func TestSharedSpoilt(t *testing.T) {
	word := binary.NativeEndian
	set := func(line, at int, v uint64) func(mem []byte) {
		return func(mem []byte) { word.PutUint64(mem[line*lineLen+at:], v) }
	}
	const in, out = 0, ringHead / lineLen // as seen by b: a writes to ring 0
	for name, tt := range map[string]struct {
		spoil func(mem []byte)
		recv  bool // is what b does
	}{
		"head before tail":       {set(in+0, 0, 0), true},
		"head beyond the ring":   {set(in+0, 0, 1<<40), true},
		"head beyond everything": {set(in+0, 0, 1<<64-1), true},
		"descriptors that never come": {func(mem []byte) {
			set(in+0, 8, 1)(mem)
			set(in+0, 0, 5)(mem)
		}, true},
		"tail beyond head": {set(out+1, 0, 1<<40), false},
		"tail goes back":   {set(out+1, 0, 0), false},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			a, b := sharedPair(t, ConnOptions{})
			accepted(t, a, b)
			if !tt.recv { // b has written and looked at tail
				for range 2 * minShared / 1000 {
					is.NoErr(b.Send(soon(t), pattern(1000)))
					_, err := a.Recv(soon(t))
					is.NoErr(err)
				}
			}
			mem := a.shared.Load().mem
			good := bytes.Clone(mem)
			tt.spoil(mem)
			var err error
			if tt.recv {
				_, err = b.Recv(soon(t))
			} else {
				for range 2 * minShared / 1000 {
					if err = b.Send(soon(t), pattern(1000)); err != nil {
						break
					}
				}
			}
			is.True(errors.Is(err, frame.ErrCorrupt))
			if tt.recv { // whatever is there afterwards
				copy(mem, good)
				is.NoErr(a.Send(soon(t), nil))
				_, err = b.Recv(soon(t))
				is.True(errors.Is(err, frame.ErrCorrupt))
			}
		})
	}
}

// Memory that is gone, as no seal allows: an error, and not the end of the process.
func TestSharedMemoryIsGone(t *testing.T) {
	send := func(n int) func(context.Context, *Conn) error {
		return func(ctx context.Context, c *Conn) error { return c.Send(ctx, pattern(n)) }
	}
	recv := func(ctx context.Context, c *Conn) error { _, err := c.Recv(ctx); return err }
	for name, tt := range map[string]struct {
		call  func(ctx context.Context, c *Conn) error
		there int64 // bytes
	}{
		"Send":                        {send(1), 0},
		"Send, without room for data": {send(1), sharedHead},
		"Send, long, likewise":        {send(1 << 20), sharedHead},
		"Recv":                        {recv, 0},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			a, b := sharedPair(t, ConnOptions{})
			accepted(t, a, b)
			s := b.shared.Load()
			f, err := os.CreateTemp(t.TempDir(), "")
			is.NoErr(err)
			defer f.Close()
			is.NoErr(f.Truncate(tt.there)) // and the rest of its page
			gone, err := unix.Mmap(int(f.Fd()), 0, len(s.mem), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			is.NoErr(err)
			s.leak.Stop()
			sysUnmap(s.mem)
			spoilt := useRings(gone, minShared, 1, s.bells)
			spoilt.in.on, spoilt.out.on = true, true
			b.shared.Store(spoilt)
			spoilt.bind(b)
			err = tt.call(soon(t), b)
			is.True(errors.Is(err, frame.ErrCorrupt))
			is.NoErr(b.Close())
		})
	}
}

// Close while everything else is under way: memory that is unmapped under somebody would be
// a fault, which is ErrCorrupt, and any that is left mapped is found at the end.
func TestSharedCloseMeetsEverything(t *testing.T) {
	file := numbered(t, 0, 1)
	for round := range uint64(150) {
		a, b := pair(t, &ConnOptions{SharedBuffer: minShared, Spin: 20 * time.Microsecond})
		src := rand.New(rand.NewPCG(round, 1))
		ctx := soon(t)
		var wg sync.WaitGroup
		if round%4 == 0 {
			wg.Go(func() { _ = a.Share(ctx) })
		} else if err := a.Share(ctx); err != nil && !a.Shared() {
			t.Fatal(err)
		}
		for _, c := range []*Conn{a, b} {
			for _, call := range []func() error{
				func() error { return c.Send(ctx, pattern(20_000)) },
				func() error { return c.Send(ctx, pattern(2000), file...) },
				func() error { return c.SendBuffered(ctx, pattern(1000)) },
				func() error { c.TryFlush(); c.Pending(); return c.Flush(ctx) },
				func() error { m, err := c.Recv(ctx); m.Close(); return err },
				func() error {
					short, cancel := context.WithTimeout(ctx, 50*time.Microsecond)
					defer cancel()
					_ = c.Send(short, pattern(100_000))
					m, err := c.Recv(short)
					if m.Close(); errors.Is(err, context.DeadlineExceeded) {
						return nil
					}
					return err
				},
			} {
				if src.IntN(3) == 0 {
					continue
				}
				wg.Go(func() {
					var err error
					for err == nil {
						err = call()
					}
					if errors.Is(err, frame.ErrCorrupt) || errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
				})
			}
			for range 2 {
				for wait := src.IntN(100); wait > 0; wait-- {
					runtime.Gosched()
				}
				wg.Go(func() { c.Close() })
			}
		}
		wg.Wait()
	}
}

// The peer changes any word at any time, also between two looks at it, and rings and sends
// records as it likes: what comes of it is messages, errors, or the end of a context.
func TestSharedWordsChange(t *testing.T) {
	file := numbered(t, 0, 1)
	for round := range uint64(40) {
		a, b := sharedPair(t, ConnOptions{Spin: time.Duration(round%2)*20*time.Microsecond - 1})
		mem := a.shared.Load().mem
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		var peer, wg sync.WaitGroup
		peer.Go(func() {
			src := rand.New(rand.NewPCG(round, 2))
			for ctx.Err() == nil {
				r := ringIn(mem, src.IntN(2), minShared)
				v := src.Uint64() >> src.IntN(64)
				switch src.IntN(9) {
				case 0:
					r.head.Store(v)
				case 1:
					r.tail.Store(v)
				case 2:
					r.head.Add(v & 1023)
				case 3:
					r.tail.Add(v & 1023)
				case 4:
					r.records.Store(v & 3)
				case 5:
					r.switched.Store(v)
				case 6:
					r.reader.Store(uint32(v & 7))
				case 7:
					r.writer.Store(uint32(v & 7))
				case 8:
					_ = a.control(func(fd uintptr) {
						_, _ = sysSend(int(fd), []byte{byte(v & 1), 2}[:1+v>>1&1], nil, sysRights([]int{int(fd)}[:v>>2&1]))
					})
				}
				for range src.IntN(1000) {
					runtime.Gosched()
				}
			}
		})
		for _, c := range []*Conn{a, b} {
			wg.Go(func() {
				for ctx.Err() == nil {
					m, _ := c.Recv(ctx)
					m.Close()
				}
			})
			wg.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					_ = c.Send(ctx, pattern(i*997%30_000), file[:i%2]...)
				}
			})
		}
		wg.Wait()
		cancel()
		peer.Wait() // it writes to the memory
		a.Close()
		b.Close()
	}
}

// flood writes bells to the socket of d, until the other side has closed.
func flood(t *testing.T, d *descriptor) {
	t.Helper()
	var fd int
	err := d.raw.Control(func(of uintptr) { fd, _ = sysDup(int(of)) })
	if err != nil || fd < 0 {
		t.Fatal(err)
	}
	sysWriteBuffer(fd, 8<<20)
	b := make([]byte, 1<<20)
	fill := func() error {
		for {
			if _, err := unix.SendmsgN(fd, b, nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT); err != nil {
				return err
			}
		}
	}
	_ = fill()
	go func() {
		defer unix.Close(fd)
		for fill() == unix.EAGAIN {
			runtime.Gosched()
		}
	}()
}

// A peer that rings without end keeps nobody beyond his context.
func TestSharedFloodOfBells(t *testing.T) {
	recv := func(ctx context.Context, a, b *Conn) error {
		_, err := b.Recv(ctx)
		return err
	}
	for name, call := range map[string]func(ctx context.Context, a, b *Conn) error{
		"Recv": func(ctx context.Context, a, b *Conn) error {
			flood(t, a.desc.Load())
			return recv(ctx, a, b)
		},
		"Recv with an IdleTimeout": func(_ context.Context, a, b *Conn) error {
			flood(t, a.desc.Load())
			b.opts.IdleTimeout = 50 * time.Millisecond
			return recv(context.Background(), a, b)
		},
		"Recv of what waits for descriptors": func(ctx context.Context, a, b *Conn) error {
			flood(t, a.desc.Load())
			s := a.shared.Load()
			s.out.records.Store(1)
			s.out.head.Store(s.out.at + 1)
			return recv(ctx, a, b)
		},
		"Send": func(ctx context.Context, a, b *Conn) error {
			flood(t, a.shared.Load().bells)
			return b.Send(ctx, pattern(1<<20))
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			a, b := sharedPair(t, ConnOptions{Spin: -1})
			accepted(t, a, b)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- call(ctx, a, b) }()
			select {
			case err := <-done:
				if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrTimeout) {
					t.Error(err)
				}
			case <-time.After(watchdog):
				t.Error("it goes on and on")
			}
			is.NoErr(b.Close())
		})
	}
}

// Whatever is in the memory and on the socket, what comes of it is messages and errors.
func FuzzShared(f *testing.F) {
	record := binary.BigEndian.AppendUint64([]byte{recordByte}, 0)
	f.Add([]byte{}, []byte{}, uint64(0), uint64(0), uint64(0))
	f.Add(frame.Append(nil, []byte("x")), []byte{bellByte}, uint64(5), uint64(0), uint64(0))
	f.Add(frame.Append(nil, []byte("x")), record, uint64(5), uint64(1), uint64(3))
	f.Add([]byte{0xff, 0xff, 0xff, 0xfe}, append(record, record...), uint64(1<<40), uint64(7), uint64(1<<50))
	f.Fuzz(func(t *testing.T, data, bytes []byte, head, records, tail uint64) {
		a, b, err := Pair()
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		defer b.Close()
		o := &ConnOptions{SharedBuffer: minShared, Spin: -1, MaxFiles: 2}
		a.Configure(o)
		b.Configure(o)
		if !a.Shared() {
			if err := a.Share(soon(t)); err != nil {
				t.Fatal(err)
			}
		}
		accepted(t, a, b)
		s := a.shared.Load()
		at := s.out.at
		for i, c := range data[:min(len(data), minShared)] {
			s.out.data[(at+uint64(i))&(uint64(len(s.out.data))-1)] = c
		}
		s.out.records.Store(records)
		s.in.tail.Store(tail)
		s.out.head.Store(at + head)
		_ = a.control(func(fd uintptr) {
			for len(bytes) > 0 {
				n := min(len(bytes), 1+len(bytes)/2)
				if _, err := sysSend(int(fd), bytes[:n], nil, sysRights([]int{int(fd)})); err != nil {
					return
				}
				bytes = bytes[n:]
			}
			_ = sysShutdownWrite(int(fd))
		})
		for err = nil; err == nil; {
			var m Message
			m, err = b.Recv(soon(t))
			m.Close()
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		for err = nil; err == nil; {
			err = b.Send(ctx, pattern(10_000))
		}
	})
}
