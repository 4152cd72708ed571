// Package shm is shared memory whose failures are errors.
package shm
