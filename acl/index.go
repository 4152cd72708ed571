package acl

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"
)

// The index of a policy, built once and only read afterwards. Check follows a
// resource through a tree of segments, and at each place where a pattern ends
// looks up the subject's ids:
//
//	allow uid:7 put queue:jobs/*          root of queue
//	deny  any   any queue:jobs/**              │ "jobs"
//	                                         node 11 ── rest ─▶ cell (11 rest, any)
//	                                           │ *
//	                                         node 12 ── here ─▶ cell (12 here, uid 7)
//
// Edges and cells are two open-addressed tables, so the time depends on the
// length of the resource and on how many ids the subject has, not on how many
// rules there are. A cell holds, for each action, the first rule that allows and
// the first that denies, since no other can decide.
type index struct {
	seed  maphash.Seed
	nodes []node
	edges []edge // a power of two; node 0 is no child, so to == 0 means empty
	cells []cell // a power of two; key 0 means empty
	marks []mark

	// lengths are the lengths of prefixes that nodes have children for, in
	// ascending order; the first list is empty.
	lengths [][]int

	numEdges, numCells, numMarks int

	gids [16]uint64 // bit gid%1024 for each gid that a rule names: most need no look-up
}

// node is a place in a resource, after some of its segments.
type node struct {
	star     int32   // the child for "*", or 0
	prefixes int32   // the lengths of the children "x*", in lengths
	literals bool    // has children for literal segments
	here     idKinds // what cells there are for patterns that end here,
	rest     idKinds // and for those that end in ** from here
}

// idKinds is a set of what a cell can be about.
type idKinds uint8

// What a cell is about: everybody, one uid, one gid, or "some group", which
// gathers the denials of all groups for subjects whose groups are unknown.
const (
	idAny idKinds = 1 << iota
	idUID
	idGID
	idSomeGroup
)

type edge struct {
	hash    uint64
	segment string // without its star
	from    uint32 // node*2, +1 if the segment is a prefix
	to      int32
}

// cell answers for one place in the tree and one id.
type cell struct {
	key         uint64    // see cellKey
	deny, allow actionSet // what its rules do
	// first is the rule, if all actions are one rule's (the common case, which
	// saves a visit to marks), else ^first begins a list of marks.
	first int32
}

// mark is the first rule of its effect for its actions in a cell.
type mark struct {
	actions actionSet
	effect  Effect
	rule    int32
	next    int32 // in marks, -1 ends
}

// The root of relative names of each kind, and the one of absolute names.
func relativeRoot(k kind) int32 { return 1 + int32(k)*2 }
func absoluteRoot(k kind) int32 { return 2 + int32(k)*2 }

// place is a node, and whether "rest" is meant.
func placeOf(n int32, rest bool) uint64 {
	if rest {
		return uint64(n)<<1 | 1
	}
	return uint64(n) << 1
}

// cellKey packs a place (30 bits, never 0), what the id is (2) and the id (32).
func cellKey(place uint64, what idKinds, id uint32) uint64 {
	return place<<34 | uint64(bits.TrailingZeros8(uint8(what)))<<32 | uint64(id)
}

const golden = 0x9e3779b97f4a7c15 // 2^64 / golden ratio: spreads consecutive numbers

func edgeHash(seed maphash.Seed, from uint32, segment string) uint64 {
	h := (maphash.String(seed, segment) ^ uint64(from)) * golden
	return h ^ h>>32
}

func cellHash(key uint64) uint64 {
	h := key * golden
	return h ^ h>>32
}

// compile builds the index from the rules, which spell out to maxSpelled
// combinations at most.
func (p *Policy) compile() {
	x := &p.index
	x.seed = maphash.MakeSeed()
	x.nodes = make([]node, 1+2*numKinds)
	x.edges = make([]edge, 8)
	x.cells = make([]cell, 8)
	x.lengths = make([][]int, 1)
	for i := range p.rules {
		r := &p.rules[i]
		for j := range r.resources {
			at, rest := x.plant(&r.resources[j].item)
			for _, w := range r.who {
				x.enter(at, rest, w.item, r)
			}
		}
	}
	x.gather()
}

// gather copies the segments of the edges to one place, where they take less
// of the cache than spread over the text of the policy.
func (x *index) gather() {
	var b strings.Builder
	for i := range x.edges {
		b.WriteString(x.edges[i].segment)
	}
	all := b.String()
	for i := range x.edges {
		n := len(x.edges[i].segment)
		x.edges[i].segment, all = all[:n], all[n:]
	}
}

// plant makes the path of a pattern and returns its last node.
func (x *index) plant(p *pattern) (at int32, rest bool) {
	at = relativeRoot(p.kind)
	if p.absolute {
		at = absoluteRoot(p.kind)
	}
	for _, s := range p.segments {
		at = x.child(at, s)
	}
	return at, p.rest
}

