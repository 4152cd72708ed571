//go:build linux && (amd64 || arm64)

package main

import "syscall"

// Classic BPF as seccomp(2) takes it. Sources: linux/filter.h,
// linux/bpf_common.h, linux/seccomp.h.
const (
	loadWord  = 0x20 // BPF_LD | BPF_W | BPF_ABS
	jumpEqual = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
	jumpSet   = 0x45 // BPF_JMP | BPF_JSET | BPF_K
	ret       = 0x06 // BPF_RET | BPF_K

	allow   = 0x7fff0000 // SECCOMP_RET_ALLOW
	failing = 0x00050000 // SECCOMP_RET_ERRNO, the errno in the lower half

	// struct seccomp_data { int nr; u32 arch; u64 instruction_pointer; u64 args[6]; }
	offNumber = 0
	offArch   = 4
	offArgs   = 16 // both CPUs are little-endian: the lower half comes first
)

func load(off uint32) syscall.SockFilter { return syscall.SockFilter{Code: loadWord, K: off} }

// call describes system calls that fail.
type call struct {
	number uint32
	args   []arg // all of them must match
	errno  syscall.Errno
}

// arg is what an argument must be.
type arg struct {
	index  uint32
	test   uint16 // jumpEqual: it is one of the values; jumpSet: it has a bit of the value
	values []uint32
}

// compile makes the instructions that end the program if the call matches, and
// otherwise fall out of their end.
func (c call) compile() []syscall.SockFilter {
	// Backwards, so that every jump knows how far the end is.
	program := []syscall.SockFilter{{Code: ret, K: failing | uint32(c.errno)}}
	for i := len(c.args) - 1; i >= 0; i-- {
		a := c.args[i]
		var test []syscall.SockFilter
		for j, v := range a.values {
			after := uint8(len(a.values) - 1 - j)
			in := syscall.SockFilter{Code: a.test, K: v, Jt: after}
			if after == 0 {
				in.Jf = uint8(len(program))
			}
			test = append(test, in)
		}
		program = append(append([]syscall.SockFilter{load(offArgs + 8*a.index)}, test...), program...)
	}
	return append([]syscall.SockFilter{
		load(offNumber),
		{Code: jumpEqual, K: c.number, Jf: uint8(len(program))},
	}, program...)
}
