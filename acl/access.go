package acl

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// A FileAccess is what the permissions of a file can say of a policy: the mode,
// and POSIX ACL entries for single users and groups (acl(5)).
type FileAccess struct {
	Resource string `json:"resource"`
	// Mode is what stat shows. If there are entries, its group bits are the
	// mask, the most that any entry gives; or execute, if none gives anything.
	Mode fs.FileMode `json:"mode"`
	// Group is what the file's own group may do, 0 to 7 as in a mode. It is
	// the mode's group bits unless there are entries.
	Group   uint8         `json:"group"`
	Entries []AccessEntry `json:"entries,omitempty"`
	// Warnings tell where the file's permissions are wider or narrower than
	// the policy, because the system can't say it. None: they are the same.
	Warnings []string `json:"warnings,omitempty"`
}

// An AccessEntry gives one user or group its own permissions.
type AccessEntry struct {
	Kind string `json:"kind"` // "user" or "group"
	ID   uint32 `json:"id"`
	Perm uint8  `json:"perm"` // 4 read, 2 write
}

// String returns the entries as getfacl writes them:
// "user::rw-,user:7:-w-,group::---,mask::-w-,other::---".
func (a FileAccess) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "user::%s", permString(uint8(a.Mode>>6)))
	group := fmt.Sprintf(",group::%s", permString(a.Group))
	for _, e := range a.Entries {
		if e.Kind == "group" {
			b.WriteString(group)
			group = ""
		}
		fmt.Fprintf(&b, ",%s:%d:%s", e.Kind, e.ID, permString(e.Perm))
	}
	b.WriteString(group)
	if len(a.Entries) > 0 {
		fmt.Fprintf(&b, ",mask::%s", permString(uint8(a.Mode>>3)))
	}
	fmt.Fprintf(&b, ",other::%s", permString(uint8(a.Mode)))
	return b.String()
}

func permString(p uint8) string {
	s := []byte("---")
	for i, c := range []byte("rwx") {
		if p&(4>>i) != 0 {
			s[i] = c
		}
	}
	return string(s)
}

func modeOf(user, group, other uint8) fs.FileMode {
	return fs.FileMode(user&7)<<6 | fs.FileMode(group&7)<<3 | fs.FileMode(other&7)
}

const (
	permRead  = 4
	permWrite = 2

	// permExecute is what nobody gets and asks for. As a mask it gives nothing,
	// and yet has the entries looked at: where a mode's group bits are empty,
	// the kernel takes it that no entry gives anything, and lets those whom an
	// entry shuts out have what others have (Linux fs/namei.c,
	// acl_permission_check).
	permExecute = 1
)

// filePerms are the permissions that the kernel asks for when a process does
// an action to a file of a kind: unix(7), "connecting requires write permission";
// fifo(7); a queue's readers and writers both change its memory.
var filePerms = map[kind]map[actionSet]uint8{
	kindSocket: {actionOf("connect"): permWrite},
	kindPipe: {
		actionOf("read"): permRead, actionOf("receive"): permRead,
		actionOf("write"): permWrite, actionOf("send"): permWrite,
	},
	kindShm: {
		actionOf("open"): permRead, actionOf("read"): permRead,
		actionOf("write"): permRead | permWrite,
	},
	kindQueue: {
		actionOf("read"): permRead,
		actionOf("open"): permRead | permWrite, actionOf("write"): permRead | permWrite,
		actionOf("put"): permRead | permWrite, actionOf("get"): permRead | permWrite,
	},
}

// synonyms are the actions that processes want of a file of each kind, by the
// name that warnings use, with the other names of the same thing.
var synonyms = map[kind]map[actionSet]actionSet{
	kindPipe: {
		actionOf("read"):  actionOf("read") | actionOf("receive"),
		actionOf("write"): actionOf("write") | actionOf("send"),
	},
	kindShm:   {actionOf("read"): actionOf("read"), actionOf("write"): actionOf("write")},
	kindQueue: {actionOf("put"): actionOf("put") | actionOf("write"), actionOf("get"): actionOf("get") | actionOf("read")},
}

// directoryActions are decided by the permissions of the directory.
var directoryActions = actionOf("create") | actionOf("remove")

// grant is what the rules say about one user, one group or anybody.
type grant struct{ allow, deny actionSet }

