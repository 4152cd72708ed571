//go:build linux

package main

const (
	nativeArch     = 0xc000003e // AUDIT_ARCH_X86_64, linux/audit.h
	sysMemfdCreate = 319
)
