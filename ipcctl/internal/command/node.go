package command

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// node is a verb, or a group of verbs. The tree of nodes is the single source
// of the parser, the help, the manual pages and the shells' completion.
type node struct {
	name     string
	usage    string // what it does, in one line
	args     string // its arguments, such as "NAME [MESSAGE...]"
	about    string // what a reader of --help should know beyond usage
	examples []example
	flags    []cli.Flag
	hidden   bool
	instant  bool              // it ends by itself at once and has nothing to clean up
	run      func(*call) error // nil for a group
	children []*node
}

// example is one command line that works as shown and what it is for.
type example struct{ line, what string }

// tree returns the whole command.
func tree() *node {
	return &node{
		name:  "ipcctl",
		usage: "the objects that processes on this host talk through",
		about: "Data goes to stdout, everything else to stderr. Flags work before and after\n" +
			"arguments; what follows -- is an argument even if it starts with a dash.\n" +
			"Sizes: 4096, 64KiB, 1MiB. Durations: 250ms, 5s. NO_COLOR turns colour off.\n\n" +
			"Exit status: 0 done, 1 failed, 2 usage, 3 no such object, 4 denied,\n" +
			"5 timed out (or empty or full, with --timeout 0).",
		examples: []example{
			{"ipcctl tour", "see every mechanism at work"},
			{"ipcctl ls", "every object on this host"},
			{"ipcctl queue create jobs --capacity 100 --max-message 4KiB", "a queue"},
			{"ipcctl socket serve /tmp/s.sock --echo", "a server"},
		},
		children: verbs(),
	}
}

// child returns the child of that name, or nil.
func (n *node) child(name string) *node {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// names returns the names of the children that a person should know.
func (n *node) names() []string {
	var out []string
	for _, c := range n.children {
		if !c.hidden {
			out = append(out, c.name)
		}
	}
	return out
}

// flag returns the flag of that name in n, or nil.
func (n *node) flag(name string) cli.Flag {
	for _, f := range n.flags {
		for _, have := range f.Names() {
			if have == name {
				return f
			}
		}
	}
	return nil
}

// anywhere returns a flag of that name in n or below it, or nil.
func (n *node) anywhere(name string) cli.Flag {
	if f := n.flag(name); f != nil {
		return f
	}
	for _, c := range n.children {
		if f := c.anywhere(name); f != nil {
			return f
		}
	}
	return nil
}

// takesValue says whether the flag is followed by its value.
func takesValue(f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return ok && d.TakesValue()
}

// commands translates the verb that path leads to, and no other, for the parser.
func (n *node) commands(path []string, run func(*node, *cli.Context) error) []*cli.Command {
	if len(path) == 0 {
		return nil
	}
	c := n.child(path[0])
	return []*cli.Command{{
		Name:            c.name,
		HideHelp:        true,
		HideHelpCommand: true,
		Flags:           c.flags,
		Subcommands:     c.commands(path[1:], run),
		Action:          func(cc *cli.Context) error { return run(c, cc) },
	}}
}

// checkArgs compares the number of arguments with what n.args declares: X is
// required, [X] is not, X... takes any number.
func (n *node) checkArgs(have []string) error {
	declared := strings.Fields(n.args)
	least, most := 0, len(declared)
	for _, a := range declared {
		if !strings.HasPrefix(a, "[") {
			least++
		}
		if strings.Contains(a, "...") {
			most = len(have)
		}
	}
	switch {
	case len(have) < least:
		return usagef("%s is missing", declared[len(have)])
	case len(have) > most && most == 0:
		return usagef("it takes no arguments, got %q", have[0])
	case len(have) > most:
		return usagef("too many arguments: %q comes after %s", have[most], n.args)
	}
	for i, a := range have {
		if a == "" && i < least {
			return usagef("%s is empty", declared[i])
		}
	}
	return nil
}

// required is the complaint about a flag that has no default.
func (c *call) required(flags ...string) error {
	var missing []string
	for _, f := range flags {
		if !c.set(f) {
			missing = append(missing, "--"+f)
		}
	}
	if missing == nil {
		return nil
	}
	verb := "is"
	if len(missing) > 1 {
		verb = "are"
	}
	return usagef("%s", fmt.Sprint(strings.Join(missing, " and "), " ", verb, " required"))
}
