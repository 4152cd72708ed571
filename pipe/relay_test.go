//go:build unix

package pipe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// A source hands out an end to read and brings what feed writes to it.
type relaySource struct {
	src     io.Reader
	feed    func([]byte) // returns when all is on its way, and ends the source
	spliced bool
}

type relayDest struct {
	dst     io.Writer
	done    func() []byte // ends the destination and returns what came
	spliced bool
}

// later runs f aside and hands its result over.
func later[T any](f func() T) func() T {
	c := make(chan T, 1)
	go func() { c <- f() }()
	return func() T { return <-c }
}

func readAll(r io.ReadCloser) func() []byte {
	return later(func() []byte {
		b, _ := io.ReadAll(r)
		r.Close()
		return b
	})
}

func feedTo(w io.WriteCloser) func([]byte) {
	return func(p []byte) {
		go func() {
			for len(p) > 0 { // in pieces that fit nothing
				n, err := w.Write(p[:min(len(p), 7777)])
				p = p[n:]
				if err != nil {
					break
				}
			}
			w.Close()
		}()
	}
}

func osPipe(t *testing.T) (*os.File, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// connected returns the two ends of a connection.
func connected(t *testing.T, network, addr string) (net.Conn, net.Conn) {
	t.Helper()
	is := is.New(t)
	ln, err := net.Listen(network, addr)
	is.NoErr(err)
	defer ln.Close()
	dialled := later(func() net.Conn {
		c, _ := net.Dial(network, ln.Addr().String())
		return c
	})
	a, err := ln.Accept()
	is.NoErr(err)
	b := dialled()
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// blocking puts f into the mode that a shell hands its descriptors over in.
func blocking(t *testing.T, f *os.File) *os.File {
	t.Helper()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3) // Fd makes it blocking
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	b := os.NewFile(uintptr(fd), "blocking")
	t.Cleanup(func() { b.Close() })
	return b
}

var relaySources = map[string]func(*testing.T) relaySource{
	"Reader": func(t *testing.T) relaySource {
		r, w := pair(t, stream)
		return relaySource{r, feedTo(w), true}
	},
	"os.Pipe": func(t *testing.T) relaySource {
		r, w := osPipe(t)
		return relaySource{r, feedTo(w), true}
	},
	"blocking pipe": func(t *testing.T) relaySource {
		r, w := osPipe(t)
		return relaySource{blocking(t, r), feedTo(w), true}
	},
	"file": func(t *testing.T) relaySource {
		f, err := os.CreateTemp(t.TempDir(), "")
		f = closing(t, f, err)
		return relaySource{f, func(p []byte) { f.Write(p); f.Seek(0, io.SeekStart) }, true}
	},
	"unix": func(t *testing.T) relaySource {
		a, b := connected(t, "unix", filepath.Join(t.TempDir(), "s"))
		return relaySource{a, feedTo(b), true}
	},
	"tcp": func(t *testing.T) relaySource {
		a, b := connected(t, "tcp", "127.0.0.1:0")
		return relaySource{a, feedTo(b), true}
	},
	"memory": func(t *testing.T) relaySource {
		var b bytes.Buffer
		return relaySource{&b, func(p []byte) { b.Write(p) }, false}
	},
	"packets": func(t *testing.T) relaySource {
		r, w := pair(t, packetMode)
		return relaySource{r, func(p []byte) {
			go func() { w.ReadFrom(bytes.NewReader(p)); w.Close() }()
		}, false}
	},
}

var relayDests = map[string]func(*testing.T) relayDest{
	"Writer": func(t *testing.T) relayDest {
		r, w := pair(t, stream)
		all := readAll(r)
		return relayDest{w, func() []byte { w.Close(); return all() }, true}
	},
	"os.Pipe": func(t *testing.T) relayDest {
		r, w := osPipe(t)
		all := readAll(r)
		return relayDest{w, func() []byte { w.Close(); return all() }, true}
	},
	"blocking pipe": func(t *testing.T) relayDest {
		r, w := osPipe(t)
		b := blocking(t, w)
		all := readAll(r)
		return relayDest{b, func() []byte { b.Close(); return all() }, true}
	},
	"file": func(t *testing.T) relayDest {
		f, err := os.CreateTemp(t.TempDir(), "")
		f = closing(t, f, err)
		return relayDest{f, func() []byte { b, _ := os.ReadFile(f.Name()); return b }, true}
	},
	"file to append to": func(t *testing.T) relayDest {
		f, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		f = closing(t, f, err)
		return relayDest{f, func() []byte { b, _ := os.ReadFile(f.Name()); return b }, false}
	},
	"unix": func(t *testing.T) relayDest {
		a, b := connected(t, "unix", filepath.Join(t.TempDir(), "s"))
		all := readAll(b)
		return relayDest{a, func() []byte { a.Close(); return all() }, true}
	},
	"tcp": func(t *testing.T) relayDest {
		a, b := connected(t, "tcp", "127.0.0.1:0")
		all := readAll(b)
		return relayDest{a, func() []byte { a.Close(); return all() }, true}
	},
	"memory": func(t *testing.T) relayDest {
		var b bytes.Buffer
		return relayDest{&b, b.Bytes, false}
	},
	"packets": func(t *testing.T) relayDest {
		r, w := pair(t, packetMode)
		all := later(func() []byte {
			var b bytes.Buffer
			io.Copy(&b, r)
			return b.Bytes()
		})
		return relayDest{w, func() []byte { w.Close(); return all() }, false}
	},
}

func TestRelay(t *testing.T) {
	want := pattern(1_000_003)
	for from, source := range relaySources {
		for to, dest := range relayDests {
			t.Run(from+" to "+to, func(t *testing.T) {
				is := is.New(t)
				src, dst := source(t), dest(t)
				src.feed(want)
				moved, err := Relay(watched(t), dst.dst, src.src)
				is.NoErr(err)
				is.True(bytes.Equal(dst.done(), want))
				is.Equal(moved.In, int64(len(want)))
				is.Equal(moved.Out, int64(len(want)))
				if canSplice && src.spliced && dst.spliced {
					is.Equal(moved.Spliced, moved.Out) // nothing came through user space
				} else {
					is.Equal(moved.Spliced, int64(0))
				}
			})
		}
	}
}

func TestTee(t *testing.T) {
	want := pattern(300_001)
	for from, source := range relaySources {
		for to, dest := range relayDests {
			for aside, dup := range relayDests {
				if to != "Writer" && to != "file to append to" && aside != "os.Pipe" && aside != "unix" {
					continue
				}
				t.Run(from+" to "+to+" and "+aside, func(t *testing.T) {
					is := is.New(t)
					src, dst, dup := source(t), dest(t), dup(t)
					src.feed(want)
					moved, err := Tee(watched(t), dst.dst, dup.dst, src.src)
					is.NoErr(err)
					is.True(bytes.Equal(dst.done(), want))
					is.True(bytes.Equal(dup.done(), want))
					is.Equal(moved.In, int64(len(want)))
					is.Equal(moved.Out, int64(len(want)))
					if canSplice && src.spliced && dst.spliced && dup.spliced {
						is.Equal(moved.Spliced, moved.Out)
					}
				})
			}
		}
	}
}

// Whichever side it waits for, the end of the context ends it, and the bytes
// that are counted are where they should be.
func TestRelayEndsWithContext(t *testing.T) {
	for name, ends := range map[string]func(*testing.T) (io.Reader, io.Writer){
		"waits for a Reader": func(t *testing.T) (io.Reader, io.Writer) {
			r, _ := pair(t, stream)
			_, w := pair(t, stream)
			return r, w
		},
		"waits for a Writer": func(t *testing.T) (io.Reader, io.Writer) {
			zero := closingFile(t)(os.Open("/dev/zero"))
			_, w := pair(t, stream)
			return zero, w
		},
		"waits for a socket to read": func(t *testing.T) (io.Reader, io.Writer) {
			a, _ := connected(t, "tcp", "127.0.0.1:0")
			_, w := pair(t, stream)
			return a, w
		},
		"waits for a socket to write": func(t *testing.T) (io.Reader, io.Writer) {
			a, _ := connected(t, "unix", filepath.Join(t.TempDir(), "s"))
			zero := closingFile(t)(os.Open("/dev/zero"))
			return zero, a
		},
		"waits between sockets": func(t *testing.T) (io.Reader, io.Writer) {
			a, _ := connected(t, "tcp", "127.0.0.1:0")
			b, _ := connected(t, "tcp", "127.0.0.1:0")
			return a, b
		},
		"waits for a persistent Reader": func(t *testing.T) (io.Reader, io.Writer) {
			r, err := OpenReader(watched(t), newFIFO(t), &ReaderOptions{Persistent: true})
			r = closing(t, r, err)
			_, w := pair(t, stream)
			return r, w
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			src, dst := ends(t)
			moved, err := Relay(soon(t), dst, src)
			is.True(errors.Is(err, context.DeadlineExceeded))
			is.True(moved.Out <= moved.In)
			_, err = Relay(soon(t), dst, src) // the sides are as they were
			is.True(errors.Is(err, context.DeadlineExceeded))
		})
	}
}

