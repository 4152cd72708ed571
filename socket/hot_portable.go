//go:build !linux || ipcportable

package socket

func sysRecvHot(fd int, p, oob []byte) (int, control, error) { return sysRecv(fd, p, oob) }

func sysSendHot(fd int, p, q, oob []byte) (int, error) { return sysSend(fd, p, q, oob) }
