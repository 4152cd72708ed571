package shm

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// MaxName is the longest segment name in bytes.
const MaxName = 200

// ErrName is the error for a name that is neither a valid segment name nor a
// file path.
var ErrName = errors.New("invalid name (want 1 to 200 of A-Z a-z 0-9 . _ -, no leading dot, or a file path with a slash)")

// checkName accepts segment names and file paths.
func checkName(name string) error {
	if isPath(name) {
		if strings.IndexByte(name, 0) >= 0 || strings.HasSuffix(name, "/") {
			return ErrName
		}
		return nil
	}
	if name == "" || len(name) > MaxName || name[0] == '.' {
		return ErrName
	}
	for i := range len(name) {
		if !nameByte(name[i]) {
			return ErrName
		}
	}
	return nil
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// isPath: everything with a slash is a file path, as given.
func isPath(name string) bool { return strings.IndexByte(name, '/') >= 0 }

// generatedPrefix and generatedDigits shape the names that CPython's
// multiprocessing.shared_memory makes (_make_filename): psm_ and 8 hex digits.
const (
	generatedPrefix = "psm_"
	generatedDigits = 8
)

func generateName() string {
	var b [generatedDigits / 2]byte
	rand.Read(b[:]) // never fails
	return generatedPrefix + hex.EncodeToString(b[:])
}

// isGenerated reports whether name has the shape of a generated one.
func isGenerated(name string) bool {
	digits, ok := strings.CutPrefix(name, generatedPrefix)
	if !ok || len(digits) != generatedDigits {
		return false
	}
	return strings.Trim(digits, "0123456789abcdef") == ""
}

// wrap adds operation and object to err; nil stays nil.
func wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	// A *PathError about the object would say its name twice. One about another
	// file, or inside an error of Options.Init, is not ours to take apart.
	if pe, ok := err.(*os.PathError); ok && (pe.Path == name || filepath.Base(pe.Path) == name) {
		err = pe.Err
	}
	return fmt.Errorf("shm: %s %q: %w", op, name, err)
}
