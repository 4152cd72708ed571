//go:build !unix

package queue

var specialFiles map[string]func(path string) error
