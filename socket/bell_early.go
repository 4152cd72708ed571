//go:build ipcbells

package socket

// bellsAtOnce gives bells to every connection as it is made, for the tests.
const bellsAtOnce = true
