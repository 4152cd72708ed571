//go:build !unix

package acl

import "os"

func openTrusted(string) (*os.File, error) { return nil, errPlatform() }

func fileID(os.FileInfo) string { return "" }
