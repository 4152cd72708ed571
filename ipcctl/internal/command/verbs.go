package command

// verbs lists everything that the command can do, in the order of --help.
func verbs() []*node {
	return []*node{
		versionVerb(),
	}
}
