package command

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

func aclTestVerb() *node {
	return &node{
		name:  "test",
		usage: "run the test cases of a policy, its \"expect\" lines",
		args:  "FILE",
		about: "The exit status is 0 if the policy answers all of them as expected, else 1.",
		flags: []cli.Flag{jsonFlag, &cli.BoolFlag{Name: "verbose", Usage: "show also the cases that pass"}},
		examples: []example{
			{"ipcctl acl test app.acl", "before the policy is put to use"},
		},
		run: func(c *call) error {
			p, err := loadPolicy(c.arg(0))
			if err != nil {
				return err
			}
			results, failed := p.Test(), 0
			for _, r := range results {
				if !r.Passed {
					failed++
				}
				switch {
				case c.json():
					if err := c.print(r); err != nil {
						return err
					}
				case !r.Passed:
					fmt.Fprintln(c.out, c.paint.red("FAILED"), r.Case.Place()+":", r.Case.Text)
					fmt.Fprintf(c.out, "       %s %s is %s\n", r.Action, r.Resource, c.paint.decision(r.Decision))
				case c.bool("verbose"):
					fmt.Fprintln(c.out, c.paint.green("ok    "), r.Case.Place()+":", r.Case.Text)
				}
			}
			switch {
			case len(results) == 0:
				c.notef("%s has no test cases: write lines such as \"expect deny any connect socket:/run/app.sock\"", c.arg(0))
			case !c.json():
				fmt.Fprintf(c.out, "%d of %d passed\n", len(results)-failed, len(results))
			}
			if failed > 0 {
				return silent(statusFailed)
			}
			return nil
		},
	}
}
