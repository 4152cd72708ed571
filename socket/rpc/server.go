package rpc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipcctl/ipc/acl"
	"github.com/ipcctl/ipc/socket"
	"github.com/ipcctl/ipc/socket/internal/cpu"
)

// DefaultMaxCalls is how many calls of one connection run at once unless told
// otherwise.
const DefaultMaxCalls = 1024

// Handler answers calls of a method.
//
// Serve returns the reply, which nobody may change from then on, or an error,
// preferably an [*Error]. Of others the
// caller gets the text, with CodeDeadline, CodeCanceled or CodeDenied if they wrap
// context.DeadlineExceeded, context.Canceled or os.ErrPermission, and otherwise
// CodeUnknown. ctx ends when the caller gives up, its deadline passes, its
// connection is lost or the server stops waiting. The call is valid until Serve
// returns. Calls run concurrently, also those of one connection. A handler that
// panics or ends its goroutine (runtime.Goexit) is answered with CodePanic.
type Handler interface {
	Serve(ctx context.Context, call *Call) ([]byte, error)
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, call *Call) ([]byte, error)

// Serve calls f.
func (f HandlerFunc) Serve(ctx context.Context, call *Call) ([]byte, error) { return f(ctx, call) }

// Server answers calls. The exported fields are set before it is used; the zero
// value works.
type Server struct {
	// Policy decides whether the peer may "call" "rpc:" + the method. Nil
	// leaves that to whoever admitted the connection, and to handlers. One that
	// changes is asked anew about each call, also on connections that are open.
	Policy socket.Policy

	// Refused is told of every call that Policy denied, and why, if it is not
	// nil; the caller learns CodeDenied. Calls of one connection are told one
	// after the other. It must not block.
	Refused func(acl.Subject, error)

	// MaxCalls limits the calls of one connection that run at once, one-way ones
	// included, and those whose caller has given up until their handler returns;
	// further ones get CodeBusy. Zero means DefaultMaxCalls.
	MaxCalls int

	// Logger is told of panics and of peers that break the protocol. Nil:
	// nobody is.
	Logger *slog.Logger

	methods atomic.Pointer[map[string]*method] // replaced as a whole

	mu        sync.Mutex
	listeners map[*socket.Listener]struct{}
	sessions  map[*session]struct{}
	closing   bool
	idle      sync.WaitGroup // sessions

	watch watch
}

type method struct {
	name, resource string
	handler        Handler
	pace           pace
}

// Handle makes h answer calls of the method name, such as "/app.Orders/Get"
// (patterns of a policy go by the slashes). It may be called while the server
// serves. It panics on an empty name, one of more than MaxMethodLen bytes, and one
// that is taken, and a nil handler.
func (s *Server) Handle(name string, h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	methods := map[string]*method{}
	if old := s.methods.Load(); old != nil {
		methods = maps.Clone(*old)
	}
	if name == "" || len(name) > MaxMethodLen || methods[name] != nil || h == nil {
		panic(fmt.Sprintf("rpc: method %q is empty, over-long, taken or nil", name))
	}
	methods[name] = &method{name: name, resource: "rpc:" + name, handler: h}
	s.methods.Store(&methods)
}

// HandleFunc is Handle for a function.
func (s *Server) HandleFunc(name string, f func(ctx context.Context, call *Call) ([]byte, error)) {
	if f == nil {
		s.Handle(name, nil)
	}
	s.Handle(name, HandlerFunc(f))
}

// Serve answers the calls of everyone whom l admits. It returns an error
// wrapping ErrClosed after Shutdown, and then l is closed, or why accepting failed.
// Several listeners may be served at a time.
func (s *Server) Serve(l *socket.Listener) error {
	if !s.enlist(l) {
		l.Close()
		return ErrClosed
	}
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()
	for {
		c, err := l.Accept(context.Background())
		if err != nil {
			if s.isClosing() {
				return ErrClosed
			}
			return fmt.Errorf("rpc: serve: %w", err)
		}
		go s.ServeConn(c)
	}
}

