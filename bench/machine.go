package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// fact is one line of the description of the machine.
type fact struct{ name, value string }

// machine describes what the figures depend on.
func machine() []fact {
	var u unix.Utsname
	_ = unix.Uname(&u) // then the line stays empty
	facts := []fact{
		{"CPU", cpuModel()},
		{"CPUs", fmt.Sprintf("%d, and no process pinned but where a table says so", runtime.NumCPU())},
		{"Kernel", unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])},
		{"Go", fmt.Sprintf("%s, GOMAXPROCS %d", runtime.Version(), runtime.GOMAXPROCS(0))},
	}
	for _, tool := range [][]string{{"cc", "--version"}, {"c++", "--version"}, {"python3", "--version"}} {
		out, err := exec.Command(tool[0], tool[1:]...).Output()
		line, _, _ := strings.Cut(string(out), "\n")
		if err != nil {
			line = "absent"
		}
		facts = append(facts, fact{tool[0], line})
	}
	peers := map[string]bool{
		"google.golang.org/grpc": true, "github.com/containerd/ttrpc": true, "storj.io/drpc": true,
		"github.com/casbin/casbin/v2": true, "github.com/go-zeromq/zmq4": true,
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, d := range b.Deps {
			if peers[d.Path] {
				facts = append(facts, fact{d.Path, d.Version})
			}
		}
	}
	for _, lib := range [][2]string{{"Boost", "/usr/include/boost/version.hpp"}, {"libzmq", "/usr/include/zmq.h"}, {"nng", "/usr/include/nng/nng.h"}} {
		facts = append(facts, fact{lib[0], headerVersion(lib[1])})
	}
	return facts
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	model, virtual := "unknown", ""
	for s := bufio.NewScanner(f); s.Scan(); {
		key, value, _ := strings.Cut(s.Text(), ":")
		switch strings.TrimSpace(key) {
		case "model name":
			model = strings.TrimSpace(value)
		case "flags":
			if strings.Contains(value, " hypervisor") {
				virtual = " (virtual machine)"
			}
		}
	}
	return model + virtual
}

// headerVersion reads the version of a C library from its own header.
func headerVersion(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "absent"
	}
	var parts []string
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "#define" {
			continue
		}
		switch f[1] {
		case "BOOST_LIB_VERSION":
			return strings.ReplaceAll(strings.Trim(f[2], `"`), "_", ".")
		case "ZMQ_VERSION_MAJOR", "ZMQ_VERSION_MINOR", "ZMQ_VERSION_PATCH", "NNG_MAJOR_VERSION", "NNG_MINOR_VERSION", "NNG_PATCH_VERSION":
			parts = append(parts, f[2])
		}
	}
	return strings.Join(parts, ".")
}
