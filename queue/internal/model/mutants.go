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
	mutArmAfterLook
	mutSeqStays
	mutDisarmAlways
	mutRestNotWoken
	mutLostNotWoken

	// Not faults: precautions that the protocol could do without.
	mutNamesNoClass
	mutCursorNotIdle

	mutants
	firstPrecaution = mutNamesNoClass
)

// mutantInfo tells what a mutant does, and the small configuration that finds it.
var mutantInfo = [mutants]struct{ what, config string }{
	mutNone:              {what: "the protocol"},
	mutLimitTake:         {"happened(TAKE) is satisfied with acquired >= t, not t+C", "put-get"},
	mutLimitPut:          {"happened(PUT) wants acquired >= t+C, not t", "put-get"},
	mutNoSecondLook:      {"happened does not read the acquired word again", "put-get"},
	mutAcquiredLate:      {"a take writes the acquired word after its record changes", "put-get"},
	mutNoNames:           {"happened does not look at the lanes' records", "put-get"},
	mutNamesWrongClass:   {"names looks for the wrong kind of operation", "put-get"},
	mutNamesNoHigh:       {"names ignores the high half of the position", "high-race"},
	mutHighNotIdle:       {"the high half changes while the record names a swap", "high"},
	mutHighAfterRecord:   {"the high half changes after the new record", "high"},
	mutHoldIsIdle:        {"a leased message is not held while the high half changes", "high"},
	mutRequeueDropped:    {"the reaper drops a requeue that did not happen", "put-lease"},
	mutLeaseIsTake:       {"the reaper takes a lease for a take", "put-lease"},
	mutSettleNoAcquired:  {"the reaper does not write the acquired word", "put-get"},
	mutLostTwice:         {"a second reaper counts a lost message again", "put-get"},
	mutHandZeroFirst:     {"the reaper clears messages in hand before it counts them", "packed"},
	mutReaperKeepsChunks: {"the reaper frees no chunks", "large"},
	mutFreesGivenAway:    {"the reaper frees the chunks of the block that was given away", "large"},
	mutAckFreesFirst:     {"an acknowledgement frees the chunks before the record is idle", "large-lease"},
	mutAckBeforeCopy:     {"a get goes idle before it copies", "put-get"},
	mutAdvanceBeforeCopy: {"a get out of a packed entry advances before it copies", "packed-reuse"},
	mutTakeSameLap:       {"a take leaves its slot empty for the same lap", "put-get"},
	mutTakeKeepsBlock:    {"a take leaves the message's block in the slot", "put-get"},
	mutPutKeepsBlock:     {"a put keeps the block that it published", "put-get"},
	mutSealIgnored:       {"producers publish into a sealed slot", "close-put"},
	mutSealStopsRequeue:  {"a requeue does not publish into a sealed slot", "close-lease"},
	mutDrainedOnce:       {"a drained queue is not looked at again after the lanes", "close-lease"},
	mutLeaseStays:        {"a lease that lost its race leaves its record", "close-lease"},
	mutNamesReadOnce:     {"names does not read the record again", "high-race"},
	mutArmAfterLook:      {"a sleeper arms and does not look again", "sleep-empty"},
	mutSeqStays:          {"whoever wakes does not advance seq", "sleep-empty"},
	mutDisarmAlways:      {"whoever wakes nobody disarms whatever it finds", "sleep-empty"},
	mutLostNotWoken:      {"a lease that lost its race wakes nobody when its record is gone", "sleep-close"},
	mutRestNotWoken:      {"a get that leaves packed messages wakes nobody for them", "sleep-packed"},
	mutNamesNoClass:      {what: "names ignores the kind of operation"},
	mutCursorNotIdle:     {what: "the cursor changes under a record that is not idle"},
}

func (m mutant) String() string { return mutantInfo[m].what }
