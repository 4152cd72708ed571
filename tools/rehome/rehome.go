package main

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/ipcctl/ipc/tools/internal/workspace"
)

// rehome replaces the prefix of the module paths in every text file below root
// and returns the names of the files that it changed.
func rehome(root, prefix string) (changed []string, err error) {
	ws, err := workspace.Load(root)
	if err != nil {
		return nil, err
	}
	if err := module.CheckPath(prefix + "/x"); err != nil {
		return nil, fmt.Errorf("%q can't begin a module path: %w", prefix, err)
	}
	if prefix == ws.Prefix {
		return nil, fmt.Errorf("the modules are at %s already", prefix)
	}
	files, err := workspace.Files(root)
	if err != nil {
		return nil, err
	}
	// Everything is computed before the first file is written, so that a file
	// which can't be rewritten leaves the workspace as it was.
	type edit struct {
		name string
		data []byte
	}
	var edits []edit
	for _, name := range files {
		old, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, err
		}
		if !isText(old) {
			continue
		}
		data := replacePath(old, ws.Prefix, prefix)
		if bytes.Equal(data, old) {
			continue
		}
		if data, err = tidyFile(name, data); err != nil {
			return nil, err
		}
		edits = append(edits, edit{name, data})
	}
	for _, e := range edits {
		file := filepath.Join(root, e.name)
		info, err := os.Stat(file)
		if err != nil {
			return changed, err
		}
		if err := os.WriteFile(file, e.data, info.Mode().Perm()); err != nil {
			return changed, err
		}
		changed = append(changed, e.name)
	}
	return changed, nil
}

func isText(data []byte) bool {
	return utf8.Valid(data) && !bytes.ContainsRune(data, 0)
}

// replacePath replaces old where it is a whole path or the beginning of one:
// "example.com/ipc" is in "example.com/ipc/shm" but not in "example.com/ipc2"
// nor in "my-example.com/ipc".
func replacePath(data []byte, old, new string) []byte {
	var out []byte
	copied := 0
	for from := 0; ; {
		i := bytes.Index(data[from:], []byte(old))
		if i < 0 {
			return append(out, data[copied:]...)
		}
		start, end := from+i, from+i+len(old)
		from = end
		if start > 0 && isWordByte(data[start-1]) || wordGoesOn(data[end:]) {
			continue
		}
		out = append(append(out, data[copied:start]...), new...)
		copied = end
	}
}

// wordGoesOn reports whether rest continues the last element of a path. A full
// stop does so only before another letter: it may end a sentence.
func wordGoesOn(rest []byte) bool {
	if len(rest) == 0 {
		return false
	}
	if rest[0] == '.' {
		// ".git" belongs to the address of a repository, as in a clone URL.
		return len(rest) > 1 && isWordByte(rest[1]) && !bytes.HasPrefix(rest, []byte(".git"))
	}
	return isWordByte(rest[0])
}

func isWordByte(b byte) bool {
	return b == '-' || b == '_' || '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z'
}

// tidyFile restores the order that tools keep in files whose lines are sorted
// by path.
func tidyFile(name string, data []byte) ([]byte, error) {
	switch {
	case path.Base(name) == "go.mod":
		f, err := modfile.Parse(name, data, nil)
		if err != nil {
			return nil, err
		}
		f.SortBlocks()
		return f.Format()
	case path.Base(name) == "go.work":
		f, err := modfile.ParseWork(name, data, nil)
		if err != nil {
			return nil, err
		}
		f.SortBlocks()
		return modfile.Format(f.Syntax), nil
	case strings.HasSuffix(name, ".go"):
		return format.Source(data)
	}
	return data, nil
}
