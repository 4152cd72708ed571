package command

import (
	"fmt"

	"github.com/ipcctl/ipc/acl"
	"github.com/urfave/cli/v2"
)

func aclApplyVerb() *node {
	return &node{
		name:  "apply",
		usage: "give a file the permissions that a policy means for it",
		args:  "PATH",
		about: "PATH is the file behind the resource: a socket, a FIFO, or a file in /dev/shm. From\n" +
			"then on the kernel itself turns away whom the policy denies. Where permissions\n" +
			"can't say what the policy says, nobody gets what it denies, and a warning tells.",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "policy", Usage: "the policy `FILE`"},
			&cli.StringFlag{Name: "resource", Usage: "which `RESOURCE` of the policy PATH is, such as socket:/run/app.sock"},
			jsonFlag,
		},
		examples: []example{
			{"ipcctl acl apply /run/a.sock --policy app.acl --resource socket:/run/a.sock", "prints what was set, as getfacl does"},
		},
		run: func(c *call) error {
			if err := c.required("policy", "resource"); err != nil {
				return err
			}
			p, err := loadPolicy(c.str("policy"))
			if err != nil {
				return err
			}
			set, err := acl.Apply(c.arg(0), p, c.str("resource"))
			if err != nil {
				return err
			}
			for _, w := range set.Warnings {
				c.notef("warning: %s", w)
			}
			if c.json() {
				return c.print(struct {
					Path     string   `json:"path"`
					Resource string   `json:"resource"`
					Mode     string   `json:"mode"`
					ACL      string   `json:"acl"`
					Warnings []string `json:"warnings"`
				}{c.arg(0), set.Resource, fmt.Sprintf("%04o", set.Mode.Perm()), set.String(), append([]string{}, set.Warnings...)})
			}
			fmt.Fprintln(c.out, set)
			return nil
		},
	}
}
