package main

import (
	"os"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// As Linux 6.18 writes it, shortened.
const zoneinfo = `Node 0, zone    DMA32
  pages free     391123
        min      1056
  pagesets
    cpu: 0
              count:    1444
              high:     1444
              batch:    63
              high_min: 1444
              high_max: 48307
  vm stats threshold: 20
    cpu: 1
              count:    0
              high:     1444
              batch:    63
              high_min: 1444
              high_max: 48307
Node 0, zone   Normal
  pages free     3852171
  pagesets
    cpu: 0
              count:    271827
              high:     281760
              batch:    63
              high_min: 10081
              high_max: 337141
    cpu: 1
              count:    300000
              high:     187042
              batch:    63
              high_min: 10081
              high_max: 337141
Node 0, zone  Movable
  pages free     0
`

func TestPageLists(t *testing.T) {
	is := is.New(t)
	lists := pageLists(zoneinfo)
	is.Equal(lists, []pageList{{0, 271827, 337141}, {1, 300000, 337141}})
	is.True(lists[0].short())
	is.True(!lists[1].short())
	is.Equal(pageLists(zoneinfo+"Node 1, zone   Normal\n"), nil)
	is.Equal(pageLists("Node 0, zone Normal\n  pagesets\n    cpu: 0\n  count: 3\n  high: 4\n"), nil) // before 6.7
}

func TestLimitFiles(t *testing.T) {
	is := is.New(t)
	is.Equal(limitFiles("0::/a.slice/b.scope\n"), []string{
		"/sys/fs/cgroup/a.slice/b.scope/memory.max", "/sys/fs/cgroup/a.slice/memory.max", "/sys/fs/cgroup/memory.max"})
	is.Equal(limitFiles("4:cpu,cpuacct:/x\n3:memory:/x\n0::/\n"), []string{
		"/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"})
	is.Equal(limitFiles(""), nil)
}

// The kernel's lists do get longer by it.
func TestFillPageLists(t *testing.T) {
	is := is.New(t)
	lists := func() []pageList {
		text, err := os.ReadFile("/proc/zoneinfo")
		is.NoErr(err)
		return pageLists(string(text))
	}
	var ours unix.CPUSet
	is.NoErr(unix.SchedGetaffinity(0, &ours))
	before := lists()
	if testing.Short() || len(before) == 0 || !fitPageLists(before) {
		t.Skip("short, or the kernel does not tell how long its lists get, or there is too little memory")
	}
	fillPageLists(t.Context())
	for cpu, l := range lists() {
		t.Logf("CPU %d: %d pages before, %d after, at most %d", cpu, before[cpu].pages, l.pages, l.most)
		if before[cpu].short() && ours.IsSet(cpu) {
			is.True(l.pages > before[cpu].pages)
		}
	}
}
