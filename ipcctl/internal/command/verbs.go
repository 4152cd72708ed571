package command

// verbs lists everything that the command can do, in the order of --help.
func verbs() []*node {
	return []*node{
		tourVerb(),
		lsVerb(),
		shmGroup(),
		queueGroup(),
		socketGroup(),
		pipeGroup(),
		aclGroup(),
		gcVerb(),
		doctorVerb(),
		completionVerb(),
		manVerb(),
		versionVerb(),
		completeWordsVerb(),
		tourPeerVerb(),
	}
}
