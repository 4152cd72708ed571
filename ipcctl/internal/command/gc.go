package command

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/ipcctl/ipc/shm"
	"github.com/ipcctl/ipc/socket"
	"github.com/urfave/cli/v2"
)

func gcVerb() *node {
	return &node{
		name:  "gc",
		usage: "remove what is proven dead; only say so without --yes",
		args:  "[FOLDER...]",
		about: "Proven dead is a socket file whose listener is gone (a connection is refused, and\n" +
			"nobody holds its lock), and a segment with a generated name that no process on\n" +
			"this host uses. Right before it removes something it proves it again. Queues,\n" +
			"FIFOs and segments with a chosen name are never removed: their users may return.\n\n" +
			"Socket files are looked for where ipcctl ls looks.",
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "yes", Usage: "do remove"},
			&cli.StringFlag{Name: "kind", Usage: "only this kind`shm|socket`"},
			&cli.DurationFlag{Name: "older-than", Usage: "spare what is younger than `D`", Value: time.Minute},
			jsonFlag,
		},
		examples: []example{
			{"ipcctl gc", "what would be removed, and the proof for each"},
			{"ipcctl gc --yes --older-than 1h", "remove it"},
		},
		run: gc,
	}
}

// verdictOfGC is what gc decided about one object.
type verdictOfGC struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Action string `json:"action"` // removed, would-remove, kept or failed
	Why    string `json:"why"`
}

func gc(c *call) error {
	kind := c.str("kind")
	if kind != "" && kind != "shm" && kind != "socket" {
		return usagef("--kind %s: gc knows shm and socket", kind)
	}
	if c.flags.Duration("older-than") < 0 {
		return usagef("--older-than is negative")
	}
	objects, err := survey(kind, c.args())
	if err != nil {
		return err
	}
	var verdicts []verdictOfGC
	failed := false
	for _, o := range objects {
		if !o.dead() {
			continue
		}
		v := verdictOfGC{o.Kind, o.Name, "would-remove", o.Why}
		switch {
		case !o.Created.IsZero() && time.Since(o.Created) < c.flags.Duration("older-than"):
			v.Action, v.Why = "kept", fmt.Sprintf("it is only %v old", time.Since(o.Created).Round(time.Second))
		case c.bool("yes"):
			v.Action = "removed"
			if err := o.bury(); errors.Is(err, errRevived) {
				v.Action, v.Why = "kept", err.Error()
			} else if err != nil && !errors.Is(err, os.ErrNotExist) {
				v.Action, v.Why, failed = "failed", err.Error(), true
			}
		}
		verdicts = append(verdicts, v)
	}
	if err := c.showGC(verdicts); err != nil {
		return err
	}
	if failed {
		return silent(statusFailed)
	}
	return nil
}

func (c *call) showGC(verdicts []verdictOfGC) error {
	if c.json() {
		for _, v := range verdicts {
			if err := c.print(v); err != nil {
				return err
			}
		}
		return nil
	}
	if len(verdicts) == 0 {
		c.notef("nothing is proven dead")
		return nil
	}
	t := table{head: []string{"ACTION", "KIND", "NAME", "WHY"}}
	would := 0
	for _, v := range verdicts {
		paint := map[string]func(string) string{
			"removed": c.paint.green, "would-remove": c.paint.yellow, "failed": c.paint.red, "kept": c.paint.dim,
		}[v.Action]
		t.add(cell{v.Action, paint}, plain(v.Kind), plain(v.Name), plain(v.Why))
		if v.Action == "would-remove" {
			would++
		}
	}
	t.write(c.out, c.paint, c.width)
	if would > 0 {
		c.notef("nothing was removed; --yes does it")
	}
	return nil
}

// dead says whether it is proven that nobody can want the object any more.
func (o *object) dead() bool {
	switch o.Kind {
	case "socket":
		return o.State == stale
	case "shm":
		return o.State == orphan && o.named
	}
	return false
}

// errRevived is an object that was dead a moment ago.
var errRevived = errors.New("somebody uses it again")

// bury proves once more that the object is dead, and removes it.
func (o *object) bury() error {
	if o.Kind == "socket" {
		// Listen takes over a dead socket's file, under the lock that every
		// listener holds and after making sure that nobody answers; Close
		// removes it.
		l, err := socket.Listen(o.Name, nil)
		if isAny(err, os.ErrExist) || isInUse(err) {
			return errRevived
		}
		if err != nil {
			return err
		}
		return l.Close()
	}
	now, err := shm.List()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(now, func(i shm.Info) bool { return i.Name == o.Name })
	switch {
	case i < 0:
		return os.ErrNotExist
	case now[i].State != shm.Orphan || !now[i].Created.Equal(o.Created):
		return errRevived
	}
	return shm.Remove(o.Name)
}
