package rpc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipcctl/ipc/socket"
)

// Request is a call with all that can be said about it.
type Request struct {
	Method string // as Server.Handle has it, 1 to MaxMethodLen bytes
	Data   []byte
	Files  []*os.File // stay the caller's

	// Buffer is where the reply's data goes if the capacity suffices, else it
	// gets memory of its own; after an error there may be anything in it. Each
	// call under way needs its own. Nil does for short replies; with those of
	// 16 KiB to 2 MiB a buffer spares most of what a call costs. Of a stream,
	// it has no effect.
	Buffer []byte

	// Timeout limits the call, attempts to connect and to call again
	// included, as a deadline of its context would: the handler is told. It
	// is the cheaper one, a call with it allocates no more than one without.
	// Zero: as long as the context allows.
	Timeout time.Duration

	// Idempotent allows the client to make the call again, on a new
	// connection, when one was lost before the reply came or could not be made:
	// until Timeout or the context ends it, for ever if neither does.
	Idempotent bool
}

// Reply is what came back. Data and Files belong to the caller, who closes the
// files.
type Reply = socket.Message

// Client makes calls, over one connection at a time.
type Client struct {
	o ClientOptions

	dialing chan struct{} // held by whoever connects
	backoff backoff
	life    context.Context // until Close
	end     context.CancelFunc

	ready atomic.Pointer[link] // link, while it takes calls

	mu       sync.Mutex
	link     *link // nil: none
	closed   bool
	failures uint  // attempts to connect that have failed
	failure  error // the last of them

	stateMu sync.Mutex
	last    State // Closed is final
}

// NewClient returns a client that uses c, and nothing else once that is lost.
// It takes c over.
func NewClient(c *socket.Conn) *Client {
	cl := newClient(&ClientOptions{})
	cl.newLink(c)
	return cl
}

func newClient(o *ClientOptions) *Client {
	cl := &Client{o: *o, dialing: make(chan struct{}, 1), backoff: backoff{min: o.MinBackoff, max: o.MaxBackoff}}
	cl.life, cl.end = context.WithCancel(context.Background())
	return cl
}

// Call calls method and returns the reply, which belongs to the caller.
//
// The error wraps an [*Error] if the server or the handler gave it,
// ErrConnection if the connection was lost, ErrClosed, or ctx.Err(): then the
// handler's context ends too.
func (cl *Client) Call(ctx context.Context, method string, req []byte) ([]byte, error) {
	r, err := cl.Do(ctx, &Request{Method: method, Data: req})
	closeAll(r.Files) // asked for data alone
	return r.Data, err
}

// Do makes a call as the request says. Errors are those of Call.
func (cl *Client) Do(ctx context.Context, req *Request) (Reply, error) {
	if req.Timeout > 0 {
		timed := newTimedContext(ctx, req.Timeout)
		defer timed.release()
		ctx = timed
	}
	for {
		l, err := cl.connected(ctx)
		var r Reply
		if err == nil {
			r, err = l.call(ctx, req)
		}
		if err == nil {
			return r, nil
		}
		if !cl.again(ctx, req, err) {
			return Reply{}, callError(req.Method, err)
		}
	}
}

// again decides whether a failed call is made once more.
func (cl *Client) again(ctx context.Context, req *Request, err error) bool {
	if cl.o.Dial == nil || ctx.Err() != nil || errors.Is(err, ErrClosed) {
		return false
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code == CodeShutdown // it was not even begun
	}
	if _, ok := err.(notBegun); ok {
		return true
	}
	return req.Idempotent && errors.Is(err, ErrConnection)
}

// Notify makes a one-way call: there is no reply, and no error but that the
// request could not be sent. Nil means that it goes out, soon if others are sending at
// this moment, and before Close returns. It does not mean that the server carries it out:
// it says nothing if it is busy or shutting down, or the policy denies the call. The
// context of the handler ends with the connection, as that of any call does.
func (cl *Client) Notify(ctx context.Context, method string, req []byte) error {
	for {
		l, err := cl.connected(ctx)
		if err == nil {
			err = l.notify(ctx, method, req)
		}
		if err == nil {
			return nil
		}
		if !cl.again(ctx, &Request{}, err) {
			return callError(method, err)
		}
	}
}

