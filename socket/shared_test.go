//go:build linux && !ipcportable

package socket

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"

	"github.com/ipcctl/ipc/socket/frame"
)

// sharedPair returns two connections with each other, through the smallest rings; a has
// offered them.
func sharedPair(t testing.TB, o ConnOptions) (a, b *Conn) {
	t.Helper()
	o.SharedBuffer = minShared
	a, b = pair(t, &o)
	if !a.Shared() {
		if err := a.Share(soon(t)); err != nil {
			t.Fatal(err)
		}
	}
	return a, b
}

// accepted makes b take the offer of a.
func accepted(t testing.TB, a, b *Conn) {
	t.Helper()
	if err := a.Send(soon(t), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Recv(soon(t)); err != nil {
		t.Fatal(err)
	}
}

// echoing sends back what comes, until an error ends it.
func echoing(ctx context.Context, c *Conn) <-chan error {
	ended := make(chan error, 1)
	go func() {
		for {
			m, err := c.Recv(ctx)
			if err == nil {
				err = c.Send(ctx, m.Data)
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	return ended
}

func TestSharedBothWays(t *testing.T) {
	is := is.New(t)
	a, b := sharedPair(t, ConnOptions{})
	ctx := soon(t)
	src := rand.New(rand.NewPCG(1, 2))
	echo := echoing(ctx, b)
	msg := pattern(1 << 20)
	for i := range 1000 {
		n := src.IntN(100)
		switch {
		case i%100 == 0:
			n = src.IntN(1 << 20)
		case i%10 == 0:
			n = src.IntN(40 << 10)
		}
		from := src.IntN(len(msg) - n + 1)
		is.NoErr(a.Send(ctx, msg[from:from+n]))
		m, err := a.Recv(ctx)
		is.NoErr(err)
		is.True(bytes.Equal(m.Data, msg[from:from+n]))
	}
	is.True(a.Shared())
	is.True(b.Shared())
	is.NoErr(a.CloseWrite(ctx))
	is.Equal(<-echo, io.EOF)
	is.NoErr(b.Close())
	_, err := a.Recv(ctx)
	is.Equal(err, io.EOF)
}

// The side that takes the offer has sent before it did: the stream goes over from the
// socket to the ring, wherever that falls, with its descriptors.
func TestStreamEntersTheRing(t *testing.T) {
	for _, early := range []int{0, 1, 2, 50} {
		is := is.New(t)
		a, b := sharedPair(t, ConnOptions{})
		files := numbered(t, 0, 4)
		send := func(from, n int) {
			for i := from; i < from+n; i++ {
				var with []*os.File
				if i%3 == 0 {
					with = files[i%4 : i%4+1]
				}
				is.NoErr(b.Send(soon(t), pattern(i), with...))
			}
		}
		send(0, early)
		accepted(t, a, b)
		sent := make(chan struct{})
		go func() { send(early, 300); close(sent) }()
		for i := range early + 300 {
			m, err := a.Recv(soon(t))
			is.NoErr(err)
			is.True(bytes.Equal(m.Data, pattern(i)))
			is.Equal(len(m.Files) == 1, i%3 == 0)
			if i%3 == 0 {
				is.Equal(number(t, m.Files[0]), i%4)
			}
			is.NoErr(m.Close())
		}
		<-sent
	}
}

// One listener serves those who share memory and those who do not, all with the same
// policy and key.
func TestListenerSharesWithWhoOffers(t *testing.T) {
	for _, key := range [][]byte{nil, []byte("key")} {
		is := is.New(t)
		path := filepath.Join(t.TempDir(), "s")
		l, err := Listen(path, &ListenOptions{AuthKey: key, Conn: ConnOptions{SharedBuffer: 1 << 20}})
		is.NoErr(err)
		defer l.Close()
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() {
			for range 3 {
				c, err := l.Accept(soon(t))
				if err != nil {
					t.Error(err)
					return
				}
				wg.Go(func() {
					defer c.Close()
					<-echoing(context.Background(), c)
				})
			}
		})
		for _, size := range []int{-1, 1, 1 << 20} {
			c, err := Dial(soon(t), path, &DialOptions{AuthKey: key, Conn: ConnOptions{SharedBuffer: size}})
			is.NoErr(err)
			is.Equal(c.Shared(), size > 0)
			for _, n := range []int{0, 1, 100_000} {
				is.NoErr(c.Send(soon(t), pattern(n)))
				m, err := c.Recv(soon(t))
				is.NoErr(err)
				is.True(bytes.Equal(m.Data, pattern(n)))
			}
			is.NoErr(c.Close())
		}
	}
}

// offer sends b with files to the other end of a new pair of connections, whose options
// are o, and returns what Recv says there.
func offer(t *testing.T, o ConnOptions, b []byte, files ...int) error {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	theirs := os.NewFile(uintptr(fds[1]), "theirs")
	defer theirs.Close()
	c, err := FromFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Configure(&o)
	b = append(b, frame.Append(nil, []byte("x"))...)
	if _, err := sysSend(fds[0], b[:offerLen], nil, sysRights(files)); err != nil {
		t.Fatal(err)
	}
	if _, err := sysSend(fds[0], b[offerLen:], nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := unix.Shutdown(fds[0], unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	_, err = c.Recv(soon(t))
	return err
}

func TestOffersThatAreRefused(t *testing.T) {
	is := is.New(t)
	const size = minShared
	memory := func(n int, flags int, seals int) int {
		fd, err := unix.MemfdCreate("offered", unix.MFD_CLOEXEC|flags)
		is.NoErr(err)
		is.NoErr(unix.Ftruncate(fd, int64(n)))
		if seals != 0 {
			_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
			is.NoErr(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	const sealing = unix.MFD_ALLOW_SEALING
	good := memory(sharedHead+2*size, sealing, unix.F_SEAL_SHRINK)
	bells, other, err := sysPair()
	is.NoErr(err)
	defer unix.Close(bells)
	defer unix.Close(other)
	disk, err := os.CreateTemp(t.TempDir(), "")
	is.NoErr(err)
	defer disk.Close()
	shmem, err := os.CreateTemp("/dev/shm", "")
	is.NoErr(err)
	defer shmem.Close()
	is.NoErr(os.Remove(shmem.Name()))
	is.NoErr(shmem.Truncate(sharedHead + 2*size))

	mem := ConnOptions{SharedBuffer: 1 << 20}
	is.Equal(offer(t, mem, appendOffer(nil, size), good, bells), io.EOF) // and nothing came
	version := appendOffer(nil, size)
	version[15] = 2
	for name, refused := range map[string]struct {
		o     ConnOptions
		offer []byte
		files []int
		says  string
	}{
		"unwanted":          {ConnOptions{SharedBuffer: -1}, appendOffer(nil, size), []int{good, bells}, "SharedBuffer would allow"},
		"too large":         {ConnOptions{SharedBuffer: size}, appendOffer(nil, 2*size), []int{good, bells}, "SharedBuffer is 16384"},
		"immense":           {mem, binary.BigEndian.AppendUint64(appendOffer(nil, 0)[:16], 1<<63), []int{good, bells}, "SharedBuffer is"},
		"too small":         {mem, appendOffer(nil, size/2), []int{good, bells}, "8192 bytes"},
		"no power of two":   {mem, appendOffer(nil, size+4096), []int{good, bells}, "20480 bytes"},
		"another version":   {mem, version, []int{good, bells}, "version 2"},
		"no descriptors":    {mem, appendOffer(nil, size), nil, "offer of shared memory"},
		"one descriptor":    {mem, appendOffer(nil, size), []int{good}, "1 descriptors"},
		"three descriptors": {mem, appendOffer(nil, size), []int{good, bells, bells}, "3 descriptors"},
		"memory of another size": {mem, appendOffer(nil, size),
			[]int{memory(sharedHead, sealing, unix.F_SEAL_SHRINK), bells}, "memory of"},
		"memory that can shrink":     {mem, appendOffer(nil, size), []int{memory(sharedHead+2*size, sealing, 0), bells}, "seals 0x0"},
		"memory without seals":       {mem, appendOffer(nil, size), []int{memory(sharedHead+2*size, 0, 0), bells}, "seals 0x1,"},
		"a file of shared memory":    {mem, appendOffer(nil, size), []int{int(shmem.Fd()), bells}, "seals 0x1,"},
		"a file on a disk":           {mem, appendOffer(nil, size), []int{int(disk.Fd()), bells}, ""},
		"a socket for memory":        {mem, appendOffer(nil, size), []int{bells, bells}, "no memfd"},
		"memory for bells":           {mem, appendOffer(nil, size), []int{good, good}, "not a socket"},
		"memory nobody may write to": {mem, appendOffer(nil, size), []int{memory(sharedHead+2*size, sealing, unix.F_SEAL_SHRINK|unix.F_SEAL_FUTURE_WRITE), bells}, "mmap"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			err := offer(t, refused.o, refused.offer, refused.files...)
			is.True(err != nil && err != io.EOF)
			if !strings.Contains(err.Error(), refused.says) {
				t.Fatalf("%q, want %q in it", err, refused.says)
			}
		})
	}
}

// Memory of huge pages would fault where the system has none left.
func TestOfferOfHugePages(t *testing.T) {
	is := is.New(t)
	fd, err := unix.MemfdCreate("huge", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_HUGETLB)
	if err != nil {
		t.Skipf("no huge pages here: %v", err)
	}
	defer unix.Close(fd)
	_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK)
	is.NoErr(err)
	err = checkMemory(fd, 0)
	is.True(err != nil && strings.Contains(err.Error(), "file system 0x958458f6"))
}

// A dialler meets a listener that does not share.
func TestNobodyTakesTheOffer(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path, &ListenOptions{Conn: ConnOptions{SharedBuffer: -1}})
	is.NoErr(err)
	defer l.Close()
	c, err := Dial(soon(t), path, &DialOptions{Conn: ConnOptions{SharedBuffer: 1}})
	is.NoErr(err)
	defer c.Close()
	server, err := l.Accept(soon(t))
	is.NoErr(err)
	_, err = server.Recv(soon(t))
	is.True(errors.Is(err, frame.ErrCorrupt))
	is.NoErr(server.Close())
	_, err = c.Recv(soon(t))
	is.True(err == io.EOF || errors.Is(err, ErrPeerClosed))
	for err = nil; err == nil; {
		err = c.Send(soon(t), pattern(1000))
	}
	is.True(errors.Is(err, ErrPeerClosed))
}

// What cannot work says so, and does nothing.
func TestSharedIsNoPlainStream(t *testing.T) {
	is := is.New(t)
	a, _ := sharedPair(t, ConnOptions{})
	_, err := a.File()
	is.True(errors.Is(err, errors.ErrUnsupported))
	is.True(errors.Is(a.Share(soon(t)), os.ErrInvalid)) // again
	plain, _, err := Pair()
	is.NoErr(err)
	plain.Configure(&ConnOptions{SharedBuffer: -1})
	if !plain.Shared() {
		is.True(errors.Is(plain.Share(soon(t)), os.ErrInvalid)) // without SharedBuffer
	}
	plain.Close()
	n := a.NetConn()
	_, err = n.Write([]byte("x"))
	is.True(errors.Is(err, errors.ErrUnsupported))
	_, err = n.Read(make([]byte, 1))
	is.True(errors.Is(err, errors.ErrUnsupported))
	var op *net.OpError
	is.True(errors.As(err, &op))
}

// An end is the same as over a socket: what was sent comes first, and who leaves
// something unread is told apart from who does not.
func TestSharedEnds(t *testing.T) {
	t.Run("with something on the way", func(t *testing.T) {
		is := is.New(t)
		a, b := sharedPair(t, ConnOptions{})
		accepted(t, a, b)
		is.NoErr(b.Send(soon(t), []byte("last")))
		is.NoErr(b.Close())
		m, err := a.Recv(soon(t))
		is.NoErr(err)
		is.Equal(string(m.Data), "last")
		_, err = a.Recv(soon(t))
		is.Equal(err, io.EOF)
		is.True(errors.Is(a.Send(soon(t), nil), ErrPeerClosed))
	})
	t.Run("with something unread in the ring", func(t *testing.T) {
		is := is.New(t)
		a, b := sharedPair(t, ConnOptions{})
		accepted(t, a, b)
		is.NoErr(a.Send(soon(t), []byte("unread")))
		is.NoErr(b.Close())
		_, err := a.Recv(soon(t))
		is.True(errors.Is(err, ErrPeerClosed))
	})
	t.Run("with bells unheard", func(t *testing.T) {
		is := is.New(t)
		a, b := sharedPair(t, ConnOptions{Spin: -1})
		accepted(t, a, b)
		is.NoErr(b.Send(soon(t), []byte("x"))) // rings for a, which it says to be asleep
		_, err := a.Recv(soon(t))
		is.NoErr(err)
		is.NoErr(a.Close())
		_, err = b.Recv(soon(t))
		is.Equal(err, io.EOF)
	})
	t.Run("of one direction", func(t *testing.T) {
		is := is.New(t)
		a, b := sharedPair(t, ConnOptions{})
		is.NoErr(a.Send(soon(t), []byte("x")))
		is.NoErr(a.CloseWrite(soon(t)))
		_, err := b.Recv(soon(t))
		is.NoErr(err)
		is.NoErr(b.Send(soon(t), []byte("y"))) // unread when b meets the end
		_, err = b.Recv(soon(t))
		is.Equal(err, io.EOF)
		_, err = a.Recv(soon(t))
		is.NoErr(err)
		is.True(errors.Is(a.Send(soon(t), nil), os.ErrClosed))
	})
	t.Run("of both directions, with nobody gone", func(t *testing.T) {
		is := is.New(t)
		a, b := sharedPair(t, ConnOptions{})
		accepted(t, a, b)
		is.NoErr(a.Send(soon(t), []byte("last")))
		is.NoErr(a.CloseWrite(soon(t)))
		is.NoErr(b.CloseWrite(soon(t)))
		_, err := a.Recv(soon(t))
		is.Equal(err, io.EOF)
		m, err := b.Recv(soon(t))
		is.NoErr(err)
		is.Equal(string(m.Data), "last")
	})
	t.Run("while the other waits for room", func(t *testing.T) {
		is := is.New(t)
		a, b := sharedPair(t, ConnOptions{})
		accepted(t, a, b)
		sent := make(chan error, 1)
		go func() { sent <- a.Send(context.Background(), pattern(1<<20)) }()
		eventually(t, "it waits", func() bool { return a.shared.Load().out.writer.Load()&asleep != 0 })
		is.NoErr(b.Close())
		is.True(errors.Is(<-sent, ErrPeerClosed))
	})
	t.Run("while the own side waits for room", func(t *testing.T) {
		is := is.New(t)
		a, b := sharedPair(t, ConnOptions{})
		accepted(t, a, b)
		sent := make(chan error, 1)
		go func() { sent <- a.Send(context.Background(), pattern(1<<20)) }()
		eventually(t, "it waits", func() bool { return a.shared.Load().out.writer.Load()&asleep != 0 })
		is.NoErr(a.Close())
		is.True(errors.Is(<-sent, os.ErrClosed))
		_, err := b.Recv(soon(t))
		is.True(errors.Is(err, ErrTruncated))
	})
}

// Neither side polls: each message, and each bit of room, must be heard of by its bell.
func TestSharedWithoutPolling(t *testing.T) {
	is := is.New(t)
	a, b := sharedPair(t, ConnOptions{Spin: -1})
	ctx := soon(t)
	const n = 20_000
	src := rand.New(rand.NewPCG(3, 4))
	sizes := make([]int, 1000)
	for i := range sizes {
		sizes[i] = src.IntN(1 << src.IntN(16))
	}
	echo := echoing(ctx, b)
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			if err := a.Send(ctx, pattern(sizes[i%len(sizes)])); err != nil {
				sent <- err
				return
			}
		}
		sent <- a.CloseWrite(ctx)
	}()
	for i := range n {
		m, err := a.Recv(ctx)
		is.NoErr(err)
		is.Equal(len(m.Data), sizes[i%len(sizes)])
	}
	is.NoErr(<-sent)
	is.Equal(<-echo, io.EOF)
}

// Who waits for room waits on one descriptor, and a record of descriptors on another. A
// deadline that one call has left behind on either is not met by a later one.
func TestSharedDeadlineStaysBehind(t *testing.T) {
	is := is.New(t)
	a, b := sharedPair(t, ConnOptions{})
	accepted(t, a, b)
	drain := func(n int) {
		for range n {
			m, err := b.Recv(soon(t))
			is.NoErr(err)
			m.Close()
		}
	}
	waits := func() bool { return a.shared.Load().out.writer.Load()&asleep != 0 }
	sent := 0
	for !waits() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if a.Send(ctx, pattern(1000)) == nil {
			sent++
		}
		cancel()
	}
	drain(sent)
	is.NoErr(a.Send(soon(t), nil, numbered(t, 0, 1)...))
	done := make(chan error, 1)
	go func() { done <- a.Send(context.Background(), pattern(1<<20)) }()
	eventually(t, "it waits", waits)
	drain(2)
	is.NoErr(<-done)
}

// One of the two sides offers. A peer that offers as well leaves no mapping behind.
func TestSharedOfferedTwice(t *testing.T) {
	is := is.New(t)
	a, b := sharedPair(t, ConnOptions{})
	is.NoErr(b.Share(soon(t)))
	for _, c := range []*Conn{a, b} {
		_, err := c.Recv(soon(t))
		is.True(errors.Is(err, frame.ErrCorrupt))
		is.True(strings.Contains(err.Error(), "both sides"))
		is.NoErr(c.Close())
	}
	maps, err := os.ReadFile("/proc/self/maps")
	is.NoErr(err)
	is.Equal(strings.Count(string(maps), memoryName), 0)
}

// Both sides say the same, which is no power of two.
func TestSharedOddSize(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, &ConnOptions{SharedBuffer: 100_000})
	if !a.Shared() {
		is.NoErr(a.Share(soon(t)))
	}
	accepted(t, a, b)
	is.True(b.Shared())
}

// RecvHandle reads one byte, and finds an offer there.
func TestSharedBeginsWithAHandle(t *testing.T) {
	is := is.New(t)
	a, b := sharedPair(t, ConnOptions{})
	f := numbered(t, 7, 1)
	for range 2 {
		is.NoErr(a.SendHandle(soon(t), f[0]))
		g, err := b.RecvHandle(soon(t))
		is.NoErr(err)
		is.Equal(number(t, g), 7)
		is.NoErr(g.Close())
		a, b = b, a
	}
}

// A listener that refuses descriptors gets no memory: messages go through the kernel.
func TestSharedWithWhoTakesNoDescriptors(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path, &ListenOptions{Conn: ConnOptions{MaxFiles: -1, SharedBuffer: -1}})
	is.NoErr(err)
	defer l.Close()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	is.NoErr(err)
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	if unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, soPassRights, 0) != nil {
		t.Skip("before Linux 6.16 nobody can refuse them")
	}
	c, err := Dial(soon(t), path, &DialOptions{Conn: ConnOptions{SharedBuffer: 1}})
	is.NoErr(err)
	defer c.Close()
	is.True(!c.Shared())
	is.NoErr(c.Send(soon(t), []byte("x")))
	s, err := l.Accept(soon(t))
	is.NoErr(err)
	defer s.Close()
	m, err := s.Recv(soon(t))
	is.NoErr(err)
	is.Equal(string(m.Data), "x")
}

