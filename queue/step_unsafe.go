package queue

import "unsafe"

// putOne, getOne and leaseOne are compiled for both, so that without a hook not even
// the question for it is left of their steps. That is known at compile time only by the
// size of a type parameter.
type (
	withSteps    struct{ _ byte }
	withoutSteps struct{}
)

func atStep[S any](r *ring, s step) {
	if unsafe.Sizeof(*new(S)) > 0 {
		r.at(s)
	}
}
