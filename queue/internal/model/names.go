package model

import "fmt"

func (p pc) String() string { return pcNames[p] }

var pcNames = [...]string{
	pcNone:             "none",
	pcPutClosed:        "putClosed",
	pcRoom:             "room",
	pcFill:             "fill",
	pcClaimRead:        "claimRead",
	pcClaim:            "claim",
	pcMeta:             "meta",
	pcPubRead:          "pubRead",
	pcPubHurry:         "pubHurry",
	pcPubCAS:           "pubCAS",
	pcPubAcquired:      "pubAcquired",
	pcPubHint:          "pubHint",
	pcRest:             "rest",
	pcHigh:             "high",
	pcRecord:           "record",
	pcFree:             "free",
	pcPeek:             "peek",
	pcPeekHurry:        "peekHurry",
	pcGetClosed:        "getClosed",
	pcSealRead:         "sealRead",
	pcSealCAS:          "sealCAS",
	pcDrained:          "drained",
	pcDrainedAgain:     "drainedAgain",
	pcTakeIdle:         "takeIdle",
	pcCursor:           "cursor",
	pcTakeCAS:          "takeCAS",
	pcTakeAcquired:     "takeAcquired",
	pcTakeHint:         "takeHint",
	pcLeaseLost:        "leaseLost",
	pcCopy:             "copy",
	pcGetIdle:          "getIdle",
	pcUnpackMeta:       "unpackMeta",
	pcHand:             "hand",
	pcUnpackCopy:       "unpackCopy",
	pcAdvance:          "advance",
	pcHandClear:        "handClear",
	pcHandVoid:         "handVoid",
	pcChanged:          "changed",
	pcAckCursor:        "ackCursor",
	pcAckIdle:          "ackIdle",
	pcGiveIdle:         "giveIdle",
	pcClose:            "close",
	pcLock:             "lock",
	pcSettle:           "settle",
	pcHappenedSlot:     "happenedSlot",
	pcHappenedAcquired: "happenedAcquired",
	pcNamesRecord:      "namesRecord",
	pcNamesHigh:        "namesHigh",
	pcNamesAgain:       "namesAgain",
	pcHappenedAgain:    "happenedAgain",
	pcSettleAcquired:   "settleAcquired",
	pcNewTail:          "newTail",
	pcNewHead:          "newHead",
	pcLost:             "lost",
	pcLostMany:         "lostMany",
	pcHandZero:         "handZero",
	pcFreeAll:          "freeAll",
	pcReapIdle:         "reapIdle",
	pcHolder:           "holder",
	pcUnlock:           "unlock",
	pcEnd:              "end",
	pcPutDone:          "putDone",
	pcGiveDone:         "giveDone",
	pcNackDone:         "nackDone",
	pcReapGiven:        "reapGiven",
}

var opcodeNames = [...]string{
	Put: "Put", PutMany: "PutMany", PutLarge: "PutLarge", Get: "Get", GetMany: "GetMany", Lease: "Lease",
	Ack: "Ack", Nack: "Nack", Close: "Close", Reap: "Reap", Join: "Join",
}

func (d do) String() string {
	if n := count(d.msgs); n > 0 {
		return opcodeNames[d.op] + fmt.Sprint(d.msgs[:n])
	}
	return opcodeNames[d.op]
}
