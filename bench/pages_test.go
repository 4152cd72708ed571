package main

import (
	"testing"

	"github.com/matryer/is"
)

// As Linux 6.18 writes it, shortened.
const zoneinfo = `Node 0, zone    DMA32
  pages free     391123
        min      1056
  pagesets
    cpu: 0
              count:    1444
              high:     1444
              high_max: 48307
  vm stats threshold: 20
    cpu: 1
              count:    0
              high:     1444
Node 0, zone   Normal
  pages free     3852171
  pagesets
    cpu: 0
              count:    271827
              high:     281760
    cpu: 1
              count:    300000
              high:     187042
Node 0, zone  Movable
  pages free     0
`

func TestPageLists(t *testing.T) {
	is := is.New(t)
	before := parsePageLists(zoneinfo, 4096)
	is.Equal(before, []pageList{{(1444 + 271827) * 4096, 48307 * 4096}, {300000 * 4096, 0}})
	is.Equal(parsePageLists("", 4096), nil)
	than := func(first, second int64) []pageList {
		return []pageList{{has: before[0].has + first}, {has: before[1].has + second}}
	}
	is.Equal(grown(before, than(-5, 7)), int64(7))
	is.Equal(grown(before, than(-5, -7)), int64(0))
	is.Equal(grown(nil, before), int64(0))
}
