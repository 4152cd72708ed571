package command

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ipcctl/ipc/ipcctl/internal/host"
	"github.com/urfave/cli/v2"
)

func lsVerb() *node {
	return &node{
		name:  "ls",
		usage: "list every object on this host, its owner, users and state",
		args:  "[FOLDER...]",
		about: "State: live, a process uses it now; idle, whole but unused; orphan, in memory\n" +
			"but out of reach; stale, left behind and of no use. --why gives the proof.\n\n" +
			"Segments and queues are listed from the system's shared memory, listening\n" +
			"sockets from the kernel's table. Socket files that nobody listens on, and FIFOs,\n" +
			"are looked for in $XDG_RUNTIME_DIR, the temporary folder and the folders named.\n" +
			"An mqueue is a POSIX message queue. Objects of System V IPC go by the ID that\n" +
			"ipcrm takes.\n" +
			"Users are the processes that the caller may look into: all of them for root.",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "kind", Usage: "only this kind`" + strings.Join(kinds, "|") + "`"},
			&cli.StringFlag{Name: "state", Usage: "only in this state`live|idle|orphan|stale`"},
			&cli.StringFlag{Name: "owner", Usage: "only what `USER` owns, by name or number"},
			&cli.BoolFlag{Name: "why", Usage: "say what proves the state"},
			jsonFlag,
		},
		examples: []example{
			{"ipcctl ls", "everything"},
			{"ipcctl ls --kind socket --state stale --why", "socket files left behind, with the proof"},
			{"ipcctl ls --json | jq -r 'select(.state==\"idle\").name'", "names for a script"},
		},
		run: ls,
	}
}

func ls(c *call) error {
	kind, state, owner := c.str("kind"), c.str("state"), c.str("owner")
	if kind != "" && !slices.Contains(kinds, kind) {
		return usagef("no kind %q%s", kind, didYouMean(kind, kinds, "%q"))
	}
	states := []string{live, idle, orphan, stale}
	if state != "" && !slices.Contains(states, state) {
		return usagef("no state %q%s", state, didYouMean(state, states, "%q"))
	}
	objects, err := c.survey(kind, c.args())
	if err != nil {
		return err
	}
	objects = slices.DeleteFunc(objects, func(o object) bool {
		return state != "" && o.State != state || owner != "" && o.Owner != owner && strconv.Itoa(o.UID) != owner
	})
	if c.json() {
		for _, o := range objects {
			if err := c.print(o.forJSON()); err != nil {
				return err
			}
		}
		return nil
	}
	if (kind == "" || kind == "mqueue") && mqueuesHidden() {
		c.notef("POSIX message queues can't be listed here before: %s", mendMqueues)
	}
	if len(objects) == 0 {
		c.notef("nothing there")
		return nil
	}
	t := grid{head: []string{"KIND", "NAME", "OWNER", "MODE", "SIZE", "STATE", "USERS"}, right: []string{"SIZE"}}
	if c.bool("why") {
		t.head[6] = "WHY"
	}
	for _, o := range objects {
		last := join(o.Users)
		if c.bool("why") {
			last = host.Printable(o.Why)
		}
		t.add(o.Kind, o.label(), orDash(o.Owner), orDash(o.Mode), o.extent(), c.paint.stateText(o.State), orDash(last))
	}
	return t.write(c.out, c.paint, c.width)
}

// forJSON makes lists without elements empty, not null.
func (o object) forJSON() object {
	if o.Users == nil {
		o.Users = []host.Process{}
	}
	return o
}

// label is the name as people read it.
func (o object) label() string {
	if o.Key == "" || o.Key == "0x00000000" {
		return host.Printable(o.Name)
	}
	return o.Name + " key " + o.Key
}

// extent is the size as people read it: bytes, or a socket's connections.
func (o object) extent() string {
	switch o.Kind {
	case "socket":
		if o.Connections == 0 {
			return ""
		}
		return formatCount(o.Connections) + " conn"
	case "fifo", "sysv-sem":
		return ""
	}
	return formatSize(o.Size)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (p palette) stateText(s string) string {
	if paint := p.state(s); paint != nil {
		return paint(s)
	}
	return s
}

// state colours a state by whether somebody should look at it.
func (p palette) state(s string) func(string) string {
	switch s {
	case live:
		return p.green
	case orphan, stale:
		return p.yellow
	}
	return nil
}
