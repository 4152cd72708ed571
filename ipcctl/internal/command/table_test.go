package command

import (
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/matryer/is"
)

func TestGrid(t *testing.T) {
	rows := func() *grid {
		g := &grid{head: []string{"KIND", "NAME", "SIZE", "USERS"}, right: []string{"SIZE"}}
		g.add("shm", "a", "1KiB", "worker(1)")
		g.add("socket", "/run/user/1000/with/a/long/path/to/a.sock", "", palette(true).green("日本(22), worker(333), worker(4444)"))
		return g
	}
	why := func() *grid {
		g := &grid{head: []string{"NAME", "WHY"}}
		g.add("psm_0a1b2c3d", "no process uses it; whoever chose its name may come back")
		return g
	}
	for _, c := range []struct {
		name  string
		grid  *grid
		limit int
		want  string
	}{
		{"reasons", why(), 50, `
NAME          WHY
psm_0a1b2c3d  no process uses it; whoever chose
              its name may come back
`}, {"without a terminal", rows(), 0, `
KIND    NAME                                       SIZE  USERS
shm     a                                          1KiB  worker(1)
socket  /run/user/1000/with/a/long/path/to/a.sock        日本(22), worker(333), worker(4444)
`}, {"a wide one", rows(), 80, `
KIND    NAME                                       SIZE  USERS
shm     a                                          1KiB  worker(1)
socket  /run/user/1000/with/a/long/path/to/a.sock        日本(22), worker(333),…
`}, {"a narrow one", rows(), 60, `
KIND    NAME                            SIZE  USERS
shm     a                               1KiB  worker(1)
socket  …00/with/a/long/path/to/a.sock        日本(22), wor…
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			is := is.New(t)
			is.NoErr(c.grid.write(&out, false, c.limit))
			is.Equal(text.StripEscape(out.String()), strings.TrimPrefix(c.want, "\n"))
			for _, l := range strings.Split(out.String(), "\n") {
				if n := text.StringWidthWithoutEscSequences(l); c.limit > 0 && n > c.limit {
					t.Errorf("%d columns of %d: %q", n, c.limit, l)
				}
			}
		})
	}
}
