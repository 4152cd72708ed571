package main

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// fillPageLists fills the list of each CPU on which this process may run, as far as it
// can: what it cannot do makes a repetition slower, and that shows.
func fillPageLists() {
	for cpu, list := range pageLists() {
		if missing := list.most - list.has; missing > 0 {
			done := make(chan struct{})
			go func() {
				defer close(done)
				touchOn(cpu, int(missing))
			}()
			<-done
		}
	}
}

// touchOn touches n bytes of fresh memory on cpu and gives them back there. The goroutine
// ends with it, and its thread with the goroutine.
func touchOn(cpu, n int) {
	runtime.LockOSThread()
	var one unix.CPUSet
	one.Set(cpu)
	if unix.SchedSetaffinity(0, &one) != nil {
		return // not one of ours
	}
	mem, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return
	}
	_ = unix.Madvise(mem, unix.MADV_NOHUGEPAGE) // the lists hold single pages, and some more
	for at := 0; at < n; at += os.Getpagesize() {
		mem[at] = 1
	}
	_ = unix.Munmap(mem)
}
