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
	// Dial makes each connection, for the call that needs it and while ctx allows;
	// the end of ctx means nothing to the connection. Nil: socket.Dial to the
	// client's address, with the options Socket.
	Dial func(ctx context.Context) (*socket.Conn, error)

	// Socket has policy, authentication and limits; it is of no use beside Dial.
	// With Wait, a call waits for the server to come up, as long as it may take.
	Socket *socket.DialOptions

	// MinBackoff and MaxBackoff bound the pause before the next attempt after
	// one that failed, or whose connection was lost before the server had answered
	// anything. It doubles each time, and varies at random by half.
	// Zero means 20 ms and 2 s.
	MinBackoff, MaxBackoff time.Duration

	// OnState is told of each change, one at a time. It must not block, nor
	// call the client.
	OnState func(State, error)
}

// Dial returns a client of the server at addr, at once. It connects with the
// first call, and again with the next one after a connection was lost: a call
// makes one attempt, or waits for that of another call, after a pause if earlier ones
// failed, and an idempotent one as many as its context allows. A call that the server
// refused since it shuts down, or of which nothing was sent, is made again in any case.
// The caller closes the client.
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
	l, failures, err := cl.current()
	if l != nil || err != nil {
		return l, err
	}
	ctx, cancel := context.WithCancel(shared(ctx))
	defer cancel()
	defer context.AfterFunc(cl.life, cancel)()
	if l, err = cl.connect(ctx, failures); err != nil && cl.life.Err() != nil {
		return nil, ErrClosed
	}
	return l, err
}

// connect makes a connection, unless an attempt of another caller that is not among the
// failures known yet has just made one, or failed: to make as many attempts as there are
// callers, one after the other, would keep the last of them waiting for all the pauses.
func (cl *Client) connect(ctx context.Context, known uint) (*link, error) {
	select {
	case cl.dialing <- struct{}{}:
		defer func() { <-cl.dialing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l, failures, err := cl.current()
	switch {
	case l != nil || err != nil:
		return l, err
	case failures != known:
		return nil, cl.failure
	}
	if err := cl.backoff.wait(ctx); err != nil {
		return nil, err
	}
	cl.state(Connecting, nil)
	c, err := cl.o.Dial(ctx)
	cl.backoff.failed() // until the server has answered
	if err != nil {
		cl.state(Down, err)
		err = fmt.Errorf("%w: %w", ErrConnection, err)
		if ctx.Err() == nil { // or it is this caller's alone
			cl.mu.Lock()
			cl.failures++
			cl.failure = err
			cl.mu.Unlock()
		}
		return nil, err
	}
	l = cl.newLink(c)
	cl.mu.Lock()
	closed := cl.closed
	cl.mu.Unlock()
	if closed {
		l.fail(ErrClosed)
		return nil, ErrClosed
	}
	return l, nil
}

// current returns the connection there is; nil means that one must be made, after so many
// attempts that have failed.
func (cl *Client) current() (l *link, failures uint, err error) {
	cl.mu.Lock()
	l, failures = cl.link, cl.failures
	closed := cl.closed
	cl.mu.Unlock()
	switch {
	case closed:
		return nil, 0, ErrClosed
	case l != nil && l.usable():
		return l, 0, nil
	case cl.o.Dial != nil:
		return nil, failures, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, 0, l.err
	}
	return nil, 0, l.leaving
}

// state tells of a change.
func (cl *Client) state(s State, err error) {
	if cl.o.OnState == nil {
		return
	}
	cl.stateMu.Lock()
	defer cl.stateMu.Unlock()
	cl.tell(s, err)
}

// lost tells that l was, unless there is another one by now, which may have been told.
func (cl *Client) lost(l *link, err error) {
	if cl.o.OnState == nil {
		return
	}
	cl.stateMu.Lock()
	defer cl.stateMu.Unlock()
	cl.mu.Lock()
	current := cl.link == l
	cl.mu.Unlock()
	if current {
		cl.tell(Down, err)
	}
}

// tell is state for the holder of stateMu.
func (cl *Client) tell(s State, err error) {
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
