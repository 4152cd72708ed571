package acl

import (
	"fmt"
	"strconv"
	"strings"
)

// Effect is what a rule does, and what a test case expects. The zero value
// denies.
type Effect uint8

// The two effects.
const (
	Deny Effect = iota
	Allow
)

// String returns "allow" or "deny", the word of the language.
func (e Effect) String() string {
	if e == Allow {
		return "allow"
	}
	return "deny"
}

// MarshalText makes an Effect its word in JSON.
func (e Effect) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// actionSet has bit i for actionNames[i].
type actionSet uint16

// actionNames are the actions of the language, in the order of printing.
var actionNames = [...]string{
	"connect", "call", "send", "receive", "open", "create",
	"read", "write", "put", "get", "remove", "admin",
}

const allActions actionSet = 1<<len(actionNames) - 1

// actionOf returns the set of the one action called name, or 0.
func actionOf(name string) actionSet {
	switch name { // compiled to a search by length and letters: no hashing, no table
	case "connect":
		return 1 << 0
	case "call":
		return 1 << 1
	case "send":
		return 1 << 2
	case "receive":
		return 1 << 3
	case "open":
		return 1 << 4
	case "create":
		return 1 << 5
	case "read":
		return 1 << 6
	case "write":
		return 1 << 7
	case "put":
		return 1 << 8
	case "get":
		return 1 << 9
	case "remove":
		return 1 << 10
	case "admin":
		return 1 << 11
	}
	return 0
}

// names lists the actions in s.
func (s actionSet) names() []string {
	if s == allActions {
		return []string{"any"}
	}
	var names []string
	for i, name := range actionNames {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// kind is what a resource is.
type kind uint8

const (
	kindSocket kind = iota
	kindRPC
	kindShm
	kindQueue
	kindPipe
	numKinds
)

var kindNames = [numKinds]string{"socket", "rpc", "shm", "queue", "pipe"}

// kindActions are the actions that have a meaning for each kind: POLICIES.md
// says who asks about them. A rule with another combination never applies, if
// programs keep to this: Lint says so.
var kindActions = [numKinds]actionSet{
	kindSocket: actionOf("connect") | actionOf("send") | actionOf("receive") | actionOf("open") | actionOf("create") | actionOf("remove") | actionOf("admin"),
	kindRPC:    actionOf("call") | actionOf("send") | actionOf("receive") | actionOf("admin"),
	kindShm:    actionOf("open") | actionOf("create") | actionOf("read") | actionOf("write") | actionOf("remove") | actionOf("admin"),
	kindQueue:  actionOf("open") | actionOf("create") | actionOf("put") | actionOf("get") | actionOf("read") | actionOf("write") | actionOf("remove") | actionOf("admin"),
	kindPipe:   actionOf("open") | actionOf("create") | actionOf("read") | actionOf("write") | actionOf("send") | actionOf("receive") | actionOf("remove") | actionOf("admin"),
}

// cutKind splits "queue:jobs" into its kind and "jobs".
func cutKind(resource string) (kind, string, bool) {
	for k, name := range kindNames {
		if len(resource) > len(name) && resource[len(name)] == ':' && resource[:len(name)] == name {
			return kind(k), resource[len(name)+1:], true
		}
	}
	return 0, "", false
}

// whoKind is how a rule names subjects.
type whoKind uint8

const (
	whoAny whoKind = iota + 1
	whoUID
	whoGID
)

// who is one subject or group of subjects that a rule names.
type who struct {
	kind whoKind
	id   uint32 // of the user or group
	text string // as written: "user:alice", "same-user"
}

// resolver turns the names of a policy into ids.
type resolver struct {
	user  func(name string) (uint32, error)
	group func(name string) (uint32, error)
	self  uint32 // whom "same-user" means
}

// parseWho reads one name of subjects, other than a set.
func (r *resolver) parseWho(text string) (who, error) {
	w := who{text: text}
	switch text {
	case "any":
		w.kind = whoAny
		return w, nil
	case "root":
		w.kind = whoUID
		return w, nil
	case "same-user":
		w.kind, w.id = whoUID, r.self
		return w, nil
	}
	scheme, name, found := strings.Cut(text, ":")
	var err error
	switch {
	case !found:
		return w, unknown("who", text, []string{"any", "root", "same-user", "user:NAME", "uid:N", "group:NAME", "gid:N"})
	case scheme == "user" || scheme == "group":
		if name == "" {
			return w, fmt.Errorf("%s: without a name", scheme)
		}
		w.kind = whoUID
		lookup := r.user
		if scheme == "group" {
			w.kind, lookup = whoGID, r.group
		}
		if w.id, err = lookup(name); err != nil {
			return w, fmt.Errorf("unknown %s %q: %w", scheme, name, err)
		}
	case scheme == "uid" || scheme == "gid":
		w.kind = whoUID
		if scheme == "gid" {
			w.kind = whoGID
		}
		if w.id, err = parseID(name); err != nil {
			return w, fmt.Errorf("%s: %w", scheme, err)
		}
	default:
		return w, unknown("who", scheme, []string{"user", "uid", "group", "gid"})
	}
	return w, nil
}

// parseID reads a user or group id: decimal digits, and below NoID.
func parseID(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	switch {
	case err == nil && n == NoID:
		return 0, fmt.Errorf("%s is the id that nobody has", text)
	case err != nil || text[0] == '+' || len(text) > 1 && text[0] == '0':
		return 0, fmt.Errorf("%q is no id: want 0 to %d", text, uint32(NoID-1))
	}
	return uint32(n), nil
}

// unknown is the error about a word that is none of the known ones.
func unknown(what, word string, known []string) error {
	best, distance := "", 3
	for _, k := range known {
		if d := editDistance(word, k); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return fmt.Errorf("unknown %s %q: did you mean %q?", what, word, best)
	}
	return fmt.Errorf("unknown %s %q: want one of %s", what, word, strings.Join(known, ", "))
}

// editDistance is the number of letters to insert, delete or replace (at most
// 32 are looked at).
func editDistance(a, b string) int {
	const most = 32
	a, b = a[:min(len(a), most)], b[:min(len(b), most)]
	var row [most + 1]int
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
