//go:build linux && !ipcportable

package pipe

// packetMode is how NewPacket keeps messages apart.
const packetMode = packet