// spare leaves the process n descriptors until the returned function is called.
func spare(t *testing.T, n int) (restore func()) {
	t.Helper()
	var old, low unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	low = old
	open := openFiles()
	for low.Cur = 0; ; low.Cur++ {
		if open[strconv.Itoa(int(low.Cur))] == "" {
			if n--; n < 0 {
				break
			}
		}
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Fatal(err)
		}
	}
}

// Where descriptors run out, whoever offers or accepts says so and leaks none.
func TestSharedWithoutDescriptors(t *testing.T) {
	for n := range 4 {
		is := is.New(t)
		before := len(openFiles())
		a, b, err := Pair()
		is.NoErr(err)
		o := &ConnOptions{SharedBuffer: minShared}
		a.Configure(o)
		b.Configure(o)
		if !a.Shared() {
			restore := spare(t, n)
			err = a.Share(soon(t))
			restore()
			is.Equal(err == nil, n >= 3) // the memory and a pair of sockets
			if err != nil {
				is.True(errors.Is(err, unix.EMFILE))
				is.NoErr(a.Share(soon(t)))
			}
		}
		is.NoErr(a.Send(soon(t), nil))
		restore := spare(t, n)
		_, err = b.Recv(soon(t))
		restore()
		is.Equal(err == nil, n >= 3) // two that come, one is duplicated
		if err != nil {
			is.True(errors.Is(err, unix.EMFILE))
		}
		is.NoErr(a.Close())
		is.NoErr(b.Close())
		is.Equal(len(openFiles()), before)
	}
}

