package acl

import (
	"fmt"
	"io"
	"os"
)

// Load reads a policy from a file, which it opens once and trusts only if
// nobody else can have written it: a regular file, no symbolic link, owned by
// root or by our effective user, not writable by group or others, and at most
// [MaxFile] bytes. Included files obey the same rule.
//
// Errors are those of Parse, and those of opening the file, which wrap
// os.ErrNotExist or os.ErrPermission (also for a file that can't be trusted)
// and say what to do. Where file owners can't be checked (Windows), the error
// wraps errors.ErrUnsupported.
func Load(path string) (*Policy, error) {
	text, err := readPolicyFile(path)
	if err != nil {
		return nil, fmt.Errorf("acl: load %w", err)
	}
	return Parse(path, text)
}

// readPolicyFile reads a file that can be trusted.
func readPolicyFile(path string) ([]byte, error) {
	f, err := openTrusted(path)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", path, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%q: %w", path, err)
	}
	if len(text) > MaxFile {
		return nil, fmt.Errorf("%q: more than %d bytes: %w", path, MaxFile, os.ErrInvalid)
	}
	return text, nil
}
