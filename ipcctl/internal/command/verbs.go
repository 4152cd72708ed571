package command

// verbs lists everything that the command can do, in the order of --help.
func verbs() []*node {
	return []*node{
		lsVerb(),
		shmGroup(),
		doctorVerb(),
		completionVerb(),
		completeWordsVerb(),
		manVerb(),
		versionVerb(),
	}
}