// To a Python an offer is an error, and not a message.
func TestSharedOfferToPython(t *testing.T) {
	eachPython(t, func(t *testing.T, py interpreter) {
		is := is.New(t)
		path := filepath.Join(t.TempDir(), "s")
		cmd := py.script(t, `
import sys
from multiprocessing.connection import Listener
c = Listener(sys.argv[1]).accept()
try:
    print("message", c.recv_bytes())
except OverflowError:
    print("error")
`, path)
		out := make(chan string, 1)
		go func() {
			b, _ := cmd.Output()
			out <- string(b)
		}()
		c, err := Dial(soon(t), path, &DialOptions{Wait: true, Conn: ConnOptions{SharedBuffer: 1}})
		is.NoErr(err)
		defer c.Close()
		_, err = c.Recv(soon(t))
		is.True(err == io.EOF || errors.Is(err, ErrPeerClosed))
		is.Equal(<-out, "error\n")
	})
}

// Connections that nobody has closed, and nobody has any more, take no memory.
func TestSharedForgotten(t *testing.T) {
	mappings := func() int {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(maps), memoryName)
	}
	before := mappings()
	for range 10 {
		a, b, err := Pair()
		if err != nil {
			t.Fatal(err)
		}
		o := &ConnOptions{SharedBuffer: minShared, Spin: -1}
		a.Configure(o)
		b.Configure(o)
		if err := a.Share(soon(t)); err != nil {
			t.Fatal(err)
		}
		accepted(t, a, b)
	}
	eventually(t, "the memory is given back", func() bool {
		runtime.GC()
		return mappings() <= before
	})
}

