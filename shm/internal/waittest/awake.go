// Package waittest has what the tests of waits share.
package waittest

import "context"

// Awake is a context that does something when its waiter asks for its end, right
// before it would sleep, and knows whether it then slept.
type Awake struct {
	context.Context
	Moment func()
	Slept  *bool
}

// Err is where the waiter asks.
func (a Awake) Err() error {
	a.Moment()
	return a.Context.Err()
}

// Done is what only a waiter that sleeps looks at.
func (a Awake) Done() <-chan struct{} {
	*a.Slept = true
	return a.Context.Done()
}
