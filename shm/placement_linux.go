//go:build linux && !ipcportable

package shm

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// place does what o wishes and joins what was refused. b is not shared with
// other goroutines yet.
func place(b []byte, o Options) error {
	var errs []error
	try := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	if o.Huge {
		try("huge pages", unix.Madvise(b, unix.MADV_HUGEPAGE))
	}
	if o.Populate || o.Huge {
		err := unix.Madvise(b, unix.MADV_POPULATE_WRITE)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EFAULT) { // read-only mapping, or before 5.14
			err = unix.Madvise(b, unix.MADV_POPULATE_READ)
		}
		try("populate", err)
	}
	if o.Huge {
		try("huge pages", unix.Madvise(b, unix.MADV_COLLAPSE))
	}
	if o.Lock {
		try("lock", unix.Mlock(b))
	}
	return errors.Join(errs...)
}

// placement adds up the entries of /proc/self/smaps that lie in b: locking or
// advice may have split the mapping. See proc_pid_smaps(5).
func placement(b []byte) (p Placement, err error) {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return p, err
	}
	defer f.Close()
	first := uint64(address(b))
	last := first + uint64(len(b)) - 1
	inside := false
	in := bufio.NewScanner(f)
	for in.Scan() {
		key, rest, _ := bytes.Cut(in.Bytes(), []byte{' '})
		if !bytes.HasSuffix(key, []byte{':'}) { // "7f0000000000-7f0000001000 rw-s …"
			from, _, _ := bytes.Cut(key, []byte{'-'})
			start, err := strconv.ParseUint(string(from), 16, 64)
			inside = err == nil && start >= first && start <= last
			continue
		}
		if !inside {
			continue
		}
		switch string(key) {
		case "Rss:":
			p.Resident += kilobytes(rest)
		case "Locked:":
			p.Locked += kilobytes(rest)
		case "ShmemPmdMapped:", "FilePmdMapped:", "Shared_Hugetlb:", "Private_Hugetlb:":
			p.Huge += kilobytes(rest)
		}
	}
	return p, in.Err()
}

// kilobytes parses "    12 kB".
func kilobytes(b []byte) int64 {
	n, _ := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(b), []byte(" kB"))), 10, 64)
	return n << 10
}
