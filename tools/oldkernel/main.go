//go:build linux && (amd64 || arm64)

// Oldkernel runs a command, and all that it starts, on a kernel that lacks
// some features, so that the code for such kernels runs on a new one:
//
//	go run ./tools/oldkernel -lacks ofd,waitv go test -count=1 ./shm/...
//
// It is a seccomp filter: the kernel answers the calls as an old one does. No
// program under test knows, so none needs a hook for it. -count=1 matters to go
// test: a cached result came from the kernel as it is.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

func main() {
	lacks := flag.String("lacks", strings.Join(names(), ","), "what the kernel lacks, separated by commas")
	flag.Usage = usage
	flag.Parse()
	if flag.NArg() == 0 {
		usage()
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "oldkernel:", run(strings.Split(*lacks, ","), flag.Args()))
	os.Exit(1)
}

func usage() {
	fmt.Fprintf(os.Stderr, "usage: oldkernel [-lacks FEATURE,…] COMMAND [ARGUMENT…]\n\nWithout -lacks it lacks all of these:\n")
	for _, f := range features {
		fmt.Fprintf(os.Stderr, "  %-8s %s\n", f.name, f.text)
	}
}

func names() (n []string) {
	for _, f := range features {
		n = append(n, f.name)
	}
	return n
}

// run becomes the command. It returns only if that fails.
func run(lacks, command []string) error {
	program, err := compile(lacks)
	if err != nil {
		return err
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the filter is this thread's, and survives its execve
	if err := install(program); err != nil {
		return err
	}
	return &os.PathError{Op: "exec", Path: path, Err: syscall.Exec(path, command, os.Environ())}
}

// compile makes the filter of some features.
func compile(lacks []string) ([]syscall.SockFilter, error) {
	program := []syscall.SockFilter{
		load(offArch),
		{Code: jumpEqual, K: nativeArch, Jt: 1},
		{Code: ret, K: allow}, // another architecture has other numbers
	}
	for _, name := range lacks {
		i := slices.IndexFunc(features, func(f feature) bool { return f.name == name })
		if i < 0 {
			return nil, errors.New("no feature " + name + "; there are: " + strings.Join(names(), ", "))
		}
		for _, c := range features[i].calls {
			program = append(program, c.compile()...)
		}
	}
	return append(program, syscall.SockFilter{Code: ret, K: allow}), nil
}
