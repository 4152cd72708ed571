//go:build !go1.28 && !nomodinfo

package version

import _ "unsafe" // for go:linkname

// Early says that Version initialises nothing. Whether the linker of a Go that is not
// out yet lets modinfo be named is not known: modinfo_later.go does without, and so
// does the tag nomodinfo.
const Early = true

// modinfo returns what the go command has written into the program about its
// modules and how it was built. The linker lets it be named because package
// runtime gives it away by the same directive; runtime/debug, for which that is,
// initialises late. No memory is shared: a string comes back.
//
//go:linkname modinfo runtime/debug.modinfo
func modinfo() string
