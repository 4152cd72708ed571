package rpc

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/ipcctl/ipc/socket"
)

// Stream is a call that sends and takes messages. One goroutine may send and
// one receive at the same time.
type Stream struct {
	l      *link
	p      *pending
	method string
	in     *inflow
	out    *outflow
	stop   func() bool // stops watching the call's context

	mu     sync.Mutex
	reply  Reply
	ended  bool
	asked  bool // for the reply, whose files are the caller's
	closed bool
}

// stream begins a streaming call.
func (l *link) stream(ctx context.Context, method string, req []byte) (*Stream, error) {
	p := &pending{done: make(chan result, 1)}
	s := &Stream{l: l, p: p, method: method, in: newInflow(), out: newOutflow()}
	p.stream = s
	if err := l.beginStream(ctx, p, &Request{Method: method, Data: req}); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { s.abort(ctx.Err()) })
	s.mu.Lock()
	s.stop = stop
	if s.ended {
		stop()
	}
	s.mu.Unlock()
	return s, nil
}

func (l *link) beginStream(ctx context.Context, p *pending, req *Request) error {
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
		return appendCall(b, p.id, flagSends|flagTakes, timeout, req.Method)
	}, req.Data, req.Files...)
	if err == nil {
		return nil
	}
	if l.leave(p) && p.sent && ctx.Err() != nil {
		l.cancel(p.id) // the call may go out yet
	}
	return l.sendError(err)
}

// Send sends a message to the handler. It waits while the handler does not
// take them. After the call has ended it returns io.EOF: Recv knows why. After
// CloseSend the error wraps os.ErrClosed. After ctx.Err() the message may still
// go out, or not, and has its part of the window in either case: Close the
// stream.
//
// Short messages that follow each other within 2 µs go out together: as a rule before
// Send or Recv wait, with CloseSend, as soon as the sender pauses, or at most a few
// milliseconds later. Until then they are lost if the process dies.
func (s *Stream) Send(ctx context.Context, msg []byte, files ...*os.File) error {
	err := s.l.wire.sendData(ctx, s.out, s.p.id, msg, files)
	if err != nil && err != io.EOF {
		return callError(s.method, err)
	}
	return err
}

// CloseSend tells the handler that no more messages follow.
func (s *Stream) CloseSend(ctx context.Context) error {
	s.out.finish(fmt.Errorf("after CloseSend: %w", os.ErrClosed))
	err := s.l.wire.send(ctx, func(b []byte) []byte {
		return header{kind: kindData, flags: flagLast, id: s.p.id}.append(b)
	}, nil)
	if err != nil {
		return callError(s.method, err)
	}
	return nil
}

// Recv returns the next message from the handler, and io.EOF once the handler
// has returned without an error. Other errors are those of Client.Call.
func (s *Stream) Recv(ctx context.Context) (socket.Message, error) { return s.RecvInto(ctx, nil) }

// RecvInto is Recv into the capacity of buf, if the message fits there; if not it has
// memory of its own. With messages of 16 KiB to 2 MiB that spares most of what they cost.
func (s *Stream) RecvInto(ctx context.Context, buf []byte) (socket.Message, error) {
	m, credit, err := s.in.take(ctx, &s.l.wire, buf)
	if credit > 0 {
		s.l.wire.giveCredit(ctx, s.p.id, credit)
	}
	if err != nil && err != io.EOF {
		err = callError(s.method, err)
	}
	return m, err
}

// Reply returns what the handler returned at last. It is there once Recv has
// returned io.EOF. Its files belong to the caller; those of a reply that nobody
// asked for are closed by Close.
func (s *Stream) Reply() Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = s.ended
	return s.reply
}

// Close gives up on the call, if it has not ended, and drops messages and a reply
// that nobody has taken. It always returns nil.
func (s *Stream) Close() error {
	s.abort(context.Canceled)
	s.in.discard()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if !s.asked {
		s.reply.Close()
	}
	return nil
}

// abort ends the call from this side.
func (s *Stream) abort(err error) {
	if s.l.leave(s.p) {
		s.finish(result{err: err})
		s.l.cancel(s.p.id)
	}
}

// finish is told the result, once, by whoever removed the call from the link.
func (s *Stream) finish(r result) {
	s.mu.Lock()
	if s.closed {
		r.reply.Close()
	}
	s.reply = r.reply
	s.ended = true
	if s.stop != nil {
		s.stop()
	}
	s.mu.Unlock()
	if r.err == nil {
		r.err = io.EOF
	}
	s.out.finish(io.EOF)
	s.in.finish(r.err)
}