func (s *Server) enlist(l *socket.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	if s.listeners == nil {
		s.listeners = map[*socket.Listener]struct{}{}
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// ServeConn answers the calls of one connection, which it takes over, until
// the peer closes it or Shutdown is called.
func (s *Server) ServeConn(c *socket.Conn) {
	ctx, cancel := context.WithCancel(context.Background())
	x := &session{
		s: s, peer: c.Peer(), ctx: ctx, cancel: cancel, calls: map[uint32]*Call{},
		max: s.MaxCalls, gone: make(chan struct{}),
	}
	if x.max <= 0 {
		x.max = DefaultMaxCalls
	}
	x.wire.init(c, func(err error) {
		if !errors.Is(err, socket.ErrPeerClosed) { // or read comes to the end by itself
			cancel()
		}
	})
	setSpin(c)
	c.SetMemory(freeMemory.take)
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		c.Close()
		cancel()
		return
	}
	if s.sessions == nil {
		s.sessions = map[*session]struct{}{}
	}
	s.sessions[x] = struct{}{}
	s.idle.Add(1)
	s.mu.Unlock()
	x.serve()
	<-x.gone
}

// end closes a session whose reading has ended.
func (s *Server) end(x *session, err error) {
	if errors.Is(err, errProtocol) && s.Logger != nil {
		s.Logger.Warn("rpc: connection closed", "peer", x.peer.String(), "error", err)
	}
	x.cancel()
	x.wire.c.Close() // before handlers that take their time: others wait for the end
	x.mu.Lock()
	for _, call := range x.calls {
		call.endStream(fmt.Errorf("%w: it was closed", ErrConnection))
	}
	x.mu.Unlock()
	x.running.Wait()
	s.mu.Lock()
	delete(s.sessions, x)
	s.mu.Unlock()
	close(x.gone)
	s.idle.Done()
}

// Shutdown closes the listeners, asks clients for no new calls, lets those under
// way finish, and closes the connections; a client that does not close its side keeps
// it for a second. When ctx ends first, the calls'
// contexts end, and Shutdown returns an error wrapping ctx.Err() without
// waiting for handlers that ignore that. The server can't be used again.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	sessions := make([]*session, 0, len(s.sessions))
	for x := range s.sessions {
		x.refuse()
		sessions = append(sessions, x)
	}
	for l := range s.listeners {
		l.Close()
	}
	s.mu.Unlock()
	for _, x := range sessions {
		go x.drain()
	}
	done := make(chan struct{})
	go func() { s.idle.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	for _, x := range sessions {
		x.cancel()
		x.wire.c.Close()
	}
	return fmt.Errorf("rpc: shutdown: %w", ctx.Err())
}

// A session is one connection of a server.
type session struct {
	s      *Server
	wire   wire
	peer   acl.Subject
	ctx    context.Context // of all its calls
	cancel context.CancelFunc
	max    int

	stage stage         // where the reader is
	gone  chan struct{} // closed at the end

	mu       sync.Mutex
	calls    map[uint32]*Call // admitted, until the handler has returned
	queue    calls            // those that no worker has begun
	coming   bool             // a worker was started and has not looked at queue yet
	draining bool
	running  sync.WaitGroup
}

// serve reads the session's frames. It returns when the connection has ended,
// or when another goroutine has taken over.
func (x *session) serve() {
	r := run{replies: 1} // one that was taken over may have left some
	returned := false
	defer func() {
		switch {
		case returned:
		case x.stage.leave(r.entered): // a handler has called runtime.Goexit
			go x.serve()
		default: // the same, but somebody else reads by now
			_ = x.wire.flush(x.ctx, false)
		}
	}()
	err := x.read(&r)
	returned = true
	if err != errPassed {
		x.s.end(x, err)
	}
}

// read serves frames until the connection ends. It waits for nothing but the peer's next
// frame, apart from quick handlers and the sending of their replies, in whose midst the
// watch lets another goroutine read on, and from a peer that reads nothing while calls of
// it are refused, 64 KiB of that.
func (x *session) read(r *run) error {
	for {
		if !x.wire.c.Pending() {
			if err := x.flush(r); err != nil {
				return err
			}
			r.waits++
			if r.started || r.waits%shareEvery == 0 {
				r.started = false
				runtime.Gosched() // the worker goes first, or now and then others: Recv may spin
			}
		}
		m, err := x.wire.c.Recv(x.ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := x.frame(r, m); err != nil {
			return err
		}
	}
}

// frame serves one frame and takes it over.
func (x *session) frame(r *run, m socket.Message) error {
	h, payload, err := parseHeader(m.Data)
	if err != nil {
		m.Close()
		return err
	}
	frame := m.Data
	m.Data = slices.Clip(payload) // what is behind it was another's
	if h.kind == kindCall {
		return x.call(r, h, m, frame)
	}
	x.mu.Lock()
	call := x.calls[h.id]
	x.mu.Unlock()
	if call == nil { // it has just ended
		return m.Close()
	}
	switch {
	case h.kind == kindData && call.flags&flagSends != 0 && h.flags&flagLast != 0:
		call.in.finish(io.EOF)
	case h.kind == kindData && call.flags&flagSends != 0:
		m.Data = frame
		return call.in.push(m)
	case h.kind == kindCredit && call.flags&flagTakes != 0:
		return call.out.add(binary.BigEndian.Uint32(payload))
	case h.kind == kindCancel:
		call.ctx.cancel()
		call.endStream(context.Canceled)
	default:
		m.Close()
		return fmt.Errorf("%w: frame of kind %d from a caller", errProtocol, h.kind)
	}
	return m.Close()
}

// call starts a call, runs it at once if it promises to be quick, or refuses it. The
// frame is the memory that its data is in.
func (x *session) call(r *run, h header, m socket.Message, frame []byte) error {
	timeout, name, data, err := parseCall(h, m.Data)
	if err != nil {
		m.Close()
		return err
	}
	var target *method
	if methods := x.s.methods.Load(); methods != nil {
		target = (*methods)[string(name)]
	}

	call := &Call{x: x, id: h.id, flags: h.flags, Data: data, Files: m.Files, frame: frame}
	decision := acl.Decision{Allowed: true}
	if target != nil && x.s.Policy != nil { // which may be anybody's code: not under the lock
		decision = x.s.Policy.Check(x.peer, "call", target.resource)
	}
	x.mu.Lock()
	_, twice := x.calls[h.id]
	var refusal *Error
	switch {
	case twice:
	case x.draining:
		refusal = &Error{CodeShutdown, "the server is shutting down"}
	case len(x.calls) >= x.max || x.wire.active.Load() >= 2*int32(min(x.max, 1<<20)): // or the replies pile up
		refusal = Errorf(CodeBusy, "more than %d calls at once", x.max)
	case target == nil:
		refusal = Errorf(CodeNotFound, "no method %q", name)
	case !decision.Allowed:
		refusal = Errorf(CodeDenied, "%v may not call %q", x.peer, name)
	default:
		call.method = target
		call.start(timeout)
		x.calls[h.id] = call
		x.running.Add(1)
		x.wire.active.Add(1)
		// While a long reply is on its way, the reader should not end up behind it.
		if target.pace.quick() && call.in == nil && x.queue.empty() && len(x.wire.alone) == 0 {
			call.reader = r
		} else {
			x.queue.push(call)
		}
	}
	start := x.wantWorker()
	x.mu.Unlock()
	if start {
		go x.work()
		r.started = true
	}
	switch {
	case twice:
		m.Close()
		return fmt.Errorf("%w: call %d twice", errProtocol, h.id)
	case refusal != nil:
		m.Close()
		if refusal.Code == CodeDenied && x.s.Refused != nil {
			x.s.Refused(x.peer, fmt.Errorf("policy denies %q on %s: %v: %w", "call", target.resource, decision, os.ErrPermission))
		}
		if h.flags&flagOneWay != 0 {
			return nil
		}
		return x.turnAway(r, call, refusal)
	case call.reader != nil:
		return x.inline(r, call)
	}
	return nil
}

// end sends the last frame of a call: the reply and its files, or the error, whose text
// is cut where the connection's limit is.
func (x *session) end(call *Call, reply []byte, e *Error) error {
	code, files := CodeOK, call.ReplyFiles
	if e != nil {
		text := e.Text[:min(len(e.Text), max(x.wire.c.MaxMessage()-headerLen, 0))]
		code, reply, files = e.Code, []byte(text), nil
	}
	build := func(b []byte) []byte { return header{kindEnd, 0, uint16(code), call.id}.append(b) }
	if call.reader != nil {
		if len(reply) > tinyReply || len(files) > 0 {
			defer func() { call.reader.now = cpu.Clock() }() // the next handler has not taken that
		}
		if len(reply) <= maxCopied && len(files) == 0 {
			return x.wire.add(x.ctx, build, reply)
		}
	}
	return x.wire.send(x.ctx, build, reply, files...)
}

// refuse makes the session take no new calls.
func (x *session) refuse() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.draining = true
}

// drain says that no new calls are taken, and closes the connection when the
// others have ended and the client has closed its side. Precondition: refuse was called.
func (x *session) drain() {
	_ = x.wire.send(x.ctx, func(b []byte) []byte { return header{kind: kindGoAway}.append(b) }, nil)
	x.running.Wait()
	_ = x.wire.drain(x.ctx)
	// Calls that are on their way must be refused, so that they can be made elsewhere. The
	// client closes as soon as it knows; one that does not gets a little while.
	linger := time.NewTimer(closeWait)
	defer linger.Stop()
	select {
	case <-x.gone:
	case <-x.ctx.Done():
	case <-linger.C:
	}
	x.cancel() // ends read
}

// Call is a call as its handler sees it.
type Call struct {
	// Data is the request. It belongs to the handler.
	Data []byte

	// Files came with the request. They are closed when the handler returns;
	// one that keeps them sets Files to nil.
	Files []*os.File

	// ReplyFiles go with the reply, and are closed afterwards, also if the
	// handler returns an error or nobody waits for the reply. One that is closed
	// too early makes the reply an error; more than the caller's
	// ConnOptions.MaxFiles end its connection.
	ReplyFiles []*os.File

	x      *session
	id     uint32
	flags  uint8
	method *method
	reader *run   // which runs it itself, and its reply waits for flush; nil: a worker
	frame  []byte // the memory that Data was in
	reuse  bool   // which is done with when the reply was sent
	ctx    callContext
	in     *inflow
	out    *outflow
}

// Method returns the name of the method.
func (c *Call) Method() string { return c.method.name }

// Peer returns who calls, as the kernel told when the connection was made.
func (c *Call) Peer() acl.Subject { return c.x.peer }

// OneWay reports whether nobody waits for the reply: what Serve returns goes nowhere.
func (c *Call) OneWay() bool { return c.flags&flagOneWay != 0 }

// ReuseData lets the memory that Data is in be used again, once the handler has
// returned and its reply was sent. Only a handler that keeps no part of Data may call
// it; the reply may be such a part. With requests of 16 KiB to 2 MiB that spares most
// of what a call costs; with others it has no effect.
func (c *Call) ReuseData() { c.reuse = true }

// start prepares a call that was admitted.
func (c *Call) start(timeout time.Duration) {
	c.ctx.init(c.x.ctx, timeout)
	if c.flags&(flagSends|flagTakes) != 0 {
		c.in, c.out = newInflow(), newOutflow()
	}
	if c.flags&flagSends == 0 && c.in != nil {
		c.in.finish(io.EOF)
	}
}

// Recv returns the next message of the caller's stream, io.EOF when the caller
// has finished, or if it sends none. It ends with the call at the latest, as Send does:
// when the caller has called it off, its connection is lost or the handler has returned.
func (c *Call) Recv(ctx context.Context) (socket.Message, error) { return c.RecvInto(ctx, nil) }

// RecvInto is Recv into the capacity of buf, as [Stream.RecvInto].
func (c *Call) RecvInto(ctx context.Context, buf []byte) (socket.Message, error) {
	if c.in == nil {
		return socket.Message{}, io.EOF
	}
	m, credit, err := c.in.take(ctx, &c.x.wire, buf)
	if credit > 0 {
		c.x.wire.giveCredit(ctx, c.id, credit)
	}
	return m, err
}

// Send sends a message to the caller. It waits while the caller does not take
// them. A caller that takes no stream is an error wrapping os.ErrInvalid. Short
// messages that follow each other at once go out together, as with [Stream.Send], at
// the latest with the reply. As there, one goroutine at a time may send, and one receive.
func (c *Call) Send(ctx context.Context, msg []byte, files ...*os.File) error {
	if c.flags&flagTakes == 0 {
		return callError(c.method.name, fmt.Errorf("the caller takes no stream: %w", os.ErrInvalid))
	}
	if err := c.x.wire.sendData(ctx, c.out, c.id, msg, files); err != nil {
		return callError(c.method.name, err)
	}
	return nil
}

// run runs the handler and sends its reply.
func (c *Call) run() {
	defer c.x.running.Done()
	var reply []byte
	var e *Error
	returned := false
	defer func() {
		if !returned { // runtime.Goexit, as by FailNow of a test
			e = Errorf(CodePanic, "the handler of %q has ended its goroutine", c.method.name)
		}
		c.answer(reply, e)
	}()
	reply, e = c.serve()
	returned = true
}

// answer sends the reply and ends the call.
func (c *Call) answer(reply []byte, e *Error) {
	c.x.mu.Lock()
	delete(c.x.calls, c.id)
	c.x.mu.Unlock()
	if !c.OneWay() {
		if err := c.x.end(c, reply, e); err != nil && e == nil && c.x.ctx.Err() == nil {
			// It is too long, or has a file that is closed or that the caller's system refuses.
			_ = c.x.end(c, nil, &Error{CodeUnknown, err.Error()})
		}
	}
	c.x.wire.active.Add(-1)
	c.ctx.cancel()
	if c.reuse {
		freeMemory.give(c.frame)
		c.frame, c.Data = nil, nil
	}
	closeAll(c.Files)
	closeAll(c.ReplyFiles)
	if c.in != nil {
		c.endStream(fmt.Errorf("the handler has returned: %w", os.ErrClosed))
		c.in.discard()
	}
}

// endStream makes Recv and Send return err, if the call has a stream.
func (c *Call) endStream(err error) {
	if c.in != nil {
		c.in.finish(err)
		c.out.finish(err)
	}
}

// serve calls the handler; a panic becomes its error.
func (c *Call) serve() (reply []byte, e *Error) {
	var began time.Duration
	if c.reader != nil {
		began = c.reader.now
	} else {
		began = cpu.Clock()
	}
	defer func() {
		if p := recover(); p != nil {
			reply, e = nil, Errorf(CodePanic, "the handler of %q panicked", c.method.name)
			if c.x.s.Logger != nil {
				c.x.s.Logger.Error("rpc: panic", "method", c.method.name, "panic", p, "stack", string(debug.Stack()))
			}
		}
		now := cpu.Clock()
		c.method.pace.took(now - began)
		if c.reader != nil {
			c.reader.now, c.reader.took = now, now-began
		}
	}()
	reply, err := c.method.handler.Serve(&c.ctx, c)
	if err != nil {
		e = asError(err)
	}
	return reply, e
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
