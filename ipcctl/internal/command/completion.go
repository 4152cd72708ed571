package command

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

func completionVerb() *node {
	return &node{
		name:    "completion",
		instant: true,
		usage:   "print a script that completes verbs and object names",
		args:    "bash|zsh|fish",
		examples: []example{
			{"source <(ipcctl completion bash)", "in ~/.bashrc"},
			{"source <(ipcctl completion zsh)", "in ~/.zshrc, after compinit"},
			{"ipcctl completion fish > ~/.config/fish/completions/ipcctl.fish", "for fish"},
		},
		run: func(c *call) error {
			script, ok := completionScripts[c.arg(0)]
			if !ok {
				return usagef("no script for %q: bash, zsh or fish", c.arg(0))
			}
			_, err := c.out.WriteString(script)
			return err
		},
	}
}

// The scripts hand the words so far to "ipcctl complete-words" and take back
// lines of a word, a tab and a description. They never evaluate what comes
// back: the name of a socket is whatever its creator chose.
var completionScripts = map[string]string{
	"bash": `_ipcctl() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("${line%%$'\t'*}")
    done < <(ipcctl complete-words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _ipcctl ipcctl
`,
	"zsh": `#compdef ipcctl
_ipcctl() {
    local line word
    local -a names notes shown folders
    local -i i width=0 none=1
    while IFS= read -r line; do
        word="${line%%$'\t'*}"
        if [[ $word == */ ]]; then
            folders+=("$word")
        else
            names+=("$word")
            notes+=("${line#*$'\t'}")
            (( ${#word} > width )) && width=${#word}
        fi
    done < <(ipcctl complete-words -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    for (( i = 1; i <= ${#names}; i++ )); do
        shown+=("${(r:width:)names[i]}${notes[i]:+  -- }${notes[i]}")
    done
    compadd -l -d shown -a names && none=0
    compadd -S '' -a folders && none=0
    return none
}
compdef _ipcctl ipcctl
`,
	"fish": `complete -c ipcctl -f -a '(ipcctl complete-words -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`,
}

func completeWordsVerb() *node {
	return &node{
		name:   "complete-words",
		usage:  "print what may stand in the place of the last word",
		args:   "[WORD...]",
		hidden: true,
		run: func(c *call) error {
			for _, w := range candidates(c.args()) {
				fmt.Fprintf(c.out, "%s\t%s\n", w[0], w[1])
			}
			return nil
		},
	}
}

// candidates returns what the last word may become, each with a description.
func candidates(words []string) [][2]string {
	last := ""
	if n := len(words); n > 0 {
		words, last = words[:n-1], words[n-1]
	}
	n, group, args, pending, literal := tree(), "", 0, "", false
	for i := 0; i < len(words); i++ {
		name := strings.TrimLeft(words[i], "-")
		switch {
		case literal:
			args++
		case words[i] == "--":
			literal = true
		case strings.HasPrefix(words[i], "-"):
			if f := n.anywhere(name); f != nil && takesValue(f) {
				if i++; i == len(words) {
					pending = name
				}
			}
		case n.children != nil:
			if n = n.child(words[i]); n == nil {
				return nil
			}
			if n.children != nil {
				group = n.name
			}
		default:
			args++
		}
	}
	var out [][2]string
	switch {
	case pending != "":
		f := n.anywhere(pending)
		_, value := placeholder(f, f.(cli.DocGenerationFlag).GetUsage())
		out = wordsFor(group, value, last)
	case strings.HasPrefix(last, "-") && !literal:
		out = append(out, [2]string{"--help", "explain this verb"})
		for _, f := range n.flags {
			usage, _ := placeholder(f, f.(cli.DocGenerationFlag).GetUsage())
			out = append(out, [2]string{"--" + f.Names()[0], usage})
		}
	case n.children != nil:
		for _, c := range n.children {
			if !c.hidden {
				out = append(out, [2]string{c.name, c.usage})
			}
		}
	default:
		if a := strings.Fields(n.args); len(a) > 0 {
			if args < len(a) || strings.Contains(a[len(a)-1], "...") {
				out = wordsFor(group, strings.Trim(a[min(args, len(a)-1)], "[]."), last)
			}
		}
	}
	return slices.DeleteFunc(out, func(w [2]string) bool { return !strings.HasPrefix(w[0], last) || !safeWord(w[0]) })
}

// wordsFor returns what an argument or a flag's value of that declared form
// may be, in that group of verbs.
func wordsFor(group, form, prefix string) (out [][2]string) {
	switch {
	case strings.Contains(form, "|"):
		for _, w := range strings.Split(form, "|") {
			out = append(out, [2]string{w, ""})
		}
	case form == "FILE":
		return filesFor(prefix)
	case form == "NAME" || form == "PATH":
		kind := group
		if group == "pipe" {
			kind = "fifo"
		}
		objects, _ := survey(kind, []string{dirOf(prefix)})
		for _, o := range objects {
			if strings.HasPrefix(o.Name, prefix) {
				out = append(out, [2]string{o.Name, o.Kind + ", " + o.State})
			}
		}
		if form == "PATH" && len(out) == 0 { // on the way to a folder, or to a new name
			return filesFor(prefix)
		}
	}
	return out
}

func filesFor(prefix string) (out [][2]string) {
	dir, _ := filepath.Split(prefix)
	read := dir
	if read == "" {
		read = "."
	}
	entries, _ := os.ReadDir(read)
	for _, e := range entries {
		name := dir + e.Name()
		if e.IsDir() {
			name += "/"
		}
		out = append(out, [2]string{name, ""})
	}
	return out
}

// safeWord says whether a shell takes the word as it stands.
func safeWord(w string) bool {
	return w != "" && strings.Trim(w, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/@+,%=") == ""
}
