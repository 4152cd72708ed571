//go:build unix

package socket

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/acl"
	"github.com/ipcctl/ipc/socket/frame"
)

// script is a peer that says what it was told to, and notes what it hears.
type script struct {
	says  []string
	heard []string
}

func (s *script) send(msg []byte) error {
	s.heard = append(s.heard, string(msg))
	return nil
}

func (s *script) recv() ([]byte, error) {
	if len(s.says) == 0 {
		return nil, io.EOF
	}
	msg := s.says[0]
	s.says = s.says[1:]
	return []byte(msg), nil
}

func unhex(t *testing.T, s string) string {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func counting(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// Bytes printed by CPython for the key "secret" and a counting nonce.
func TestHandshakeGoldenBytes(t *testing.T) {
	is := is.New(t)
	key := []byte("secret")
	modern := "{sha256}" + string(counting(40))
	modernReply := unhex(t, "7b7368613235367dfc57fbe650d6124b98215e7b5d197d5807ad69982d275a9735ea2d56f1fa6989")
	legacy := string(counting(20))
	legacyReply := unhex(t, "7defa9cc46abc3583325d17ccda75190")

	// A listener meets a client of 3.12.
	s := &script{says: []string{modernReply, challengeMark + modern, welcomeMark}}
	is.NoErr(proof{key: key, nonce: bytes.NewReader(counting(40))}.asListener(s))
	is.Equal(s.heard, []string{challengeMark + modern, welcomeMark, modernReply})
	is.Equal(hex.EncodeToString(frame.Append(nil, []byte(s.heard[0])))[:46],
		"0000003b"+"234348414c4c454e474523"+"7b7368613235367d")

	// A listener meets a client of 3.11, which digests our challenge with MD5.
	old := unhex(t, "8e48d2bb349b4b72b9382999ed5b62eb")
	s = &script{says: []string{old, challengeMark + legacy, welcomeMark}}
	is.NoErr(proof{key: key, md5: true, nonce: bytes.NewReader(counting(40))}.asListener(s))
	is.Equal(s.heard[2], legacyReply)
	s = &script{says: []string{old}}
	err := proof{key: key, nonce: bytes.NewReader(counting(40))}.asListener(s)
	is.True(errors.Is(err, ErrAuth)) // MD5 only where asked for
	is.Equal(s.heard[1], failureMark)

	// A client meets a listener of 3.12, and of 3.11.
	s = &script{says: []string{challengeMark + modern, welcomeMark, modernReply}}
	is.NoErr(proof{key: key, nonce: bytes.NewReader(counting(40))}.asClient(s))
	is.Equal(s.heard, []string{modernReply, challengeMark + modern, welcomeMark})
	s = &script{says: []string{challengeMark + legacy, welcomeMark, old}}
	is.NoErr(proof{key: key, md5: true, nonce: bytes.NewReader(counting(40))}.asClient(s))
	is.Equal(s.heard[0], legacyReply)
	is.True(errors.Is(proof{key: key}.asClient(&script{says: []string{challengeMark + legacy}}), ErrAuth))
}

// Whichever digest the peer chooses among the allowed ones.
func TestEveryDigest(t *testing.T) {
	for name, fn := range digests {
		is := is.New(t)
		key := []byte("k")
		message := "{" + name + "}" + string(counting(40))
		s := &script{says: []string{challengeMark + message, welcomeMark}}
		is.NoErr(proof{key: key}.answer(s))
		is.Equal(s.heard[0], "{"+name+"}"+string(mac(fn, key, []byte(message))))
		is.NoErr(proof{key: key}.verify([]byte(message), []byte(s.heard[0])))
	}
}

func TestHandshakeRefuses(t *testing.T) {
	p := proof{key: []byte("right"), md5: true}
	wrong := string(mac(digests["sha256"], []byte("wrong"), []byte("x")))
	for name, says := range map[string][]string{
		"no challenge":       {"hello"},
		"empty":              {""},
		"unknown digest":     {challengeMark + "{sha1}" + string(counting(40))},
		"no digest name":     {challengeMark + string(counting(40))},
		"endless name":       {challengeMark + "{aaaaaaaaaaaaaaaaaaaaaaaaa}" + string(counting(40))},
		"short challenge":    {challengeMark + "{sha256}" + string(counting(11))},
		"rejected":           {challengeMark + "{sha256}" + string(counting(40)), failureMark},
		"rejected otherwise": {challengeMark + "{sha256}" + string(counting(40)), "#WELCOME#x"},
		"wrong digest":       {challengeMark + "{sha256}" + string(counting(40)), welcomeMark, "{sha256}" + wrong},
		"short digest":       {challengeMark + "{sha256}" + string(counting(40)), welcomeMark, "{sha256}" + wrong[:5]},
		"md5 by 20 bytes":    {challengeMark + "{sha256}" + string(counting(40)), welcomeMark, string(counting(20))},
		"silence":            {challengeMark + "{sha256}" + string(counting(40)), welcomeMark, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := p.asClient(&script{says: says})
			if !errors.Is(err, ErrAuth) || !errors.Is(err, os.ErrPermission) {
				t.Fatalf("error = %v, want ErrAuth", err)
			}
		})
	}
}

func TestAuthKeyBetweenOurselves(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	refused := make(chan error, 16)
	l := listen(t, path, &ListenOptions{AuthKey: []byte("k"), Refused: func(_ acl.Subject, err error) { refused <- err }})
	go echo(l)
	is.NoErr(roundTrip(t, path, &DialOptions{AuthKey: []byte("k")}))
	is.True(errors.Is(roundTrip(t, path, &DialOptions{AuthKey: []byte("x")}), ErrAuth))
	is.True(errors.Is(<-refused, ErrAuth))
	is.True(roundTrip(t, path, nil) != nil) // a message instead of a digest
	is.True(errors.Is(<-refused, ErrAuth))
}

// A side with a key that faces one without waits no longer than its time-out.
func TestHandshakeHasADeadline(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	l := listen(t, path, nil)
	accepted := make(chan *Conn, 1)
	go func() {
		c, _ := l.Accept(context.Background())
		accepted <- c
	}()
	_, err := Dial(soon(t), path, &DialOptions{AuthKey: []byte("k"), HandshakeTimeout: 10 * time.Millisecond})
	is.True(errors.Is(err, ErrAuth))
	is.True(errors.Is(err, os.ErrDeadlineExceeded))
	(<-accepted).Close()

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = Dial(ctx, path, &DialOptions{AuthKey: []byte("k")})
	is.True(errors.Is(err, context.DeadlineExceeded))
}

// Connections that never answer the challenge hold up nobody.
func TestSilentHandshakesHoldUpNobody(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	go echo(listen(t, path, &ListenOptions{
		AuthKey: []byte("k"), MaxHandshakes: 4, HandshakeTimeout: watchdog,
	}))
	for i := range 20 {
		c, err := Dial(soon(t), path, nil)
		is.NoErr(err)
		defer c.Close()
		if i%5 == 0 {
			is.NoErr(roundTrip(t, path, &DialOptions{AuthKey: []byte("k")}))
		}
	}
	is.NoErr(roundTrip(t, path, &DialOptions{AuthKey: []byte("k")}))
}

// One newcomer costs one guest its place, the oldest, whoever left before.
func TestNewcomerTakesOnePlace(t *testing.T) {
	is := is.New(t)
	path, key := filepath.Join(t.TempDir(), "s"), []byte("k")
	refused := make(chan error, 16)
	l := listen(t, path, &ListenOptions{
		AuthKey: key, MaxHandshakes: 3, HandshakeTimeout: watchdog,
		Refused: func(_ acl.Subject, err error) { refused <- err },
	})
	go echo(l)
	is.NoErr(roundTrip(t, path, &DialOptions{AuthKey: key})) // comes and goes
	inside := func(n int) {
		eventually(t, "the guests that have left are gone", func() bool {
			l.lobby.mu.Lock()
			defer l.lobby.mu.Unlock()
			return len(l.lobby.guests) == n
		})
	}
	var silent []*Conn
	for n := range 3 {
		inside(n)
		c, err := Dial(soon(t), path, nil)
		is.NoErr(err)
		defer c.Close()
		_, err = c.Recv(soon(t)) // the challenge: it is inside
		is.NoErr(err)
		silent = append(silent, c)
	}
	for range 2 {
		is.NoErr(roundTrip(t, path, &DialOptions{AuthKey: key}))
		is.True(errors.Is(<-refused, ErrTooManyHandshakes))
		_, err := silent[0].Recv(soon(t))
		is.Equal(err, io.EOF)
		silent = silent[1:]
		inside(2) // the newcomer has left, and its place is taken again
		c, err := Dial(soon(t), path, nil)
		is.NoErr(err)
		defer c.Close()
		_, err = c.Recv(soon(t))
		is.NoErr(err)
		silent = append(silent, c)
	}
	is.Equal(len(refused), 0)
}

func FuzzHandshake(f *testing.F) {
	f.Add([]byte(challengeMark+"{sha256}0123456789012345678901234567890123456789"), []byte(welcomeMark), []byte("{sha256}x"))
	f.Add([]byte(challengeMark+"01234567890123456789"), []byte(failureMark), []byte(""))
	f.Add([]byte("{}"), []byte("{"), []byte("}"))
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		for _, md5 := range []bool{false, true} {
			p := proof{key: []byte("unknown to the peer"), md5: md5}
			if p.asClient(&script{says: []string{string(a), string(b), string(c)}}) == nil {
				t.Fatal("a peer without the key was believed by the client")
			}
			if p.asListener(&script{says: []string{string(a), string(b), string(c)}}) == nil {
				t.Fatal("a peer without the key was believed by the listener")
			}
		}
	})
}