func TestRelayOfBlockingDescriptorsEndsWithContext(t *testing.T) {
	if !canSplice {
		return // documented: a plain copy can't leave a blocking read
	}
	is := is.New(t)
	r, _ := osPipe(t)
	_, w := osPipe(t)
	src, dst := blocking(t, r), blocking(t, w)
	_, err := Relay(soon(t), dst, src)
	is.True(errors.Is(err, context.DeadlineExceeded)) // waits for src

	zero := closingFile(t)(os.Open("/dev/zero"))
	_, err = Relay(soon(t), dst, zero)
	is.True(errors.Is(err, context.DeadlineExceeded)) // waits for dst
}

func TestRelayToNobody(t *testing.T) {
	for _, kind := range []string{"os.Pipe", "Reader", "unix", "file", "memory"} {
		t.Run(kind, func(t *testing.T) {
			is := is.New(t)
			src := relaySources[kind](t)
			src.feed(pattern(200_000))
			r, w := pair(t, stream)
			is.NoErr(r.Close())
			moved, err := Relay(watched(t), w, src.src)
			is.True(errors.Is(err, syscall.EPIPE))
			is.Equal(moved.Out, int64(0))
			is.True(strings.HasPrefix(err.Error(), "pipe: relay: "))
		})
	}
}

