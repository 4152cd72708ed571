package rpc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ipcctl/ipc/socket"
)

// State is what has become of a client's connection.
type State int

// The states, as ClientOptions.OnState is told.
const (
	Connecting State = iota // an attempt begins
	Ready                   // there is a connection
	Down                    // it was lost, or the attempt failed: the error says why
	Closed                  // by Client.Close
)

// String returns the state's name.
func (s State) String() string {
	switch s {
	case Connecting:
		return "connecting"
	case Ready:
		return "ready"
	case Down:
		return "down"
	case Closed:
		return "closed"
	}
	return fmt.Sprintf("State(%d)", int(s))
}

// ClientOptions are what a client can be told.
type ClientOptions struct {
	// Dial makes each connection. Nil: socket.Dial to the client's address, with
	// the options Socket.
	Dial func(ctx context.Context) (*socket.Conn, error)

	// Socket has policy, authentication and limits; it is of no use beside Dial.
	// With Wait, a call waits for the server to come up, as long as it may take.
	Socket *socket.DialOptions

	// MinBackoff and MaxBackoff bound the pause before the next attempt after
	// one that failed. It doubles each time, and varies at random by half.
	// Zero means 20 ms and 2 s.
	MinBackoff, MaxBackoff time.Duration

	// OnState is told of each change, one at a time. It must not block, nor
	// call the client.
	OnState func(State, error)
}

// Dial returns a client of the server at addr, at once. It connects with the
// first call, and again with the next one after a connection was lost: a call
// makes one attempt, after a pause if earlier ones failed, and an idempotent one
// as many as its context allows. The caller closes the client.
func Dial(addr string, o *ClientOptions) *Client {
	if o == nil {
		o = &ClientOptions{}
	}
	opts := *o
	if opts.Dial == nil {
		opts.Dial = func(ctx context.Context) (*socket.Conn, error) {
			return socket.Dial(ctx, addr, opts.Socket)
		}
	}
	return newClient(&opts)
}

// connected returns a usable connection.
func (cl *Client) connected(ctx context.Context) (*link, error) {
	if l := cl.ready.Load(); l != nil { // nearly always
		return l, nil
	}
	if l, err := cl.current(); l != nil || err != nil {
		return l, err
	}
	ctx = shared(ctx)
	select {
	case cl.dialing <- struct{}{}:
		defer func() { <-cl.dialing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if l, err := cl.current(); l != nil || err != nil { // somebody else did it
		return l, err
	}
	if err := cl.backoff.wait(ctx); err != nil {
		return nil, err
	}
	cl.state(Connecting, nil)
	c, err := cl.o.Dial(ctx)
	if err != nil {
		cl.backoff.failed()
		cl.state(Down, err)
		return nil, fmt.Errorf("%w: %w", ErrConnection, err)
	}
	cl.backoff.reset()
	l := cl.newLink(c)
	cl.mu.Lock()
	closed := cl.closed
	cl.mu.Unlock()
	if closed {
		l.fail(ErrClosed)
		return nil, ErrClosed
	}
	return l, nil
}

// current returns the connection there is; nil means that one must be made.
func (cl *Client) current() (*link, error) {
	cl.mu.Lock()
	l, closed := cl.link, cl.closed
	cl.mu.Unlock()
	switch {
	case closed:
		return nil, ErrClosed
	case l != nil && l.usable():
		return l, nil
	case cl.o.Dial != nil:
		return nil, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, l.err
	}
	return nil, fmt.Errorf("%w: the server is shutting down", ErrConnection)
}

// state tells of a change.
func (cl *Client) state(s State, err error) {
	if cl.o.OnState == nil {
		return
	}
	cl.stateMu.Lock()
	defer cl.stateMu.Unlock()
	if cl.last == Closed {
		return
	}
	cl.last = s
	cl.o.OnState(s, err)
}

// backoff spaces the attempts after failures.
type backoff struct {
	min, max time.Duration

	mu    sync.Mutex
	pause time.Duration
	until time.Time
}

func (b *backoff) failed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	least, most := b.min, b.max
	if least <= 0 {
		least = 20 * time.Millisecond
	}
	if most <= 0 {
		most = 2 * time.Second
	}
	b.pause = min(max(2*b.pause, least), max(most, least))
	b.until = time.Now().Add(b.pause/2 + rand.N(b.pause/2+1))
}

func (b *backoff) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pause, b.until = 0, time.Time{}
}

// wait waits out the pause.
func (b *backoff) wait(ctx context.Context) error {
	b.mu.Lock()
	left := time.Until(b.until)
	b.mu.Unlock()
	if left <= 0 {
		return nil
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
