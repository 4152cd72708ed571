//go:build linux && !ipcportable

package shm

import "os"

func linkObject(f *os.File, name string) error { return linkTmpfile(f, objectPath(name)) }

func statObject(name string) (os.FileInfo, error) { return os.Lstat(objectPath(name)) }
