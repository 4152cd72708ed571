package acl

// Reason is why a decision came out as it did.
type Reason uint8

// The reasons. All but ReasonRule deny.
const (
	ReasonNoRule      Reason = iota // no rule allows it
	ReasonRule                      // Decision.Rule says so
	ReasonBadSubject                // the ids of the subject are unknown
	ReasonBadAction                 // no such action in the language
	ReasonBadResource               // no such kind, or a name such as a/../b
)

// String returns the reason in words.
func (r Reason) String() string {
	switch r {
	case ReasonNoRule:
		return "no rule allows it"
	case ReasonRule:
		return "a rule decides"
	case ReasonBadSubject:
		return "the user is unknown"
	case ReasonBadAction:
		return "unknown action"
	case ReasonBadResource:
		return "malformed resource"
	}
	return "unknown reason"
}

// MarshalText makes a Reason its words in JSON.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// A Decision is the answer to whether a subject may do something. The zero
// value denies.
type Decision struct {
	Allowed bool   `json:"allowed"`
	Reason  Reason `json:"reason"`
	// Rule is the first rule that decides, in the order of reading; nil
	// unless Reason is ReasonRule. It belongs to the policy.
	Rule *Rule `json:"rule,omitempty"`
}

// Effect returns Allow or Deny.
func (d Decision) Effect() Effect {
	if d.Allowed {
		return Allow
	}
	return Deny
}

// String tells the decision and its reason on one line:
// "allowed by app.acl:3:1: allow any connect socket:/run/app.sock".
func (d Decision) String() string {
	verdict := "denied"
	if d.Allowed {
		verdict = "allowed"
	}
	if d.Rule == nil {
		return verdict + ": " + d.Reason.String()
	}
	return verdict + " by " + d.Rule.Place() + ": " + d.Rule.Text
}
