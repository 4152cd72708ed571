//go:build !ipcportable

package command_test

const buildTags = ""