// Who offers must not make the listener hold the other end of the connection, be it as its
// bells or in their queue: such a connection would outlive the process that made it.
func TestSharedOutlivesNobody(t *testing.T) {
	for name, bellsOf := range map[string]func(t *testing.T, conn int) int{
		"the connection for bells": func(t *testing.T, conn int) int { return conn },
		"the connection in their queue": func(t *testing.T, conn int) int {
			a, b, err := sysPair()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Close(a); unix.Close(b) })
			if _, err := sysSend(a, []byte{bellByte}, nil, sysRights([]int{conn})); err != nil {
				t.Fatal(err)
			}
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(t.TempDir(), "s")
			l, err := Listen(path, &ListenOptions{Conn: ConnOptions{SharedBuffer: minShared}})
			is.NoErr(err)
			defer l.Close()
			memory, mem, err := makeMemory(sharedHead + 2*minShared)
			is.NoErr(err)
			defer memory.Close()
			defer sysUnmap(mem)
			conn, err := sysSocket()
			is.NoErr(err)
			is.NoErr(sysConnect(conn, path))
			_, err = sysSend(conn, appendOffer(nil, minShared), nil, sysRights([]int{int(memory.Fd()), bellsOf(t, conn)}))
			is.NoErr(err)
			is.NoErr(unix.Close(conn))
			c, err := l.Accept(soon(t))
			is.NoErr(err)
			defer c.Close()
			ctx, cancel := context.WithTimeout(t.Context(), watchdog/10)
			defer cancel()
			_, err = c.Recv(ctx)
			is.True(err != nil && !errors.Is(err, context.DeadlineExceeded))
			is.True(strings.Contains(err.Error(), "bells"))
		})
	}
	is := is.New(t)
	a, b := sharedPair(t, ConnOptions{})
	accepted(t, a, b)
	for _, c := range []*Conn{a, b} {
		_ = c.shared.Load().bells.raw.Control(func(fd uintptr) {
			_, err := sysSend(int(fd), []byte{bellByte}, nil, sysRights([]int{int(fd)}))
			if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, soPassRights, 0) == nil {
				is.Equal(err, unix.EPERM)
			}
		})
	}
}

