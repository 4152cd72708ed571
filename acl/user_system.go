//go:build !unix || !((!cgo && !darwin) || osusergo || android)

package acl

import "os/user"

// findUser asks the system.
func findUser(name string) (*user.User, error) { return user.Lookup(name) }
