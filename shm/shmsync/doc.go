// Package shmsync lets processes wait for each other in shared memory without
// trusting each other to live: a wait word, and kernel locks that tell who is
// alive.
package shmsync
