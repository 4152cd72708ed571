//go:build !unix

package shm

import (
	"context"
	"errors"
	"os"
)

func createObject(string, int, *Options) (object, []byte, error) {
	return object{}, nil, errors.ErrUnsupported
}
func openObject(context.Context, string, bool) (object, error) {
	return object{}, errors.ErrUnsupported
}
func removeObject(string) error { return errors.ErrUnsupported }
func createAnonymous(int, *Options) (object, []byte, error) {
	return object{}, nil, errors.ErrUnsupported
}
func mapFile(*os.File, int, bool) ([]byte, error) { return nil, errors.ErrUnsupported }
func duplicate(*os.File) (*os.File, error)        { return nil, errors.ErrUnsupported }
func unmap([]byte)                                {}
func regular(fi os.FileInfo) bool                 { return fi.Mode().IsRegular() }
