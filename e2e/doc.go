// Package e2e holds tests that need what the libraries must not depend on. It
// is never released.
package e2e
