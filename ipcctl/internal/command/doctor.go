package command

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

func doctorVerb() *node {
	return &node{
		name:  "doctor",
		usage: "check what this system offers and limits, and say how to mend it",
		about: "Verdicts: ok; note, worth knowing; bad, something will fail. The exit status is\n" +
			"1 if anything is bad. Commands that mend something usually need root.",
		flags: []cli.Flag{jsonFlag},
		examples: []example{
			{"ipcctl doctor", "everything, with the commands that mend it"},
			{"ipcctl doctor --json | jq -r 'select(.verdict!=\"ok\")'", "what is worth a look"},
		},
		run: func(c *call) error {
			found := examine()
			bad := false
			for _, f := range found {
				bad = bad || f.Verdict == verdictBad
				if c.json() {
					if err := c.print(f); err != nil {
						return err
					}
				}
			}
			if !c.json() {
				if err := writeFindings(c, found); err != nil {
					return err
				}
			}
			if bad {
				return silent(statusFailed)
			}
			return nil
		},
	}
}

// The verdicts of doctor.
const (
	verdictOK   = "ok"
	verdictNote = "note"
	verdictBad  = "bad"
)

// finding is the result of one check.
type finding struct {
	Check   string `json:"check"`
	Verdict string `json:"verdict"`
	Found   string `json:"found"`
	Mend    string `json:"mend,omitempty"` // a command, or what to do
}

func writeFindings(c *call, found []finding) error {
	t := grid{head: []string{"CHECK", "VERDICT", "FOUND"}}
	for _, f := range found {
		paint := map[string]func(string) string{verdictOK: c.paint.green, verdictNote: c.paint.yellow, verdictBad: c.paint.red}[f.Verdict]
		text := strings.Join(wrap(f.Found, c.room(52)), "\n")
		if f.Mend != "" && f.Verdict != verdictOK {
			mend := wrap(f.Mend, c.room(50))
			for i := range mend {
				mend[i] = []string{"→ ", "  "}[min(i, 1)] + mend[i]
			}
			text += "\n" + lines(mend, c.paint.cyan)
		}
		t.add(f.Check, paint(f.Verdict), text)
	}
	return t.write(c.out, c.paint, 0)
}

func ok(check, format string, args ...any) finding {
	return finding{check, verdictOK, fmt.Sprintf(format, args...), ""}
}

func note(check, mend, format string, args ...any) finding {
	return finding{check, verdictNote, fmt.Sprintf(format, args...), mend}
}

func bad(check, mend, format string, args ...any) finding {
	return finding{check, verdictBad, fmt.Sprintf(format, args...), mend}
}