// FileAccess derives the permissions of the file behind a resource, such as
// "socket:/run/app.sock", from the rules that cover it, for a file that
// belongs to owner and group.
//
// The owner keeps reading and writing, whatever the rules say: it is the
// process that serves the file. The superuser can't be kept out. Users whom no
// rule names are "other"; the others get entries of their own.
func (p *Policy) FileAccess(resource string, owner, group uint32) (FileAccess, error) {
	k, path, ok := cutKind(resource)
	if !ok {
		return FileAccess{}, fmt.Errorf("acl: access %q: %s", resource, problemOf(Subject{}, "connect", resource))
	}
	if err := checkPath(path); err != nil {
		return FileAccess{}, fmt.Errorf("acl: access %q: %w", resource, err)
	}
	perms := filePerms[k]
	if perms == nil {
		return FileAccess{}, fmt.Errorf("acl: access %q: there is no file behind %s", resource, kindNames[k])
	}
	d := deriver{kind: k, perms: perms, owner: owner, group: group}
	d.collect(p, k, path)
	return d.derive(resource), nil
}

// deriver turns grants into entries.
type deriver struct {
	kind         kind
	perms        map[actionSet]uint8
	owner, group uint32

	any    grant
	users  map[uint32]*grant
	groups map[uint32]*grant
	out    FileAccess
}

// collect gathers what the rules that cover the resource say.
func (d *deriver) collect(p *Policy, k kind, path string) {
	d.users, d.groups = map[uint32]*grant{}, map[uint32]*grant{}
	if p == nil {
		return // and nobody may do anything
	}
	for i := range p.rules {
		r := &p.rules[i]
		covers := slices.ContainsFunc(r.resources, func(m member[pattern]) bool {
			return m.item.kind == k && m.item.match(path)
		})
		if !covers {
			continue
		}
		for _, m := range r.who {
			g := &d.any
			switch m.item.kind {
			case whoUID:
				g = entry(d.users, m.item.id)
			case whoGID:
				g = entry(d.groups, m.item.id)
			}
			if r.Effect == Allow {
				g.allow |= r.actions
			} else {
				g.deny |= r.actions
			}
		}
	}
}

func entry(of map[uint32]*grant, id uint32) *grant {
	if of[id] == nil {
		of[id] = &grant{}
	}
	return of[id]
}

// actions returns what the rules about anybody and g together allow.
func (d *deriver) actions(g *grant) actionSet {
	return (d.any.allow | g.allow) &^ (d.any.deny | g.deny)
}

// perm returns the permissions that a set of actions needs.
func (d *deriver) perm(actions actionSet) (perm uint8) {
	for a, p := range d.perms {
		if actions&a != 0 {
			perm |= p
		}
	}
	return perm
}

func (d *deriver) warn(format string, args ...any) {
	d.out.Warnings = append(d.out.Warnings, fmt.Sprintf(format, args...))
}

func (d *deriver) derive(resource string) FileAccess {
	d.out.Resource = resource
	anybody := d.actions(&grant{})
	other := d.perm(anybody)
	d.limits("anybody", anybody)
	d.privileged()

	d.out.Group = other
	mask := uint8(0)
	for _, id := range slices.Sorted(maps.Keys(d.users)) {
		if id == d.owner || id == 0 {
			continue
		}
		allowed := d.actions(d.users[id])
		perm := d.perm(allowed)
		d.limits(fmt.Sprintf("uid %d", id), allowed)
		d.narrower(id, perm)
		mask |= perm
		d.out.Entries = append(d.out.Entries, AccessEntry{"user", id, perm})
	}
	for _, id := range slices.Sorted(maps.Keys(d.groups)) {
		allowed := d.actions(d.groups[id])
		perm := d.perm(allowed)
		d.limits(fmt.Sprintf("gid %d", id), allowed)
		mask |= perm
		if id == d.group {
			d.out.Group = perm
			continue
		}
		d.out.Entries = append(d.out.Entries, AccessEntry{"group", id, perm})
	}
	d.wider()
	d.dropIdle(other)
	if len(d.out.Entries) > 0 {
		mask |= d.out.Group
		if mask == 0 {
			mask = permExecute // an empty one would have the kernel skip the entries
		}
	} else {
		mask = d.out.Group
	}
	d.out.Mode = modeOf(permRead|permWrite, mask, other)
	return d.out
}

// dropIdle drops the entries of users and groups that may do what everybody
// may, if nobody may do anything else.
func (d *deriver) dropIdle(other uint8) {
	if d.out.Group == other && !slices.ContainsFunc(d.out.Entries, func(e AccessEntry) bool { return e.Perm != other }) {
		d.out.Entries = nil
	}
}

