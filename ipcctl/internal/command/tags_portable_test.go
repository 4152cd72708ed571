//go:build ipcportable

package command_test

// buildTags makes the command take the same paths as the tests around it.
const buildTags = "ipcportable"
