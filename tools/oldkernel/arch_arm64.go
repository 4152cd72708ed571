//go:build linux

package main

const (
	nativeArch     = 0xc00000b7 // AUDIT_ARCH_AARCH64, linux/audit.h
	sysMemfdCreate = 279
)
