package command

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ipcctl/ipc/ipcctl/internal/tour"
	"github.com/urfave/cli/v2"
)

func tourVerb() *node {
	return &node{
		name:  "tour",
		usage: "see every mechanism at work between real processes, in seconds",
		about: "Each step starts processes of its own, checks what they did, and measures it.\n" +
			"The figures are of this machine at this moment. Nothing is left behind, also when\n" +
			"it is interrupted. A step that fails ends it with status 1 and is named.",
		flags: []cli.Flag{jsonFlag},
		examples: []example{
			{"ipcctl tour", "everything, ending with a table"},
			{"ipcctl tour --json | jq .figure", "the figures alone"},
		},
		run: runTour,
	}
}

// tourTitles says what a step is about.
var tourTitles = map[string]string{
	"socket": "socket, identity",
	"acl":    "access control",
	"pipe":   "pipe to a child",
	"shm":    "shared memory",
	"queue":  "queue",
	"crash":  "queue, kill -9",
	"lease":  "lease, kill -9",
	"python": "Python as a peer",
}

func runTour(c *call) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	paint, onTerminal := terminal(c.err)
	t := grid{head: []string{"MECHANISM", "WHAT HAPPENED", "FIGURE"}, right: []string{"FIGURE"}}
	begin, shown := time.Now(), 0
	err = tour.Run(c.ctx, self, func(step string, r *tour.Result) {
		if onTerminal > 0 && !c.json() {
			fmt.Fprint(c.err, "\r\x1b[K")
			if r == nil {
				fmt.Fprint(c.err, paint.dim("… "+tourTitles[step]))
			}
		}
		switch {
		case r == nil:
		case c.json():
			c.print(r)
		default:
			t.tourRow(r, c.paint, c.room(40))
		}
		if r != nil && r.OK {
			shown++
		}
	})
	if c.json() {
		return err
	}
	if failed := t.write(c.out, c.paint, 0); failed != nil {
		return failed
	}
	if err == nil {
		fmt.Fprintf(c.out, "\n%d mechanisms shown in %.1f s; nothing is left behind.\n", shown, time.Since(begin).Seconds())
	}
	return err
}

// tourRow adds a result to the table, what happened in lines of that width.
func (t *grid) tourRow(r *tour.Result, p palette, width int) {
	paint, figure := p.green, r.Figure
	switch {
	case r.Skipped:
		paint, figure = p.yellow, "skipped"
	case !r.OK:
		paint, figure = p.red, "FAILED"
	}
	t.add(p.bold(tourTitles[r.Step]), strings.Join(wrap(r.What, width), "\n"), paint(figure))
}

func tourPeerVerb() *node {
	return &node{
		name:   "tour-peer",
		usage:  "take part in a tour",
		args:   "ROLE [ARGUMENT...]",
		hidden: true,
		run:    func(c *call) error { return tour.Play(c.ctx, c.arg(0), c.args()[1:]) },
	}
}
