// Package acl is part of the ipc workspace.
package acl
