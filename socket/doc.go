// Package socket is part of the ipc workspace.
package socket
