package version

import _ "unsafe" // for go:linkname

// modinfo returns what the go command has written into the program about its
// modules and how it was built. The linker lets it be named because package
// runtime gives it away by the same directive; runtime/debug, for which that is,
// initialises late. No memory is shared: a string comes back.
//
//go:linkname modinfo runtime/debug.modinfo
func modinfo() string