// Stream begins a call that sends and takes messages. The end of ctx ends the whole
// call, and its deadline is the handler's. The stream must be finished: by Recv up to
// io.EOF or an error, or by Close, which may follow in any case. A refusal, as of a method that
// there is not, is the error of Recv; a stream that was begun is not made again.
func (cl *Client) Stream(ctx context.Context, method string, req []byte) (*Stream, error) {
	for {
		l, err := cl.connected(ctx)
		var s *Stream
		if err == nil {
			s, err = l.stream(ctx, method, req)
		}
		if err == nil {
			return s, nil
		}
		if !cl.again(ctx, &Request{}, err) {
			return nil, callError(method, err)
		}
	}
}

// Close closes the connection. Calls under way fail with ErrClosed, also those that wait
// for a connection. One-way calls that were made go out first, if the server makes room
// for them within a second.
func (cl *Client) Close() error {
	cl.end()
	cl.mu.Lock()
	was := cl.closed
	cl.closed = true
	l := cl.link
	cl.ready.Store(nil)
	cl.mu.Unlock()
	if l != nil {
		l.wire.finish()
		l.fail(ErrClosed)
	}
	if !was {
		cl.state(Closed, nil)
	}
	return nil
}

// A link is one connection of a client.
type link struct {
	cl    *Client
	wire  wire
	spin  time.Duration // for how long a caller may follow; then it sleeps
	procs int32         // GOMAXPROCS

	mu       sync.Mutex
	next     uint32
	pending  map[uint32]*pending
	err      error // why it is dead
	leaving  error // why it takes no new calls: the server wants none, or has gone
	answered bool  // the server has answered a call
	reading  reading
}

// pending is a call that waits for its end, and its stream if it has one.
type pending struct {
	id     uint32
	sent   bool        // the call may have gone out
	buffer []byte      // of the request
	done   chan result // one result, from whoever removes the call from the map
	stream *Stream
	timer  *time.Timer // of a call with a timeout of its own

	waiting waiting // the link's
}

type result struct {
	reply Reply
	err   error
}

var pendings = sync.Pool{New: func() any { return &pending{done: make(chan result, 1)} }}

// newLink makes c the client's connection.
func (cl *Client) newLink(c *socket.Conn) *link {
	l := &link{cl: cl, pending: map[uint32]*pending{}}
	l.reading.init()
	l.wire.init(c, l.broken)
	setSpin(c)
	l.spin, l.procs = min(c.Spin(), defaultSpin), int32(runtime.GOMAXPROCS(0))
	c.SetMemory(freeMemory.take)
	cl.mu.Lock()
	cl.link = l
	if !cl.closed {
		cl.ready.Store(l)
	}
	cl.mu.Unlock()
	cl.state(Ready, nil) // before read can tell the opposite
	go l.keep()
	return l
}

func (l *link) usable() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err == nil && l.leaving == nil
}

// notBegun is the error of a call of which nothing was sent: the connection was found to
// be lost, or about to end. Such a call is made again, on another one.
type notBegun struct{ error }

func (e notBegun) Unwrap() error { return e.error }

// gone says why no call can begin. Precondition: mu is held.
func (l *link) gone() error {
	switch {
	case l.err != nil:
		return notBegun{l.err}
	case l.leaving != nil:
		return notBegun{l.leaving}
	}
	return nil
}

// enter registers a call.
func (l *link) enter(p *pending) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.gone(); err != nil {
		return err
	}
	for {
		l.next++
		if _, taken := l.pending[l.next]; !taken { // only after 2^32 calls
			break
		}
	}
	p.id, p.sent = l.next, false
	l.pending[p.id] = p
	if p.stream != nil {
		l.reading.streams++
		if l.reading.by.Load() == byNobody {
			l.toKeeper()
		}
	}
	l.wire.active.Add(1)
	return nil
}

