//go:build go1.28 || nomodinfo

package version

import "runtime/debug"

// Early says that Version initialises nothing.
const Early = false

// modinfo returns what the go command has written into the program about its
// modules and how it was built.
func modinfo() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.String()
}