// The destination goes away in the middle: what it has is counted.
func TestRelayIsCutOff(t *testing.T) {
	is := is.New(t)
	src := relaySources["os.Pipe"](t)
	src.feed(pattern(1 << 20))
	r, w := pair(t, stream)
	var got int64
	read := later(func() error {
		n, err := io.CopyN(io.Discard, struct{ io.Reader }{r}, 100_000)
		got = n
		return errors.Join(err, r.Close())
	})
	moved, err := Relay(watched(t), w, src.src)
	is.True(errors.Is(err, syscall.EPIPE))
	is.NoErr(read())
	is.True(moved.Out >= got)
	is.True(moved.Out <= got+roomy+1<<16) // what was read and what the pipe held
}

// Closing either end ends the Relay, whichever it waits for.
func TestCloseEndsRelay(t *testing.T) {
	for name, waitsForSrc := range map[string]bool{"waits for src": true, "waits for dst": false} {
		for _, closed := range []string{"Reader", "Writer"} {
			t.Run(name+" closed "+closed, func(t *testing.T) {
				is := is.New(t)
				r, feed := pair(t, stream)
				_, w := pair(t, stream)
				if !waitsForSrc {
					go func() { _, _ = feed.Write(make([]byte, 1<<20)) }()
				}
				done := later(func() error { _, err := Relay(context.Background(), w, r); return err })
				for r.d.relay.Load() == nil || w.d.relay.Load() == nil {
					runtime.Gosched()
				}
				if !waitsForSrc {
					waitUntilFull(w)
				}
				if closed == "Reader" {
					is.NoErr(r.Close())
				} else {
					is.NoErr(w.Close())
				}
				is.True(errors.Is(done(), os.ErrClosed))
				_ = feed.Close() // ends the goroutine above, with an error
			})
		}
	}
}

