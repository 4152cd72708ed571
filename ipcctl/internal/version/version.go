// Package version says which version of the command this is. It imports next to
// nothing, so that package early can use it before anything else initialises.
package version

import "runtime"

// Text is the line that "ipcctl version" prints.
func Text() string {
	return "ipcctl " + Version() + " " + runtime.Version() + " " + Platform()
}

// Platform is the system and the architecture that the command is built for.
func Platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// Version is the module's version when the command was installed from a
// release, else "devel", with the revision that it was built from if that is
// known.
func Version() string { return parse(modinfo()) }

// parse reads the text that runtime/debug.ParseBuildInfo reads, in which "mod" is
// followed by a path, the version and a sum, and "build" by a setting.
func parse(info string) string {
	revision := ""
	for info != "" {
		var line, key string
		line, info = cut(info, '\n')
		// The text is framed by 16 bytes at each end; the first line has those before "path".
		switch key, line = cut(line, '\t'); key {
		case "mod":
			_, line = cut(line, '\t')
			if v, _ := cut(line, '\t'); v != "" && v != "(devel)" {
				if v[0] == 'v' {
					v = v[1:]
				}
				return v
			}
		case "build":
			if name, value := cut(line, '='); name == "vcs.revision" && len(value) >= 12 {
				revision = "-" + value[:12]
			}
		}
	}
	return "devel" + revision
}

// cut is strings.Cut for one byte. Package strings would initialise the tables
// of unicode first.
func cut(s string, sep byte) (before, after string) {
	for i := range len(s) {
		if s[i] == sep {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}
