package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Pages for what is on its way through a socket or a pipe:
//
//	writer's CPU                                          reader's CPU
//	its list of free pages -> page -> socket -> page -> its list of free pages
//	       ^                                                    | what is too much
//	       '-------------- free pages of the machine <----------'
//
// Since Linux 6.7 such a list takes up to an eighth of the memory, shared among the
// CPUs, before it gives anything back. A reader's list that has room keeps all that is
// read, so for a second or so the writer gets pages that nobody has used lately. They are
// in no cache, and of those that a virtual machine has reported as free to its hypervisor
// each takes some microseconds: 1 MiB messages 0.5 k/s instead of 6, by luck. Once the
// list is full the same few pages go round, as they do in a stream that goes on for
// longer. So the lists are filled before each repetition.
// Source: mm/page_alloc.c (nr_pcp_high), mm/page_reporting.c.

// A pageList is what /proc/zoneinfo tells of one CPU's free pages in one zone.
type pageList struct{ cpu, pages, most int }

// short says whether the list would keep much of what is freed on its CPU.
func (l pageList) short() bool { return l.pages < l.most-l.most/8 }

// fillPageLists fills the lists of all CPUs which are short. It does nothing where the
// kernel doesn't tell how long they get, or where that is more than a quarter of the memory
// which this process may have.
func fillPageLists() error {
	text, err := os.ReadFile("/proc/zoneinfo")
	if err != nil {
		return nil // no procfs, or not for us
	}
	for _, l := range pageLists(string(text)) {
		if !l.short() || l.most > freePages()/4 {
			continue
		}
		if err := l.fill(); err != nil {
			return fmt.Errorf("filling CPU %d's list of free pages: %w", l.cpu, err)
		}
	}
	return nil
}

// fill takes as many pages as the list gets long, on its CPU, and gives them back there.
func (l pageList) fill() error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with this goroutine
		done <- func() error {
			var one unix.CPUSet
			one.Set(l.cpu)
			if unix.SchedSetaffinity(0, &one) != nil {
				return nil // not one of ours, so no process of a repetition runs there
			}
			mem, err := unix.Mmap(-1, 0, l.most*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
			if err != nil {
				return err
			}
			_ = unix.Madvise(mem, unix.MADV_NOHUGEPAGE) // there may be none
			for i := 0; i < len(mem); i += os.Getpagesize() {
				mem[i] = 1
			}
			return unix.Munmap(mem)
		}()
	}()
	return <-done
}

// pageLists reads the lists of each CPU's biggest zone from the text of /proc/zoneinfo:
// a line "cpu: 0" and lines "count:", "high_max:" and others for each CPU, in each zone.
func pageLists(zoneinfo string) []pageList {
	var lists []pageList // by CPU
	var l pageList
	for line := range strings.Lines(zoneinfo) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		var n int
		if _, err := fmt.Sscan(value, &n); err != nil {
			continue
		}
		switch name {
		case "cpu":
			l = pageList{cpu: n}
		case "count":
			l.pages = n
		case "high_max":
			l.most = n
			for len(lists) <= l.cpu {
				lists = append(lists, pageList{cpu: len(lists)})
			}
			if l.most > lists[l.cpu].most {
				lists[l.cpu] = l
			}
		}
	}
	return lists
}

// freePages returns how many pages this process may still have.
func freePages() int {
	pages := 0
	text, _ := os.ReadFile("/proc/meminfo") // unknown is none
	for line := range strings.Lines(string(text)) {
		var kib int
		if _, err := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); err == nil {
			pages = kib * 1024 / os.Getpagesize()
		}
	}
	// What a container may have: "max", or bytes.
	var limit int
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if _, err := fmt.Sscan(string(text), &limit); err == nil {
			pages = min(pages, limit/os.Getpagesize())
		}
	}
	return pages
}
