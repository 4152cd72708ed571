package command

import (
	"strings"
)

// request is a command line taken apart: which verb, and its words in the
// order that the parser wants them in.
type request struct {
	path          []string // the verb's names below the root
	node          *node
	args          []string // path, flags, "--", arguments
	help, version bool
}

// arrange finds the verb and moves every flag in front of the arguments, so
// that flags work anywhere on the line. A word is a flag if it starts with a
// dash and is longer than one; after "--" nothing is.
func arrange(root *node, line []string) (request, error) {
	req := request{node: root}
	var flags, args, names []string
	if len(line) > 0 && line[0] == "help" {
		line, req.help = line[1:], true
	}
	for i := 0; i < len(line); i++ {
		word := line[i]
		switch {
		case word == "--":
			args = append(args, line[i+1:]...)
			i = len(line)

		case len(word) > 1 && word[0] == '-':
			name, _, inline := strings.Cut(strings.TrimLeft(word, "-"), "=")
			if name == "help" || name == "h" {
				req.help = true
				continue
			}
			if name == "version" && req.node == root {
				req.version = true
				continue
			}
			// A flag may stand before the verb that it belongs to.
			f := req.node.anywhere(name)
			if f == nil {
				return req, noFlag(req.node, word, name)
			}
			flags, names = append(flags, word), append(names, name)
			if takesValue(f) && !inline {
				if i++; i == len(line) {
					return req, usagef("--%s needs a value", name)
				}
				flags = append(flags, line[i])
			}

		case req.node.children != nil:
			next := req.node.child(word)
			if next == nil {
				return req, usagef("no verb %q%s", word, didYouMean(word, req.node.names(), "%q"))
			}
			req.node, req.path = next, append(req.path, word)

		default:
			args = append(args, word)
		}
	}
	if req.node.run != nil && !req.help {
		for _, name := range names {
			if req.node.flag(name) == nil {
				return req, noFlag(req.node, "--"+name, name)
			}
		}
	}
	req.args = append(append([]string{}, req.path...), flags...)
	req.args = append(append(req.args, "--"), args...)
	return req, nil
}

func noFlag(n *node, word, name string) error {
	var known []string
	for _, f := range n.flags {
		known = append(known, f.Names()...)
	}
	if hint := didYouMean(name, known, "--%s"); hint != "" || n.run == nil {
		return usagef("no flag %s%s", word, hint)
	}
	return usagef("no flag %s (an argument that starts with a dash goes after --)", word)
}