// privileged warns about rules that deny the owner or the superuser.
func (d *deriver) privileged() {
	for _, id := range slices.Compact([]uint32{0, d.owner}) {
		g := d.users[id]
		if g == nil {
			g = &grant{}
		}
		if denied := g.deny | d.any.deny; d.perm(denied) != 0 && (id == 0 || g.deny != 0) {
			why := "it owns the file"
			if id == 0 {
				why = "the superuser passes every check of permissions"
			}
			d.warn("uid %d is denied %s, but %s", id, d.list(denied), why)
		}
	}
}

// limits warns where allowed actions bring permissions that serve others too,
// and where no permission of the file decides.
func (d *deriver) limits(who string, allowed actionSet) {
	if allowed&directoryActions != 0 {
		d.warn("%s may %s it, which the permissions of its directory decide", who, someOf((allowed & directoryActions).names()))
	}
	perm := d.perm(allowed)
	var also actionSet
	for a, names := range synonyms[d.kind] {
		if allowed&names == 0 && d.perms[a]&^perm == 0 {
			also |= a
		}
	}
	if also != 0 {
		d.warn("%s may %s, whose permissions also serve to %s", who, d.list(allowed), someOf(also.names()))
	}
}

// list names the actions that the file's permissions decide.
func (d *deriver) list(actions actionSet) string {
	var set actionSet
	for a := range d.perms {
		set |= a & actions
	}
	return strings.Join(set.names(), ", ")
}

// narrower warns that the entry of a user hides what its groups are allowed.
func (d *deriver) narrower(uid uint32, perm uint8) {
	for _, gid := range slices.Sorted(maps.Keys(d.groups)) {
		if more := d.perm(d.groups[gid].allow&^(d.any.deny|d.users[uid].deny|d.groups[gid].deny)) &^ perm; more != 0 {
			d.warn("uid %d gets %s by its own entry, even if it is in group %d, which is allowed %s",
				uid, permString(perm), gid, permString(perm|more))
		}
	}
}

// wider warns where a group is denied what its members may get elsewhere.
func (d *deriver) wider() {
	for _, gid := range slices.Sorted(maps.Keys(d.groups)) {
		denied := d.perm(d.groups[gid].deny)
		if denied == 0 {
			continue
		}
		var through []string
		for _, e := range d.out.Entries {
			if e.Perm&denied != 0 && !(e.Kind == "group" && e.ID == gid) {
				through = append(through, fmt.Sprintf("%s %d", e.Kind, e.ID))
			}
		}
		if d.out.Group&denied != 0 && d.group != gid {
			through = append(through, "the file's group")
		}
		if len(through) > 0 {
			d.warn("group %d is denied %s, but a member gets %s as %s", gid, d.list(d.groups[gid].deny), permString(denied), someOf(through))
		}
	}
}

// withoutEntries returns the permissions for a system, or a file system, that
// has a mode and no more: nobody gets what the policy denies.
func (a FileAccess) withoutEntries(why string) FileAccess {
	if len(a.Entries) == 0 {
		return a
	}
	other, group := uint8(a.Mode)&7, a.Group
	for _, e := range a.Entries {
		other &= e.Perm
		group &= e.Perm
	}
	lost := slices.Clone(a.Entries)
	slices.SortStableFunc(lost, func(x, y AccessEntry) int { return cmp.Compare(y.Perm, x.Perm) })
	a.Warnings = slices.Clone(a.Warnings)
	if perm := uint8(a.Mode) & 7 &^ other; perm != 0 {
		a.Warnings = append(a.Warnings, fmt.Sprintf("%s: anybody else loses %s, or those with less would get it", why, permString(perm)))
	}
	if perm := a.Group &^ group; perm != 0 {
		a.Warnings = append(a.Warnings, fmt.Sprintf("%s: the file's group loses %s, or those with less would get it", why, permString(perm)))
	}
	for _, e := range lost {
		if e.Perm&^other != 0 {
			a.Warnings = append(a.Warnings, fmt.Sprintf("%s: %s %d gets no entry, and loses %s", why, e.Kind, e.ID, permString(e.Perm&^other)))
		}
	}
	a.Entries, a.Group = nil, group
	a.Mode = modeOf(uint8(a.Mode>>6), group, other)
	return a
}