// child returns the child of a node for a segment of a pattern, making it if
// need be.
func (x *index) child(n int32, segment string) int32 {
	from := uint32(n) * 2
	if segment == "*" {
		if x.nodes[n].star == 0 {
			x.nodes = append(x.nodes, node{})
			x.nodes[n].star = int32(len(x.nodes) - 1)
		}
		return x.nodes[n].star
	}
	if last := len(segment) - 1; segment[last] == '*' {
		segment = segment[:last]
		from++
	}
	if to := x.edge(from, segment); to != 0 {
		return to
	}
	if from&1 == 0 {
		x.nodes[n].literals = true
	} else {
		x.addLength(n, len(segment))
	}
	x.nodes = append(x.nodes, node{})
	to := int32(len(x.nodes) - 1)
	x.addEdge(edge{edgeHash(x.seed, from, segment), segment, from, to})
	return to
}

// addLength notes that a node has a child for a prefix of the length.
func (x *index) addLength(n int32, length int) {
	list := &x.nodes[n].prefixes
	if *list == 0 {
		x.lengths = append(x.lengths, nil)
		*list = int32(len(x.lengths) - 1)
	}
	known := &x.lengths[*list]
	if at, found := slices.BinarySearch(*known, length); !found {
		*known = slices.Insert(*known, at, length)
	}
}

// namesGroup reports whether some rule may name the group.
func (x *index) namesGroup(gid uint32) bool { return x.gids[gid/64%16]>>(gid%64)&1 != 0 }

// edge finds a child, or 0.
func (x *index) edge(from uint32, segment string) int32 {
	h := edgeHash(x.seed, from, segment)
	mask := uint64(len(x.edges) - 1)
	for i := h & mask; ; i = (i + 1) & mask { // ends: the table is never full
		e := &x.edges[i]
		if e.to == 0 || e.hash == h && e.from == from && e.segment == segment {
			return e.to
		}
	}
}

func (x *index) addEdge(e edge) {
	if x.numEdges++; x.numEdges*2 > len(x.edges) {
		old := x.edges
		x.edges = make([]edge, 2*len(old))
		for _, o := range old {
			if o.to != 0 {
				x.putEdge(o)
			}
		}
	}
	x.putEdge(e)
}

func (x *index) putEdge(e edge) {
	mask := uint64(len(x.edges) - 1)
	i := e.hash & mask
	for x.edges[i].to != 0 {
		i = (i + 1) & mask
	}
	x.edges[i] = e
}

// enter adds a rule to the cells of a place.
func (x *index) enter(at int32, rest bool, w who, r *rule) {
	place, kinds := placeOf(at, rest), &x.nodes[at].here
	if rest {
		kinds = &x.nodes[at].rest
	}
	switch w.kind {
	case whoAny:
		*kinds |= idAny
		x.mark(cellKey(place, idAny, 0), r)
	case whoUID:
		*kinds |= idUID
		x.mark(cellKey(place, idUID, w.id), r)
	case whoGID:
		*kinds |= idGID
		x.gids[w.id/64%16] |= 1 << (w.id % 64)
		x.mark(cellKey(place, idGID, w.id), r)
		if r.Effect == Deny {
			*kinds |= idSomeGroup
			x.mark(cellKey(place, idSomeGroup, 0), r)
		}
	}
}

// mark adds a rule to a cell, unless earlier rules of its effect already
// decide all of its actions there.
func (x *index) mark(key uint64, r *rule) {
	c := x.cell(key)
	covered := &c.deny
	if r.Effect == Allow {
		covered = &c.allow
	}
	news := r.actions &^ *covered
	if news == 0 {
		return
	}
	x.numMarks++
	if c.deny|c.allow == 0 {
		c.first = int32(r.number)
	} else {
		if c.first >= 0 { // the second rule: the first becomes a mark too
			m := mark{c.allow, Allow, c.first, -1}
			if c.deny != 0 {
				m.actions, m.effect = c.deny, Deny
			}
			x.marks = append(x.marks, m)
			c.first = ^int32(len(x.marks) - 1)
		}
		x.marks = append(x.marks, mark{news, r.Effect, int32(r.number), ^c.first})
		c.first = ^int32(len(x.marks) - 1)
	}
	*covered |= news
}

// cell finds or makes a cell, to be filled.
func (x *index) cell(key uint64) *cell {
	if c := x.find(key); c.key != 0 {
		return c
	}
	if x.numCells++; x.numCells*2 > len(x.cells) {
		old := x.cells
		x.cells = make([]cell, 2*len(old))
		for _, o := range old {
			if o.key != 0 {
				*x.find(o.key) = o
			}
		}
	}
	c := x.find(key)
	*c = cell{key: key}
	return c
}

// find returns the cell with the key, or the empty one where it would be.
func (x *index) find(key uint64) *cell {
	mask := uint64(len(x.cells) - 1)
	for i := cellHash(key) & mask; ; i = (i + 1) & mask { // ends: the table is never full
		if c := &x.cells[i]; c.key == key || c.key == 0 {
			return c
		}
	}
}
