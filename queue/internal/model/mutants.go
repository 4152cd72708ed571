package model

// mutant is a fault seeded into the protocol. A checker that does not find it
// proves nothing about the protocol without it.
type mutant uint8

const (
	mutNone mutant = iota
	mutLimitTake
	mutLimitPut
	mutNoSecondLook
	mutAcquiredLate
	mutNoNames
	mutNamesWrongClass
	mutNamesNoHigh
	mutHighNotIdle
	mutHighAfterRecord
	mutHoldIsIdle
	mutRequeueDropped
	mutLeaseIsTake
	mutSettleNoAcquired
	mutLostTwice
	mutHandZeroFirst
	mutReaperKeepsChunks
	mutFreesGivenAway
	mutAckFreesFirst
	mutAckBeforeCopy
	mutAdvanceBeforeCopy
	mutTakeSameLap
	mutTakeKeepsBlock
	mutPutKeepsBlock
	mutSealIgnored
	mutSealStopsRequeue
	mutDrainedOnce
	mutLeaseStays

	mutNamesReadOnce

	// Not faults: precautions that the protocol could do without.
	mutNamesNoClass
	mutCursorNotIdle

	mutants
	firstPrecaution = mutNamesNoClass
)

var mutantNames = [mutants]string{
	mutNone:              "the protocol",
	mutLimitTake:         "happened(TAKE) is satisfied with acquired >= t, not t+C",
	mutLimitPut:          "happened(PUT) wants acquired >= t+C, not t",
	mutNoSecondLook:      "happened does not read the acquired word again",
	mutAcquiredLate:      "a take writes the acquired word after its record changes",
	mutNoNames:           "happened does not look at the lanes' records",
	mutNamesWrongClass:   "names looks for the wrong kind of operation",
	mutNamesNoHigh:       "names ignores the high half of the position",
	mutHighNotIdle:       "the high half changes while the record names a swap",
	mutHighAfterRecord:   "the high half changes after the new record",
	mutHoldIsIdle:        "a leased message is not held while the high half changes",
	mutRequeueDropped:    "the reaper drops a requeue that did not happen",
	mutLeaseIsTake:       "the reaper takes a lease for a take",
	mutSettleNoAcquired:  "the reaper does not write the acquired word",
	mutLostTwice:         "a second reaper counts a lost message again",
	mutHandZeroFirst:     "the reaper clears messages in hand before it counts them",
	mutReaperKeepsChunks: "the reaper frees no chunks",
	mutFreesGivenAway:    "the reaper frees the chunks of the block that was given away",
	mutAckFreesFirst:     "an acknowledgement frees the chunks before the record is idle",
	mutAckBeforeCopy:     "a get goes idle before it copies",
	mutAdvanceBeforeCopy: "a get out of a packed entry advances before it copies",
	mutTakeSameLap:       "a take leaves its slot empty for the same lap",
	mutTakeKeepsBlock:    "a take leaves the message's block in the slot",
	mutPutKeepsBlock:     "a put keeps the block that it published",
	mutSealIgnored:       "producers publish into a sealed slot",
	mutSealStopsRequeue:  "a requeue does not publish into a sealed slot",
	mutDrainedOnce:       "a drained queue is not looked at again after the lanes",
	mutLeaseStays:        "a lease that lost its race leaves its record",
	mutNamesReadOnce:     "names does not read the record again",
	mutNamesNoClass:      "names ignores the kind of operation",
	mutCursorNotIdle:     "the cursor changes under a record that is not idle",
}

func (m mutant) String() string { return mutantNames[m] }
