package rpc

import (
	"runtime"
	"time"

	"github.com/ipcctl/ipc/socket"
)

// defaultSpin is for how long either side of a connection polls before it
// sleeps, at most, unless the connection's options say something. README tells
// what it brings and what it costs.
const defaultSpin = 150 * time.Microsecond

func setSpin(c *socket.Conn) {
	if runtime.GOMAXPROCS(0) > 1 { // or nothing else would run meanwhile
		c.SetSpin(defaultSpin)
	}
}
