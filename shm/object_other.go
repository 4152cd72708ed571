//go:build !unix

package shm

import (
	"errors"
	"os"
)

func createObject(string, int, *Options) (*os.File, []byte, error) {
	return nil, nil, errors.ErrUnsupported
}
func openObject(string, bool) (*os.File, error)               { return nil, errors.ErrUnsupported }
func removeObject(string) error                               { return errors.ErrUnsupported }
func createAnonymous(int, *Options) (*os.File, []byte, error) { return nil, nil, errors.ErrUnsupported }
func mapFile(*os.File, int, bool) ([]byte, error)             { return nil, errors.ErrUnsupported }
func duplicate(*os.File) (*os.File, error)                    { return nil, errors.ErrUnsupported }
func unmap([]byte)                                            {}
func regular(fi os.FileInfo) bool                             { return fi.Mode().IsRegular() }