// leave removes a call; true means that nobody else did, so no result comes.
func (l *link) leave(p *pending) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending[p.id] != p {
		return false
	}
	l.drop(p)
	return true
}

// drop is leave for the holder of mu.
func (l *link) drop(p *pending) {
	delete(l.pending, p.id)
	l.reading.waits(p, notYet)
	if p.stream != nil {
		l.reading.streams--
	}
	l.wire.active.Add(-1)
	if l.leaving != nil && len(l.pending) == 0 {
		go l.fail(l.leaving)
	}
}

// call makes a unary call.
func (l *link) call(ctx context.Context, req *Request) (Reply, error) {
	p := pendings.Get().(*pending)
	p.buffer = req.Buffer
	defer func() {
		p.buffer = nil
		pendings.Put(p)
	}()
	if err := l.begin(ctx, p, 0, req); err != nil {
		return Reply{}, err
	}
	r, err := l.result(ctx, p)
	if err == nil {
		return r.reply, r.err
	}
	if !l.leave(p) { // the reply is just coming
		r := <-p.done
		r.reply.Close()
	} else {
		l.cancel(p.id)
	}
	return Reply{}, err
}

// result waits for the result of p, or for ctx.
func (l *link) result(ctx context.Context, p *pending) (result, error) {
	if l.join(p) {
		return l.readFor(ctx, p)
	}
	if timed, ok := ctx.(*timedContext); ok {
		return p.await(timed)
	}
	if ctx.Done() == nil { // select is dearer
		return <-p.done, nil
	}
	select {
	case r := <-p.done:
		return r, nil
	case <-ctx.Done():
		return result{}, ctx.Err()
	}
}

// await waits for the result, or for the end of ctx.
func (p *pending) await(ctx *timedContext) (result, error) {
	with, at := ctx.Ends()
	if p.timer == nil {
		p.timer = time.NewTimer(time.Until(at))
	} else {
		p.timer.Reset(time.Until(at))
	}
	defer p.timer.Stop()
	select {
	case r := <-p.done:
		return r, nil
	case <-p.timer.C:
		return result{}, context.DeadlineExceeded
	case <-with.Done():
		return result{}, with.Err()
	}
}

// begin registers p and sends the call.
func (l *link) begin(ctx context.Context, p *pending, flags uint8, req *Request) error {
	if err := checkMethod(req.Method); err != nil {
		return err
	}
	timeout, err := timeoutOf(ctx)
	if err != nil {
		return err
	}
	if err := l.enter(p); err != nil {
		return err
	}
	err = l.wire.send(ctx, func(b []byte) []byte {
		p.sent = true
		return appendCall(b, p.id, flags, timeout, req.Method)
	}, req.Data, req.Files...)
	if err == nil {
		return nil
	}
	if !l.leave(p) {
		r := <-p.done // the connection was lost: that says more
		if r.err != nil {
			return r.err
		}
		r.reply.Close()
	} else if p.sent && ctx.Err() != nil {
		l.cancel(p.id) // the call may go out yet
	}
	return l.sendError(err)
}

// sendError says what an error of wire.send means for a call.
func (l *link) sendError(err error) error {
	l.mu.Lock()
	dead := l.err
	l.mu.Unlock()
	switch {
	case errors.Is(err, socket.ErrPeerClosed):
	case !errors.Is(err, os.ErrClosed):
		return err
	case dead != nil:
		return dead
	case l.wire.open():
		return err // it is a file of the request that is closed
	}
	return fmt.Errorf("%w: %w", ErrConnection, err)
}

// notify makes a one-way call.
func (l *link) notify(ctx context.Context, method string, req []byte) error {
	if err := checkMethod(method); err != nil {
		return err
	}
	timeout, err := timeoutOf(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.next++
	id, err := l.next, l.gone()
	l.mu.Unlock()
	if err != nil {
		return err
	}
	build := func(b []byte) []byte { return appendCall(b, id, flagOneWay, timeout, method) }
	if err := l.wire.send(ctx, build, req); err != nil {
		return l.sendError(err)
	}
	return nil
}

// timeoutOf returns how long ctx has left; zero is for ever.
func timeoutOf(ctx context.Context) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	by, ok := ctx.Deadline()
	if !ok {
		return 0, nil
	}
	left := time.Until(by)
	if left <= 0 {
		return 0, context.DeadlineExceeded
	}
	return left, nil
}

