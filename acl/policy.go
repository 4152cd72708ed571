package acl

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// A Policy is a compiled set of rules. It never changes, and is safe for
// concurrent use. A nil *Policy denies everything.
//
//	text ──lines──▶ rules, sets, cases ──names to ids──▶ index ──▶ Check
//	JSON ──tokens─┘        │                              (index.go)
//	                       ├──▶ String, MarshalJSON, Hash
//	                       └──▶ Explain, Lint, Test, Apply
type Policy struct {
	name  string
	rules []rule
	sets  []*set
	cases []testCase
	files []string // Load: every file that was read, the policy's own first
	hash  string
	index index
}

// A Rule is one allow or deny line of a policy. It is read-only.
type Rule struct {
	Effect Effect `json:"effect"`
	Text   string `json:"text"` // in the canonical spelling
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// Place returns "file:line:column".
func (r *Rule) Place() string {
	return r.File + ":" + strconv.Itoa(r.Line) + ":" + strconv.Itoa(r.Column)
}

// rule is a Rule with its names resolved and its sets spelled out.
type rule struct {
	Rule
	number    int // from 0, in the order of reading
	who       []member[who]
	actions   actionSet
	resources []member[pattern]
}

// member is what a list of a rule names, in place or by way of a set.
type member[T any] struct {
	item T
	set  *set // nil if named in place
}

// set is a named list, of subjects or of resources.
type set struct {
	name      string // "@ops"
	rule      Rule   // its place and its text
	who       []who
	resources []pattern
	used      bool
}

// Rules returns the rules in the order of reading.
func (p *Policy) Rules() []*Rule {
	if p == nil {
		return nil
	}
	list := make([]*Rule, len(p.rules))
	for i := range p.rules {
		list[i] = &p.rules[i].Rule
	}
	return list
}

// Name returns the name that was given to Parse or Load.
func (p *Policy) Name() string {
	if p == nil {
		return ""
	}
	return p.name
}

// Files returns the files that the policy was read from: for Load the policy's
// own first, then the included ones.
func (p *Policy) Files() []string {
	if p == nil {
		return nil
	}
	return append([]string(nil), p.files...)
}

// Hash returns the SHA-256 of the policy's sets and rules in their canonical
// spelling, in hexadecimal. Comments, blanks, the division into files, the form
// (text or JSON) and the test cases make no difference to it; names count as
// written, so that it is the same on every host.
func (p *Policy) Hash() string {
	if p == nil {
		return ""
	}
	return p.hash
}

func hashOf(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}
