//go:build !unix

package acl

func apply(string, *Policy, string) (FileAccess, error) { return FileAccess{}, errPlatform() }
