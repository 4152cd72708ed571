package socket

import (
	"context"
	"fmt"
	"os"
	"sync"
)

// A lobby is where connections prove their key, many at once, so that a slow
// one holds up nobody.
//
//	accept ──▶ door ──▶ guests: handshake ──▶ ready ──▶ Accept
//
// There are at most MaxHandshakes guests, the ready ones that nobody has
// taken yet included. When one more comes, an unproven one has to leave; if
// all are proven, the newcomer waits in the kernel's backlog.
type lobby struct {
	l     *Listener
	ctx   context.Context // ends with the listener
	end   context.CancelFunc
	ready chan *Conn
	left  chan struct{} // a token when a guest has left
	wg    sync.WaitGroup

	mu     sync.Mutex
	guests []*guest // oldest first
	err    error    // why accepting stopped
	failed chan struct{}
}

type guest struct {
	c      *Conn
	proven bool
	out    bool // told to leave
}

func newLobby(l *Listener) *lobby {
	b := &lobby{l: l, ready: make(chan *Conn), left: make(chan struct{}, 1), failed: make(chan struct{})}
	b.ctx, b.end = context.WithCancel(context.Background())
	b.wg.Add(1)
	return b
}

// accept waits for a connection that has proven the key.
func (b *lobby) accept(ctx context.Context) (*Conn, error) {
	select {
	case c := <-b.ready:
		return c, nil
	case <-b.l.closing:
		return nil, os.ErrClosed
	case <-b.failed:
		return nil, b.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// run accepts until the listener is closed.
func (b *lobby) run() {
	defer b.wg.Done()
	for {
		c, err := b.l.acceptAdmitted(b.ctx)
		if err != nil {
			b.err = err
			close(b.failed)
			return
		}
		g := &guest{c: c}
		for !b.enter(g) {
			select {
			case <-b.left:
			case <-b.ctx.Done():
				c.Close()
				return
			}
		}
		b.wg.Go(func() { b.welcome(g) })
	}
}

// enter gives g a place, if need be that of an unproven guest of the user who
// has the most.
func (b *lobby) enter(g *guest) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.guests) < b.l.opts.MaxHandshakes {
		b.guests = append(b.guests, g)
		return true
	}
	unproven := map[uint32]int{}
	for _, o := range b.guests {
		if o.out {
			return false // one place for one newcomer: that guest is on its way
		}
		if !o.proven {
			unproven[o.c.peer.UID]++
		}
	}
	most, victim := 0, (*guest)(nil)
	for _, o := range b.guests {
		if n := unproven[o.c.peer.UID]; !o.proven && n > most {
			most, victim = n, o
		}
	}
	if victim != nil {
		victim.out = true
		victim.c.Close() // its handshake fails, and it leaves
	}
	return false
}

// welcome runs the handshake of g and passes it on to Accept.
func (b *lobby) welcome(g *guest) {
	defer b.leave(g)
	p := proof{key: b.l.opts.AuthKey, md5: b.l.opts.AllowMD5}
	err := g.c.authenticate(b.ctx, b.l.opts.HandshakeTimeout, p.asListener)
	b.mu.Lock()
	if err == nil && g.out {
		err = os.ErrClosed
	}
	if g.out {
		err = fmt.Errorf("%w: %d under way: %w", ErrTooManyHandshakes, b.l.opts.MaxHandshakes, err)
	}
	g.proven = err == nil
	b.mu.Unlock()
	if err != nil {
		g.c.Close()
		b.l.refused(g.c.peer, err)
		return
	}
	select {
	case b.ready <- g.c:
	case <-b.ctx.Done():
		g.c.Close()
	}
}

func (b *lobby) leave(g *guest) {
	b.mu.Lock()
	for i, o := range b.guests {
		if o == g {
			b.guests = append(b.guests[:i], b.guests[i+1:]...)
			break
		}
	}
	b.mu.Unlock()
	select {
	case b.left <- struct{}{}:
	default:
	}
}

// wait ends all handshakes and returns when the lobby is empty.
func (b *lobby) wait() {
	b.end()
	b.wg.Wait()
}
