package socket

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrPathTooLong says that a socket's path is longer than this system's
// sockets can take. It wraps ENAMETOOLONG.
var ErrPathTooLong = fmt.Errorf("socket path too long: %w", syscall.ENAMETOOLONG)

// isAbstract reports whether addr is a name in Linux's abstract namespace:
// "@name" here, a NUL byte and the name in the kernel.
func isAbstract(addr string) bool { return strings.HasPrefix(addr, "@") }

func checkAddr(addr string) error {
	switch {
	case addr == "" || addr == "@":
		return fmt.Errorf("empty address: %w", os.ErrInvalid)
	case strings.ContainsRune(addr, 0):
		return fmt.Errorf("address contains a NUL byte: %w", os.ErrInvalid)
	case isAbstract(addr) && !hasAbstract:
		return fmt.Errorf("abstract names exist on Linux only: %w", errors.ErrUnsupported)
	case isAbstract(addr) && len(addr) > maxSunPath:
		return fmt.Errorf("abstract name of %d bytes, limit %d: %w", len(addr), maxSunPath, ErrPathTooLong)
	case !isAbstract(addr) && strings.HasSuffix(addr, "/"):
		return fmt.Errorf("address names a directory: %w", os.ErrInvalid)
	}
	return nil
}

// resourceOf names addr in a policy: "socket:/absolute/path", "socket:@name".
func resourceOf(addr string) string {
	if !isAbstract(addr) {
		if abs, err := filepath.Abs(addr); err == nil {
			addr = abs
		}
	}
	return "socket:" + addr
}