func checkMethod(method string) error {
	if method == "" || len(method) > MaxMethodLen {
		return fmt.Errorf("a method's name has 1 to %d bytes, not %d: %w", MaxMethodLen, len(method), os.ErrInvalid)
	}
	return nil
}

// cancel tells the server to give up on a call that may have gone out, without making
// anybody wait.
func (l *link) cancel(id uint32) {
	l.wire.post(header{kind: kindCancel, id: id}.append)
}

// frame serves one frame and takes over its files.
func (l *link) frame(m socket.Message) error {
	h, payload, err := parseHeader(m.Data)
	if err != nil {
		m.Close()
		return err
	}
	frame := m.Data
	m.Data = slices.Clip(payload) // what is behind it was another's
	l.mu.Lock()
	p := l.pending[h.id]
	if p != nil && h.kind == kindEnd {
		l.reading.counts(l.wire.active.Load())
		l.drop(p)
	}
	if p != nil && !l.answered && (h.kind != kindEnd || Code(h.aux) != CodeShutdown) {
		l.answered = true
		l.cl.backoff.reset()
	}
	l.mu.Unlock()
	switch {
	case h.kind == kindGoAway:
		l.goAway()
	case p == nil: // cancelled
	case h.kind == kindEnd:
		r := result{reply: m}
		if Code(h.aux) != CodeOK {
			r = result{err: &Error{Code(h.aux), string(payload)}}
			m.Close()
		}
		if Code(h.aux) == CodeShutdown {
			l.goAway() // the frame that says so may come later
		}
		if r.err == nil && cap(p.buffer) >= len(payload) && p.buffer != nil {
			r.reply.Data = append(p.buffer[:0], payload...)
			freeMemory.give(frame)
		}
		p.finish(r)
		return nil
	case h.kind == kindData && p.stream != nil:
		m.Data = frame
		return p.stream.in.push(m)
	case h.kind == kindCredit && p.stream != nil:
		return p.stream.out.add(binary.BigEndian.Uint32(payload))
	default:
		err = fmt.Errorf("%w: frame of kind %d from a server", errProtocol, h.kind)
	}
	m.Close()
	return err
}

// goAway notes that the server wants no new calls.
func (l *link) goAway() { l.retire(fmt.Errorf("%w: the server is shutting down", ErrConnection)) }

// broken is told that nothing can be sent any more. Of a server that has closed, what it
// has answered before that may still be here: the reader comes to the end by itself.
func (l *link) broken(err error) {
	if err := fmt.Errorf("%w: %w", ErrConnection, err); errors.Is(err, socket.ErrPeerClosed) {
		l.retire(err)
	} else {
		l.fail(err)
	}
}

// retire takes no new calls, and ends the connection with the last of the others.
func (l *link) retire(why error) {
	l.mu.Lock()
	l.cl.ready.CompareAndSwap(l, nil)
	if l.leaving == nil {
		l.leaving = why
	}
	empty := len(l.pending) == 0
	l.mu.Unlock()
	if empty {
		go l.fail(why)
	}
}

// finish passes the result on. It is called once, by whoever removed p from
// the map.
func (p *pending) finish(r result) {
	if p.stream != nil {
		p.stream.finish(r)
		return
	}
	p.done <- r
}

// fail ends all calls and closes the connection. The first error counts.
func (l *link) fail(err error) {
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		return
	}
	l.cl.ready.CompareAndSwap(l, nil)
	l.err = err
	lost := l.pending
	l.pending = map[uint32]*pending{}
	for _, p := range lost {
		l.reading.waits(p, notYet)
	}
	l.mu.Unlock()
	l.wire.c.Close()
	for _, p := range lost {
		p.finish(result{err: err})
	}
	if !errors.Is(err, ErrClosed) {
		l.cl.lost(l, err)
	}
}