// Who dials, sends and closes has sent, also if nobody has looked by then.
func TestSharedGoneBeforeTheOffer(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	o := ConnOptions{SharedBuffer: minShared}
	l, err := Listen(path, &ListenOptions{Conn: o})
	is.NoErr(err)
	defer l.Close()
	c, err := Dial(soon(t), path, &DialOptions{Conn: o})
	is.NoErr(err)
	is.NoErr(c.Send(soon(t), []byte("x"), numbered(t, 3, 1)...))
	is.NoErr(c.Close())
	s, err := l.Accept(soon(t))
	is.NoErr(err)
	defer s.Close()
	m, err := s.Recv(soon(t))
	is.NoErr(err)
	is.Equal(string(m.Data), "x")
	is.Equal(number(t, m.Files[0]), 3)
	is.NoErr(m.Close())
	_, err = s.Recv(soon(t))
	is.Equal(err, io.EOF)
}

// The memory is there before the offer is: a peer that answers at once rings for somebody
// who knows what bells are. An offer that could not be made leaves nothing behind.
func TestSharedInstalledBeforeTheOffer(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, &ConnOptions{SharedBuffer: minShared})
	if a.Shared() {
		t.Skip("it has offered already")
	}
	_ = a.control(func(fd uintptr) { // until the kernel takes no more
		for err := error(nil); err == nil; {
			_, err = sysSend(int(fd), frame.Append(nil, nil), nil, nil)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Share(ctx) }()
	eventually(t, "it waits with memory", func() bool { return a.out.waiting.Load() && a.Shared() })
	cancel()
	is.True(errors.Is(<-done, context.Canceled))
	is.True(!a.Shared())
	go func() { done <- a.Send(soon(t), []byte("by the socket")) }()
	for {
		m, err := b.Recv(soon(t))
		is.NoErr(err)
		if len(m.Data) > 0 {
			is.Equal(string(m.Data), "by the socket")
			break
		}
	}
	is.NoErr(<-done)
}
