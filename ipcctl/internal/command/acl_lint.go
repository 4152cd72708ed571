package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ipcctl/ipc/acl"
	"github.com/urfave/cli/v2"
)

func aclLintVerb() *node {
	return &node{
		name:  "lint",
		usage: "find faults in policies, and rules without effect",
		args:  "FILE...",
		about: "The exit status is 1 if anything was found.",
		flags: []cli.Flag{jsonFlag},
		examples: []example{
			{"ipcctl acl lint app.acl", "every fault with its line"},
		},
		run: func(c *call) error {
			found := 0
			for _, file := range c.args() {
				n, err := c.lint(file)
				if err != nil {
					return err
				}
				found += n
			}
			if found > 0 {
				return silent(statusFailed)
			}
			return nil
		},
	}
}

// faultCode is the code of a fault that keeps a policy from loading.
const faultCode = "syntax"

// lint reports what is wrong with one policy, and returns how much that is.
func (c *call) lint(file string) (int, error) {
	p, err := acl.Load(file)
	if faults := acl.SyntaxErrors(err); len(faults) > 0 {
		for _, f := range faults {
			if c.json() {
				finding := acl.Finding{Code: faultCode, File: f.File, Line: f.Line, Column: f.Column, Text: f.Text, Message: f.Msg}
				if err := c.print(finding); err != nil {
					return 0, err
				}
				continue
			}
			fmt.Fprintf(c.out, "%s:%d:%d: %s %s\n", f.File, f.Line, f.Column, c.paint.red("error:"), f.Msg)
			if f.Text != "" {
				fmt.Fprintf(c.out, "    %s\n    %s%s\n", f.Text, strings.Repeat(" ", f.Caret), c.paint.red("^"))
			}
		}
		return len(faults), nil
	}
	if err != nil {
		_, err = loadPolicy(file) // the same fault, with what to do about it
		if err == nil {
			err = errors.New(file + " changed meanwhile")
		}
		return 0, err
	}
	findings := p.Lint()
	for _, f := range findings {
		if c.json() {
			if err := c.print(f); err != nil {
				return 0, err
			}
			continue
		}
		place := f.File
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
		}
		fmt.Fprintf(c.out, "%s: %s %s\n", place, c.paint.yellow(f.Code+":"), f.Message)
		if f.Text != "" {
			fmt.Fprintf(c.out, "    %s\n", f.Text)
		}
	}
	return len(findings), nil
}
