// Package goproxy writes modules into a directory that the go command can use
// as a module proxy (GOPROXY=file:///…), so that versions which are not
// published yet can be downloaded, tidied and installed like any other.
//
//	<dir>/<module>/@v/list              the versions, one a line
//	                  v0.1.0.info       {"Version":"v0.1.0","Time":"…"}
//	                  v0.1.0.mod        the go.mod
//	                  v0.1.0.zip        the files, as golang.org/x/mod/zip packs them
//
// See https://go.dev/ref/mod#goproxy-protocol.
package goproxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// Dir is the directory that serves as the proxy.
type Dir string

// URL is the form in which GOPROXY names the directory.
func (d Dir) URL() string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(string(d))}).String()
}

// Add packs the module in directory src and returns the hash of the zip, as
// go.sum would hold it. A directory holds one version of each module.
func (d Dir) Add(m module.Version, src string) (hash string, err error) {
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(string(d), filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	info, err := json.Marshal(map[string]any{"Version": m.Version, "Time": time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return "", err
	}
	mod, err := os.ReadFile(filepath.Join(src, "go.mod"))
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, m.Version)
	for file, data := range map[string][]byte{
		name + ".info":             info,
		name + ".mod":              mod,
		filepath.Join(dir, "list"): []byte(m.Version + "\n"),
	} {
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return "", err
		}
	}
	return packed(name+".zip", func(w io.Writer) error { return zip.CreateFromDir(w, m, src) })
}

// Hide makes the proxy know nothing of a module until show is called.
func (d Dir) Hide(path string) (show func() error, err error) {
	escaped, err := module.EscapePath(path)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(string(d), filepath.FromSlash(escaped))
	hidden, seen := filepath.Join(dir, "hidden"), filepath.Join(dir, "@v")
	return func() error { return os.Rename(hidden, seen) }, os.Rename(seen, hidden)
}

// HashVCS returns the hash of the zip that a public proxy would make of
// revision rev of the module in directory subdir of the git repository at
// root, by way of the temporary file named file.
func HashVCS(m module.Version, root, rev, subdir, file string) (hash string, err error) {
	return packed(file, func(w io.Writer) error { return zip.CreateFromVCS(w, m, root, rev, subdir) })
}

func packed(file string, pack func(io.Writer) error) (hash string, err error) {
	f, err := os.Create(file)
	if err != nil {
		return "", err
	}
	if err := pack(f); err != nil {
		f.Close()
		return "", fmt.Errorf("pack %s: %w", file, err)
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	return dirhash.HashZip(file, dirhash.Hash1)
}
