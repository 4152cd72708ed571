package command

func aclCheckVerb() *node {
	return &node{
		name:  "check",
		usage: "ask a policy whether somebody may do something",
		about: "The exit status is the answer: 0 allowed, 4 denied.",
		flags: questionFlags(),
		examples: []example{
			{"ipcctl acl check --policy app.acl --uid 7 --action get --resource queue:jobs", "prints the rule that decides"},
		},
		run: func(c *call) error {
			q, err := c.question()
			if err != nil {
				return err
			}
			return c.answer(q.policy.Check(q.who, q.action, q.resource))
		},
	}
}
