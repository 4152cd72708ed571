package socket

import (
	"errors"
	"fmt"
	"os"

	"github.com/ipcctl/ipc/acl"
)

// A Policy decides whether a process may do something: an *acl.Policy, the *acl.Watcher
// of a file that may change, or what asks one of them and keeps a record of it. It is asked
// by several goroutines at once. An *acl.Policy that is nil denies everything.
type Policy interface {
	Check(s acl.Subject, action, resource string) acl.Decision
}

// A rule decides about the process at the other end of a new connection.
type rule struct {
	policy   Policy
	allow    func(acl.Subject) error
	action   string
	resource string
	sameUser bool // nothing else decides, and no file's mode does
}

func newRule(addr, action string, p Policy, allow func(acl.Subject) error) rule {
	return rule{
		policy: p, allow: allow, action: action, resource: resourceOf(addr),
		sameUser: isAbstract(addr) && p == nil && allow == nil,
	}
}

// overflowID is what Linux shows for a user that has no id in our user
// namespace, user_namespaces(7), and often also the user "nobody".
const overflowID = 65534

// isOwnUser reports whether uid is our own user, and can be nobody else.
func isOwnUser(uid uint32) bool {
	return uid == uint32(os.Geteuid()) && (uid != overflowID || everyUserHasAnID())
}

// check returns nil or an error that wraps os.ErrPermission.
func (r *rule) check(s acl.Subject) error {
	if r.policy != nil && !r.policy.Check(s, r.action, r.resource).Allowed {
		return fmt.Errorf("policy denies %q on %s to %v: %w", r.action, r.resource, s, os.ErrPermission)
	}
	if r.sameUser && !(s.Knows(acl.FieldID) && (s.UID == 0 || isOwnUser(s.UID))) {
		return fmt.Errorf("without a policy, an abstract name is for its user alone, not for %v: %w", s, os.ErrPermission)
	}
	if r.allow == nil {
		return nil
	}
	err := r.allow(s)
	if err != nil && !errors.Is(err, os.ErrPermission) {
		err = fmt.Errorf("%w: %w", os.ErrPermission, err)
	}
	return err
}
