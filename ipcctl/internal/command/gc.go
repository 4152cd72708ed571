package command

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ipcctl/ipc/ipcctl/internal/host"
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
			"this host uses: all were looked into, or the kernel grants a lease, which it does\n" +
			"only for a file that nobody has open or mapped, in any container. Right before it\n" +
			"removes something it proves it again. Queues, objects of POSIX and System V,\n" +
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
	objects, err := c.survey(kind, c.args())
	if err != nil {
		return err
	}
	var verdicts []verdictOfGC
	failed, what := false, "looking closely"
	if c.bool("yes") {
		what = "removing"
	}
	p := c.progress(what, len(objects))
	defer p.clear()
	for i, o := range objects {
		if c.ctx.Err() != nil { // what was done is told
			break
		}
		p.next(i, what)
		young := !o.Created.IsZero() && time.Since(o.Created) < c.flags.Duration("older-than")
		why, dead := o.proof(!young)
		if !dead {
			continue
		}
		v := verdictOfGC{o.Kind, o.Name, "would-remove", why}
		switch {
		case young:
			v.Action, v.Why = "kept", fmt.Sprintf("it is only %v old", time.Since(o.Created).Round(time.Second))
		case c.bool("yes"):
			v.Action = "removed"
			switch err := o.bury(); {
			case errors.Is(err, os.ErrNotExist): // somebody else was first
				continue
			case errors.Is(err, errRevived):
				v.Action, v.Why = "kept", err.Error()
			case err != nil:
				v.Action, v.Why, failed = "failed", err.Error(), true
			}
		}
		verdicts = append(verdicts, v)
	}
	p.clear()
	if len(verdicts) > 0 || c.ctx.Err() == nil {
		if err := c.showGC(verdicts); err != nil {
			return err
		}
	}
	if failed {
		return silent(statusFailed)
	}
	return c.ctx.Err()
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
	t := grid{head: []string{"ACTION", "KIND", "NAME", "WHY"}}
	would := 0
	for _, v := range verdicts {
		paint := map[string]func(string) string{
			"removed": c.paint.green, "would-remove": c.paint.yellow, "failed": c.paint.red, "kept": c.paint.dim,
		}[v.Action]
		t.add(paint(v.Action), v.Kind, host.Printable(v.Name), host.Printable(v.Why))
		if v.Action == "would-remove" {
			would++
		}
	}
	if err := t.write(c.out, c.paint, c.width); err != nil {
		return err
	}
	if would > 0 {
		c.notef("nothing was removed; --yes does it")
	}
	return nil
}

// generated matches the names that this library and Python give a segment for
// the life of a process, and the one that a segment has while it is made, where the
// system can't make it without a name.
var generated = regexp.MustCompile(`^(` + regexp.QuoteMeta(unfinished) + `)?psm_[0-9a-f]{8}$`)

// unfinished begins the name of a segment that is not whole yet.
const unfinished = ".ipc-new-"

// proof returns what proves that nobody can want the object any more. Where
// some processes can't be seen, the kernel is asked for a lease on a segment,
// if closely is set: that keeps others from opening it for an instant.
func (o *object) proof(closely bool) (why string, dead bool) {
	switch {
	case o.Kind == "socket":
		return o.Why, o.State == stale
	case o.Kind != "shm" || !o.named:
		return "", false
	case o.State == orphan:
		return o.Why, true
	case !closely || o.State != idle || !generated.MatchString(o.Name):
		return "", false
	}
	l, err := host.TakeLease(shmFolder + "/" + o.Name)
	if err != nil {
		return "", false
	}
	l.Close()
	return "its name was generated for a process, and no process anywhere on this host has it: the kernel grants a lease", true
}

// errRevived is an object that is not proven dead, though it seemed to be a moment ago.
var errRevived = errors.New("somebody uses it again")

// unproven says why a socket is not.
type unproven struct{ error }

func (unproven) Is(target error) bool { return target == errRevived }

// bury proves once more that the object is dead, and removes it.
func (o *object) bury() error {
	if o.Kind == "socket" {
		// Listen takes over a dead socket's file, under the lock that every
		// listener holds and after making sure that nobody answers; Close
		// removes it.
		l, err := socket.Listen(o.Name, nil)
		if isAny(err, os.ErrExist) || isInUse(err) {
			return unproven{err} // alive, or another program's by its lock file
		}
		if err != nil {
			return err
		}
		return l.Close()
	}
	id, _ := host.ID(shmFolder + "/" + o.Name)
	now, err := shm.List()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(now, func(i shm.Info) bool { return i.Name == o.Name })
	switch {
	case i < 0:
		return os.ErrNotExist
	case now[i].State == shm.Live || !now[i].Created.Equal(o.Created):
		return errRevived
	}
	l, err := host.TakeLease(shmFolder + "/" + o.Name)
	switch {
	case errors.Is(err, host.ErrInUse):
		return errRevived
	case err == nil:
		defer l.Close() // until the name is gone nobody opens it
		if l.ID != id || !l.Held() {
			return errRevived
		}
	case now[i].State != shm.Orphan:
		return err
	}
	if strings.HasPrefix(o.Name, unfinished) { // which is no name that package shm takes
		return os.Remove(shmFolder + "/" + o.Name)
	}
	return shm.Remove(o.Name)
}