// A Relay from what can't be interrupted doesn't hold up Close.
func TestCloseDoesNotWaitForStrangers(t *testing.T) {
	is := is.New(t)
	from, to := io.Pipe()
	_, w := pair(t, stream)
	done := later(func() error { _, err := Relay(context.Background(), w, from); return err })
	for w.d.relay.Load() == nil {
		runtime.Gosched()
	}
	is.NoErr(w.Close())
	wrote := later(func() error { _, err := to.Write([]byte("too late")); return err })
	is.True(errors.Is(done(), os.ErrClosed))
	is.NoErr(from.Close()) // if the Relay had not begun to read
	_ = wrote()
}

// One process's Relay goes on from writer to writer of a persistent Reader.
func TestRelayOutlivesWriters(t *testing.T) {
	is := is.New(t)
	path := newFIFO(t)
	ctx, cancel := context.WithCancel(watched(t))
	r, err := OpenReader(ctx, path, &ReaderOptions{Persistent: true})
	is.NoErr(err)
	defer r.Close()
	out, w := pair(t, stream)
	done := later(func() error { _, err := Relay(ctx, w, r); return err })
	buf := make([]byte, 4)
	for range 50 {
		fw, err := OpenWriter(ctx, path, nil)
		is.NoErr(err)
		_, err = fw.Write([]byte("word"))
		is.NoErr(err)
		is.NoErr(fw.Close())
		_, err = io.ReadFull(out, buf)
		is.NoErr(err)
		is.Equal(string(buf), "word")
	}
	cancel()
	is.True(errors.Is(done(), context.Canceled))
}

// Messages that wait go out before the bytes that Relay moves.
func TestRelayKeepsOrder(t *testing.T) {
	is := is.New(t)
	r, w := pair(t, stream)
	is.NoErr(w.SendBuffered(watched(t), []byte("first")))
	n, err := w.ReadFrom(strings.NewReader("second"))
	is.NoErr(err)
	is.Equal(n, int64(6))
	is.NoErr(w.Close())
	all, err := io.ReadAll(r)
	is.NoErr(err)
	is.Equal(string(all), "\x00\x00\x00\x05firstsecond")
}

// What Relay doesn't know, it may not look behind: an embedded connection with
// a Read of its own is read by that.
func TestRelayRespectsWrappers(t *testing.T) {
	is := is.New(t)
	a, b := connected(t, "tcp", "127.0.0.1:0")
	feedTo(b)([]byte("quiet"))
	r, w := pair(t, stream)
	_, err := Relay(watched(t), w, &shouting{a.(*net.TCPConn)})
	is.NoErr(err)
	is.NoErr(w.Close())
	all, err := io.ReadAll(r)
	is.NoErr(err)
	is.Equal(string(all), "QUIET")
}

type shouting struct{ *net.TCPConn }

func (s *shouting) Read(p []byte) (int, error) {
	n, err := s.TCPConn.Read(p)
	copy(p, bytes.ToUpper(p[:n]))
	return n, err
}

// A destination that takes less than it is given and says nothing is caught.
func TestRelayShortWrite(t *testing.T) {
	is := is.New(t)
	moved, err := Relay(watched(t), shortWriter{}, strings.NewReader("0123456789"))
	is.True(errors.Is(err, io.ErrShortWrite))
	is.Equal(moved.In, int64(10))
	is.Equal(moved.Out, int64(5))
}

type shortWriter struct{}

func (shortWriter) Write(p []byte) (int, error) { return len(p) / 2, nil }
