//go:build !linux

package command

func shmRoom() (int64, bool) { return 0, false }
