package command

import (
	"slices"
	"strings"
)

// Verb is a verb or a group of the command's tree, for the tests that go
// through all of them.
type Verb struct {
	Name     string // without "ipcctl", such as "queue put"
	Group    bool
	Required int // arguments that it can't do without
	JSON     bool
	Examples []string
}

// Verbs lists what a person should know, groups before their verbs.
func Verbs() []Verb {
	var out []Verb
	var walk func(n *node, path []string)
	walk = func(n *node, path []string) {
		if n.hidden {
			return
		}
		v := Verb{Name: strings.Join(path, " "), Group: n.run == nil, JSON: n.flag("json") != nil}
		for _, a := range strings.Fields(n.args) {
			if !strings.HasPrefix(a, "[") {
				v.Required++
			}
		}
		for _, e := range n.examples {
			v.Examples = append(v.Examples, e.line)
		}
		out = append(out, v)
		for _, c := range n.children {
			walk(c, append(path[:len(path):len(path)], c.name))
		}
	}
	walk(tree(), nil)
	return out
}

// VerbOf returns the verb that a command line runs, "" if it runs none.
func VerbOf(line []string) string {
	req, _ := arrange(tree(), line) // a line with a usage error has a verb too
	if req.help || req.version {
		return ""
	}
	return strings.Join(req.path, " ")
}

// Accepts says whether the command takes a line as it stands: its verb, flags
// and number of arguments.
func Accepts(line []string) error {
	req, err := arrange(tree(), line)
	if err != nil || req.node.run == nil {
		return err
	}
	args := req.args[slices.Index(req.args, "--")+1:]
	return req.node.checkArgs(args)
}
