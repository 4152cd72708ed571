package socket

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
	"time"
)

// The handshake of multiprocessing.connection (CPython,
// Lib/multiprocessing/connection.py: deliver_challenge, answer_challenge).
// Each step is one message of at most maxHandshake bytes:
//
//	listener                                client
//	"#CHALLENGE#" M1           ────────▶
//	                           ◀────────    digest of M1 under the key
//	"#WELCOME#" or "#FAILURE#" ────────▶
//	                           ◀────────    "#CHALLENGE#" M2
//	digest of M2 under the key ────────▶
//	                           ◀────────    "#WELCOME#" or "#FAILURE#"
//
//	up to 3.11:  M = 20 random bytes               digest = HMAC-MD5(key, M)
//	from 3.12:   M = "{sha256}" + 40 random bytes  digest = "{sha256}" + HMAC-SHA256(key, M)
//
// We always ask in the newer form. A Python up to 3.11 takes all of M for
// random bytes and answers with its MD5.
const (
	challengeMark = "#CHALLENGE#"
	welcomeMark   = "#WELCOME#"
	failureMark   = "#FAILURE#"

	maxHandshake = 256
	nonceLen     = 40
	legacyNonce  = 20
	minNonce     = 20 // CPython refuses to digest less
	maxPrefix    = 10 // "}" comes within so many bytes
)

// ErrAuth says that the handshake failed: the peer does not know the key, has
// none, or speaks a dialect that is not allowed. It wraps os.ErrPermission.
var ErrAuth = fmt.Errorf("authentication failed: %w", os.ErrPermission)

// digests are those that CPython allows besides MD5.
var digests = map[string]func() hash.Hash{
	"sha256":   sha256.New,
	"sha384":   sha512.New384,
	"sha3_256": func() hash.Hash { return sha3.New256() },
	"sha3_384": func() hash.Hash { return sha3.New384() },
}

// messenger is what a handshake needs of a connection.
type messenger interface {
	send(msg []byte) error
	recv() ([]byte, error)
}

// proof proves the knowledge of key in both directions.
type proof struct {
	key   []byte
	md5   bool
	nonce io.Reader // nil: crypto/rand
}

func (p proof) asListener(m messenger) error {
	if err := p.challenge(m); err != nil {
		return err
	}
	return p.answer(m)
}

func (p proof) asClient(m messenger) error {
	if err := p.answer(m); err != nil {
		return err
	}
	return p.challenge(m)
}

// challenge makes the peer prove the key.
func (p proof) challenge(m messenger) error {
	message := append(make([]byte, 0, 8+nonceLen), "{sha256}"...)
	message = message[:cap(message)]
	if err := p.random(message[8:]); err != nil {
		return err
	}
	if err := m.send(append([]byte(challengeMark), message...)); err != nil {
		return err
	}
	reply, err := m.recv()
	if err != nil {
		return err
	}
	if err := p.verify(message, reply); err != nil {
		_ = m.send([]byte(failureMark)) // the error that counts is err
		return err
	}
	return m.send([]byte(welcomeMark))
}

// answer proves the key to the peer.
func (p proof) answer(m messenger) error {
	msg, err := m.recv()
	if err != nil {
		return err
	}
	message, ok := bytes.CutPrefix(msg, []byte(challengeMark))
	if !ok {
		return fmt.Errorf("%w: the peer sent no challenge; has it a key?", ErrAuth)
	}
	reply, err := p.digest(message)
	if err != nil {
		return err
	}
	if err := m.send(reply); err != nil {
		return err
	}
	verdict, err := m.recv()
	if err != nil {
		return err
	}
	if string(verdict) != welcomeMark {
		return fmt.Errorf("%w: the peer rejected our digest", ErrAuth)
	}
	return nil
}

// digest computes the answer to a challenge in the dialect it is put in.
func (p proof) digest(message []byte) ([]byte, error) {
	if len(message) == legacyNonce || len(message) == md5.Size {
		if !p.md5 {
			return nil, fmt.Errorf("%w: the peer asks for HMAC-MD5, which is not allowed", ErrAuth)
		}
		return mac(md5.New, p.key, message), nil
	}
	name, rest, err := cutDigestName(message)
	if err != nil {
		return nil, err
	}
	if len(rest) < minNonce {
		return nil, fmt.Errorf("%w: a challenge of %d bytes is too short", ErrAuth, len(rest))
	}
	fn, err := p.digestByName(name)
	if err != nil {
		return nil, err
	}
	return append([]byte("{"+name+"}"), mac(fn, p.key, message)...), nil
}

// verify compares the peer's answer in constant time.
func (p proof) verify(message, reply []byte) error {
	fn, sum := md5.New, reply
	if len(reply) == md5.Size || len(reply) == legacyNonce {
		if !p.md5 {
			return fmt.Errorf("%w: the peer answers with HMAC-MD5, which is not allowed", ErrAuth)
		}
	} else {
		name, rest, err := cutDigestName(reply)
		if err != nil {
			return err
		}
		if fn, err = p.digestByName(name); err != nil {
			return err
		}
		sum = rest
	}
	if subtle.ConstantTimeCompare(sum, mac(fn, p.key, message)) != 1 {
		return fmt.Errorf("%w: the peer's digest is wrong", ErrAuth)
	}
	return nil
}

// cutDigestName splits "{name}rest".
func cutDigestName(b []byte) (name string, rest []byte, err error) {
	end := bytes.IndexByte(b[:min(len(b), maxPrefix)], '}')
	if end < 1 || b[0] != '{' {
		return "", nil, fmt.Errorf("%w: a digest without a name", ErrAuth)
	}
	return string(b[1:end]), b[end+1:], nil
}

func (p proof) digestByName(name string) (func() hash.Hash, error) {
	if name == "md5" && p.md5 {
		return md5.New, nil
	}
	if fn, ok := digests[name]; ok {
		return fn, nil
	}
	return nil, fmt.Errorf("%w: digest %q is not allowed", ErrAuth, strings.ToValidUTF8(name, "?"))
}

func mac(fn func() hash.Hash, key, message []byte) []byte {
	h := hmac.New(fn, key)
	h.Write(message)
	return h.Sum(nil)
}

func (p proof) random(b []byte) error {
	if p.nonce == nil {
		_, err := rand.Read(b)
		return err
	}
	_, err := io.ReadFull(p.nonce, b)
	return err
}

// authenticate runs a handshake on a connection that nobody else uses yet,
// for no longer than limit.
func (c *Conn) authenticate(ctx context.Context, limit time.Duration, shake func(messenger) error) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c.in.setLimit(maxHandshake)
	err := shake(handshake{limited, c})
	c.in.setLimit(c.opts.MaxMessage)
	switch {
	case err == nil, ctx.Err() != nil, errors.Is(err, ErrAuth):
		return err
	case limited.Err() != nil:
		return fmt.Errorf("%w: not done within %v (has the peer a key?): %w", ErrAuth, limit, os.ErrDeadlineExceeded)
	case err == io.EOF:
		return fmt.Errorf("%w: %w during the handshake", ErrAuth, ErrPeerClosed)
	}
	return fmt.Errorf("%w: %w", ErrAuth, err)
}

// handshake is a Conn while its peer is unproven.
type handshake struct {
	ctx context.Context
	c   *Conn
}

func (h handshake) send(msg []byte) error { return h.c.Send(h.ctx, msg) }

func (h handshake) recv() ([]byte, error) {
	m, err := h.c.Recv(h.ctx)
	m.Close() // descriptors have no business here
	return m.Data, err
}
