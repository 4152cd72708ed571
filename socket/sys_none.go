//go:build !unix

package socket

import (
	"errors"
	"os"
)

// This system has no Unix sockets that pass identities and descriptors: what
// makes a connection or a listener returns errors.ErrUnsupported, and nothing
// else is ever reached.

const controlAtEnd = false

var errUnsupported = errors.ErrUnsupported

type (
	ownership struct{}
	heldFiles struct{}
)

func (*heldFiles) hold([]int) error             { return errUnsupported }
func (*heldFiles) release()                     {}
func (*ownership) remove() error                { return nil }
func (*ownership) release()                     {}
func (*ownership) abandon()                     {}
func (*ownership) dupLock() (int, bool, error)  { return -1, false, errUnsupported }
func adopt(string, *os.File) (ownership, error) { return ownership{}, errUnsupported }

func sysListen(string, *ListenOptions) (int, ownership, error) {
	return -1, ownership{}, errUnsupported
}

func sysListening(int) (string, error)                  { return "", errUnsupported }
func sysPair() (int, int, error)                        { return -1, -1, errUnsupported }
func sysSocket() (int, error)                           { return -1, errUnsupported }
func sysAccept(int) (int, error)                        { return -1, errUnsupported }
func sysConnect(int, string) error                      { return errUnsupported }
func sysConnectPath(int, string) error                  { return errUnsupported }
func sysSendDatagram(string, []byte) error              { return errUnsupported }
func sysRead(int, []byte) (int, error)                  { return 0, errUnsupported }
func sysRecv(int, []byte, []byte) (int, control, error) { return 0, control{}, errUnsupported }
func sysSend(int, []byte, []byte, []byte) (int, error)  { return 0, errUnsupported }
func sysDup(int) (int, error)                           { return -1, errUnsupported }
func sysDupSocket(int) (int, error)                     { return -1, errUnsupported }
func sysDupBlocking(int) (int, error)                   { return -1, errUnsupported }
func sysShutdownWrite(int) error                        { return errUnsupported }
func sysClose(int)                                      {}
func sysCloseOnExec(int)                                {}
func sysPassRights(int, bool)                           {}
func sysNoExtras(int) bool                              { return false }
func sysWriteBuffer(int, int)                           {}
func sysGrowWriteBuffer(int, int)                       {}
func sysControlLen(int) int                             { return 0 }
func sysRights([]int) []byte                            { return nil }
func parseFiles([]byte) []*os.File                      { return nil }
