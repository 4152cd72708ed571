//go:build unix

package rpc

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
)

// Every handler waits until all have begun: none may wait behind another.
func TestHandlersThatWaitHoldUpNobody(t *testing.T) {
	is := is.New(t)
	const n = 300
	var begun sync.WaitGroup
	begun.Add(n)
	s := testServer()
	s.HandleFunc("/barrier", func(context.Context, *Call) ([]byte, error) {
		begun.Done()
		begun.Wait()
		return nil, nil
	})
	s.HandleFunc("/exit", func(context.Context, *Call) ([]byte, error) {
		runtime.Goexit() // takes its worker with it, and nobody else's call
		return nil, nil
	})
	cl := connect(t, s)
	ctx := soon(t)
	is.NoErr(cl.Notify(ctx, "/exit", nil))
	errs := make(chan error, n)
	for i := range n {
		if i%50 == 0 {
			is.NoErr(cl.Notify(ctx, "/exit", nil))
		}
		go func() {
			_, err := cl.Call(ctx, "/barrier", nil)
			errs <- err
		}()
	}
	for range n {
		is.NoErr(<-errs)
	}
}

func TestQueueOfCalls(t *testing.T) {
	is := is.New(t)
	var q calls
	is.True(q.pop() == nil)
	var in, out uint32
	for range 1000 { // two in, one out, until it is long; then the rest
		for range 2 {
			q.push(&Call{id: in})
			in++
		}
		is.Equal(q.pop().id, out)
		out++
	}
	for ; !q.empty(); out++ {
		is.Equal(q.pop().id, out)
	}
	is.Equal(in, out)
	q = calls{}
	for i := range uint32(10000) { // never empty, never long: memory is used again
		q.push(&Call{id: i})
		if i > 2 {
			is.Equal(q.pop().id, i-3)
		}
	}
	is.True(cap(q.list) <= 16)
}

func TestContextOfACall(t *testing.T) {
	session, end := context.WithCancel(context.Background())
	defer end()
	type key struct{}
	for name, test := range map[string]struct {
		timeout time.Duration
		stop    func(c *callContext)
		want    error
	}{
		"cancelled":           {0, (*callContext).cancel, context.Canceled},
		"with time left":      {time.Hour, (*callContext).cancel, context.Canceled},
		"deadline has passed": {1, func(*callContext) {}, context.DeadlineExceeded},
	} {
		t.Run(name+" before it is asked", func(t *testing.T) {
			is := is.New(t)
			var c callContext
			c.init(session, test.timeout)
			test.stop(&c)
			<-c.Done()
			is.Equal(c.Err(), test.want)
		})
		t.Run(name+" while it is watched", func(t *testing.T) {
			is := is.New(t)
			var c callContext
			c.init(session, test.timeout)
			derived, cancel := context.WithCancel(context.WithValue(&c, key{}, 1))
			defer cancel()
			if test.timeout != 1 {
				is.NoErr(c.Err())
				is.NoErr(derived.Err())
			}
			test.stop(&c)
			<-derived.Done()
			is.Equal(derived.Err(), test.want)
			is.Equal(c.Err(), test.want)
			is.Equal(derived.Value(key{}), 1)
			_, has := derived.Deadline()
			is.Equal(has, test.timeout > 0)
		})
	}
	t.Run("the session ends", func(t *testing.T) {
		is := is.New(t)
		var asked, unasked callContext
		asked.init(session, 0)
		unasked.init(session, time.Hour)
		is.NoErr(asked.Err())
		end()
		<-asked.Done()
		<-unasked.Done()
		is.Equal(asked.Err(), context.Canceled)
		is.True(errors.Is(unasked.Err(), context.Canceled))
	})
}

// A context derived from a call's costs no goroutine.
func TestContextsDeriveWithoutGoroutines(t *testing.T) {
	is := is.New(t)
	var c callContext
	c.init(context.Background(), 0)
	defer c.cancel()
	before := runtime.NumGoroutine()
	for range 100 {
		_, cancel := context.WithCancel(&c)
		defer cancel()
	}
	after := runtime.NumGoroutine()
	is.True(after < before+50) // a hundred, if each had one
}
