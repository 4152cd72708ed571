package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"runtime"
	"slices"
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

// fillPageLists fills the lists of this process' CPUs which are short. It does nothing
// where the kernel doesn't tell how long they get, where memory is nearer to some CPUs
// than to others, or where all of them would take more than a quarter of the memory that
// there is for this process.
func fillPageLists(ctx context.Context) {
	text, err := os.ReadFile("/proc/zoneinfo")
	if err != nil {
		return // no procfs, or not for us
	}
	lists := pageLists(string(text))
	if !fitPageLists(lists) {
		return
	}
	for _, l := range lists {
		if l.short() && ctx.Err() == nil {
			l.fill()
		}
	}
}

// fitPageLists says whether there is memory for filling the lists.
func fitPageLists(lists []pageList) bool {
	all := 0
	for _, l := range lists {
		all += l.most
	}
	return all <= freePages()/4
}

// fill takes as many pages as the list gets long, on its CPU, and gives them back there.
func (l pageList) fill() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for ever, since it stays on this CPU
		var one, ours unix.CPUSet
		one.Set(l.cpu)
		if unix.SchedGetaffinity(0, &ours) != nil || !ours.IsSet(l.cpu) || unix.SchedSetaffinity(0, &one) != nil {
			return // no process of a repetition runs there
		}
		mem, err := unix.Mmap(-1, 0, l.most*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			return // it remains as it is
		}
		_ = unix.Madvise(mem, unix.MADV_NOHUGEPAGE) // there may be none
		for i := 0; i < len(mem); i += os.Getpagesize() {
			mem[i] = 1
		}
		_ = unix.Munmap(mem)
	}()
	<-done
}

// pageLists reads the lists of each CPU's biggest zone from the text of /proc/zoneinfo:
// a line "cpu: 0" and lines "count:", "high_max:" and others for each CPU, in each zone of
// each node. With several nodes it is none: a CPU uses hardly any but its own.
func pageLists(zoneinfo string) []pageList {
	var lists []pageList // by CPU
	var l pageList
	for line := range strings.Lines(zoneinfo) {
		if strings.HasPrefix(line, "Node ") && !strings.HasPrefix(line, "Node 0,") {
			return nil
		}
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
	page := os.Getpagesize()
	pages := 0
	text, _ := os.ReadFile("/proc/meminfo") // unknown is none
	for line := range strings.Lines(string(text)) {
		var kib int
		if _, err := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); err == nil {
			pages = kib / (page / 1024)
		}
	}
	groups, _ := os.ReadFile("/proc/self/cgroup") // none is no limit
	for _, file := range limitFiles(string(groups)) {
		var limit uint64 // or "max"
		if text, err := os.ReadFile(file); err == nil {
			if _, err := fmt.Sscan(string(text), &limit); err == nil {
				pages = int(min(uint64(pages), limit/uint64(page)))
			}
		}
	}
	return pages
}

// limitFiles returns the files in which there may be a limit for the memory of this
// process' control groups: its own one and all above. Source: cgroups(7).
func limitFiles(cgroup string) (files []string) {
	for line := range strings.Lines(cgroup) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, dir, ok := strings.Cut(rest, ":")
		root, name := "/sys/fs/cgroup", "memory.max" // version 2
		switch {
		case !ok || controllers != "" && !slices.Contains(strings.Split(controllers, ","), "memory"):
			continue
		case controllers != "":
			root, name = root+"/memory", "memory.limit_in_bytes"
		}
		for ; ; dir = path.Dir(dir) {
			files = append(files, path.Join(root, dir, name))
			if dir == "/" || dir == "." {
				break
			}
		}
	}
	return files
}
