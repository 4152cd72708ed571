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
		topVerb(),
		statVerb(),
		benchVerb(),
		latencyVerb(),
		gcVerb(),
		doctorVerb(),
		metricsVerb(),
		completionVerb(),
		manVerb(),
		versionVerb(),
		completeWordsVerb(),
		tourPeerVerb(),
		benchPeerVerb(),
	}
}
