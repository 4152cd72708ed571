package main

import (
	"fmt"
	"os"
	"strings"
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
// list is full the same few pages go round. So a repetition in which a list has grown
// much is made again, as one from which CPUs were stolen, and before that the lists are
// filled: memory is touched on each CPU and given back. That takes a second or two and an
// eighth of the memory, so it is done only where it is needed.
// Source: mm/page_alloc.c (nr_pcp_high), mm/page_reporting.c.

// grownLimit is by how many bytes a list may grow during a repetition. At worst they take
// some 50 ms of its 300; 46 to 124 MiB took most of it, 280 to 2,400 messages of 1 MiB a
// second instead of 5,000.
const grownLimit = 16 << 20

// pageList is a CPU's list of free pages, in bytes.
type pageList struct {
	has, most int64
}

// pageLists returns each CPU's list, by CPU. It is nil where the kernel does not tell.
func pageLists() []pageList {
	text, err := os.ReadFile("/proc/zoneinfo")
	if err != nil {
		return nil // no procfs, or not for us
	}
	return parsePageLists(string(text), int64(os.Getpagesize()))
}

// parsePageLists reads /proc/zoneinfo: a line "cpu: 0" and lines "count:" and "high_max:", in
// pages, and others for each CPU, in each zone of each node.
func parsePageLists(zoneinfo string, page int64) (lists []pageList) {
	cpu := 0
	for line := range strings.Lines(zoneinfo) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		var n int
		if _, err := fmt.Sscan(value, &n); err != nil {
			continue
		}
		switch name {
		case "cpu":
			cpu = n
			for len(lists) <= cpu {
				lists = append(lists, pageList{})
			}
		case "count":
			lists[cpu].has += int64(n) * page
		case "high_max":
			lists[cpu].most += int64(n) * page
		}
	}
	return lists
}

// grown returns by how much the list has grown that has grown most.
func grown(before, after []pageList) (most int64) {
	for cpu := range min(len(before), len(after)) {
		most = max(most, after[cpu].has-before[cpu].has)
	}
	return most
}
