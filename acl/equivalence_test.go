package acl

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	policies = flag.Int("acl.policies", 2500, "random policies to compare with the brute-force evaluator")
	seed     = flag.Uint64("acl.seed", 1, "of the random policies")
)

// brute is a policy as the generator made it. It shares nothing with the code
// under test but the spelling: patterns become regular expressions, and every
// rule is looked at for every request.
type brute struct {
	rules []bruteRule
	text  []string // line by line
}

type bruteRule struct {
	allow     bool
	who       []string
	actions   []string
	patterns  []string
	resources []*regexp.Regexp
	line      int
}

var patternOf = map[string]*regexp.Regexp{}

// toRegexp translates a pattern, by textual replacement.
func toRegexp(pattern string) *regexp.Regexp {
	if re := patternOf[pattern]; re != nil {
		return re
	}
	body, deep := strings.CutSuffix(pattern, "**")
	s := regexp.QuoteMeta(body)
	s = strings.ReplaceAll(s, `/\*`, `/[^/]+`)
	s = strings.ReplaceAll(s, `:\*`, `:[^/]+`)
	s = strings.ReplaceAll(s, `\*`, `[^/]*`)
	if deep {
		s += `.+`
	}
	re := regexp.MustCompile(`^` + s + `$`)
	patternOf[pattern] = re
	return re
}

// decide returns whether it is allowed, and the line of the deciding rule.
func (b *brute) decide(s Subject, action, resource string) (bool, int) {
	allowed, denied := 0, 0
	for _, r := range b.rules {
		if !r.applies(s, action, resource) {
			continue
		}
		if r.allow && allowed == 0 {
			allowed = r.line
		}
		if !r.allow && denied == 0 {
			denied = r.line
		}
	}
	switch {
	case denied != 0:
		return false, denied
	case allowed != 0:
		return true, allowed
	}
	return false, 0
}

func (r *bruteRule) applies(s Subject, action, resource string) bool {
	who := slices.ContainsFunc(r.who, func(w string) bool {
		var id uint32
		switch {
		case w == "any":
			return true
		case w == "root":
			return s.UID == 0
		case w == "same-user":
			return s.UID == testSelf
		case strings.HasPrefix(w, "uid:"):
			fmt.Sscanf(w, "uid:%d", &id)
			return s.UID == id
		}
		fmt.Sscanf(w, "gid:%d", &id)
		return s.GID == id || slices.Contains(s.Groups, id) || !r.allow && s.Missing&FieldGroups != 0
	})
	matches := slices.ContainsFunc(r.resources, func(re *regexp.Regexp) bool { return re.MatchString(resource) })
	return who && matches && (slices.Contains(r.actions, action) || slices.Contains(r.actions, "any"))
}

// testSelf is whom "same-user" means in tests.
const testSelf = 4

// testUsers and testGroups are the names that tests know.
var (
	testUsers  = map[string]uint32{"alice": 1000, "bob": 1001, "carol": 1002, "web": 33, "postgres": 70, "backup": 34, "prometheus": 71, "ci": 1100}
	testGroups = map[string]uint32{"staff": 50, "wheel": 10, "docker": 999, "adm": 4, "operators": 600, "interns": 601, "research": 602}
)

// testBuilder knows the users of tests alone, and reads no files.
func testBuilder() *builder {
	b := newBuilder()
	b.self = testSelf
	find := func(in map[string]uint32, not error) func(string) (uint32, error) {
		return func(name string) (uint32, error) {
			if id, ok := in[name]; ok {
				return id, nil
			}
			return 0, not
		}
	}
	b.user, b.group = find(testUsers, errNoUser), find(testGroups, errNoGroup)
	b.members = func(name string) (uint32, []uint32, error) { return testUsers[name], nil, nil }
	b.read = func(string) ([]byte, error) { return nil, fmt.Errorf("no files in this test") }
	return b
}

type generator struct{ *rand.Rand }

func (g generator) of(list ...string) string { return list[g.IntN(len(list))] }

func (g generator) some(n int, f func() string) []string {
	list := make([]string, 1+g.IntN(n))
	for i := range list {
		list[i] = f()
	}
	return list
}

func (g generator) id() uint32 {
	return []uint32{0, 1, 2, 3, testSelf, 64, 1024, 65534, NoID - 1}[g.IntN(9)]
}

func (g generator) who() string {
	switch g.IntN(8) {
	case 0:
		return "any"
	case 1:
		return "root"
	case 2:
		return "same-user"
	case 3, 4:
		return fmt.Sprintf("gid:%d", g.id())
	}
	return fmt.Sprintf("uid:%d", g.id())
}

func (g generator) action() string { return g.of("connect", "call", "put", "get", "admin", "any") }

func (g generator) pattern() string {
	p := g.of("queue:", "queue:", "rpc:", "shm:")
	if g.IntN(2) == 0 {
		p += "/"
	}
	for i := range 1 + g.IntN(3) {
		if i > 0 {
			p += "/"
		}
		p += g.of("a", "b", "ab", "abc", "ü", "*", "a*", "ab*", "abc*")
	}
	switch g.IntN(6) {
	case 0:
		p += "/**"
	case 1:
		p = p[:strings.IndexByte(p, ':')+1] + g.of("**", "/**")
	}
	return p
}

func (g generator) resource() string {
	p := g.of("queue:", "queue:", "rpc:", "shm:", "pipe:")
	if g.IntN(2) == 0 {
		p += "/"
	}
	for i := range 1 + g.IntN(4) {
		if i > 0 {
			p += "/"
		}
		p += g.of("a", "b", "ab", "abc", "abcd", "ü", "c")
	}
	return p
}

// near returns a request that a rule of b may well be about: one of its
// patterns with the wildcards filled in, rightly or nearly so.
func (g generator) near(b *brute) (action, resource string) {
	action = g.of("connect", "call", "put", "get", "admin", "read")
	if g.IntN(4) == 0 {
		return action, g.resource()
	}
	r := &b.rules[g.IntN(len(b.rules))]
	if a := g.of(r.actions...); a != "any" {
		action = a
	}
	resource = g.of(r.patterns...)
	resource = strings.ReplaceAll(resource, "**", g.of("a", "c", "a/b", "ü/a/c"))
	for strings.Contains(resource, "*") {
		resource = strings.Replace(resource, "*", g.of("a", "bc", "c", "a/b"), 1)
	}
	return action, resource
}

func (g generator) subject() Subject {
	s := Subject{UID: g.id(), GID: g.id()}
	for range g.IntN(4) {
		s.Groups = append(s.Groups, g.id())
	}
	if g.IntN(10) == 0 {
		s.Missing = FieldGroups
	}
	return s
}

func (g generator) policy() *brute {
	b := &brute{}
	whoSets, resourceSets := map[string][]string{}, map[string][]string{}
	line := func(format string, args ...any) int {
		b.text = append(b.text, fmt.Sprintf(format, args...))
		return len(b.text)
	}
	for i := range g.IntN(3) {
		name := fmt.Sprintf("@w%d", i)
		members := g.some(3, func() string {
			for {
				if w := g.who(); w != "any" {
					return w
				}
			}
		})
		whoSets[name] = members
		line("set %s = %s", name, strings.Join(members, ", "))
	}
	for i := range g.IntN(3) {
		name := fmt.Sprintf("@r%d", i)
		resourceSets[name] = g.some(3, g.pattern)
		line("set %s = %s", name, strings.Join(resourceSets[name], ","))
	}
	expand := func(list []string, sets map[string][]string) (out []string) {
		for _, m := range list {
			if sets[m] != nil {
				out = append(out, sets[m]...)
			} else {
				out = append(out, m)
			}
		}
		return out
	}
	named := func(sets map[string][]string, plain func() string) func() string {
		return func() string {
			if len(sets) > 0 && g.IntN(3) == 0 {
				return fmt.Sprintf("%s%d", map[bool]string{true: "@w", false: "@r"}[sets["@w0"] != nil], g.IntN(len(sets)))
			}
			return plain()
		}
	}
	for range 1 + g.IntN(12) {
		if g.IntN(5) == 0 {
			line("  # %s", g.of("allow any any any", "a comment"))
		}
		r := bruteRule{allow: g.IntN(3) > 0, actions: g.some(3, g.action)}
		who := g.some(3, named(whoSets, g.who))
		resources := g.some(2, named(resourceSets, g.pattern))
		r.who = expand(who, whoSets)
		for _, p := range expand(resources, resourceSets) {
			r.patterns = append(r.patterns, p)
			r.resources = append(r.resources, toRegexp(p))
		}
		r.line = line("%s %s %s %s", map[bool]string{true: "allow", false: "deny"}[r.allow],
			strings.Join(who, ", "), strings.Join(r.actions, ","), strings.Join(resources, " , "))
		b.rules = append(b.rules, r)
	}
	return b
}

// TestEquivalence compares Check and Explain with the brute-force evaluator.
func TestEquivalence(t *testing.T) {
	n := *policies
	if testing.Short() {
		n /= 10
	}
	const requests = 50
	g := generator{rand.New(rand.NewPCG(*seed, 0))}
	allowed, denied := 0, 0
	for range n {
		b := g.policy()
		text := strings.Join(b.text, "\n")
		p, err := testBuilder().build("random", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		for i := range requests {
			s := g.subject()
			action, resource := g.near(b)
			want, line := b.decide(s, action, resource)
			got := p.Check(s, action, resource)
			gotLine := 0
			if got.Rule != nil {
				gotLine = got.Rule.Line
			}
			if got.Allowed != want || gotLine != line {
				t.Fatalf("%v %s %s: got %v, want %v by line %d\n%s", s, action, resource, got, want, line, text)
			}
			switch {
			case want:
				allowed++
			case line != 0:
				denied++
			}
			if i%5 == 0 { // words take their time
				compareExplanation(t, b, p.Explain(s, action, resource), text)
			}
		}
		comparePrinted(t, p)
		compareShuffled(t, g, b, p, requests/5)
	}
	total := n * requests
	t.Logf("%d requests: %d allowed, %d denied by a rule", total, allowed, denied)
	if allowed < total/10 || denied < total/10 {
		t.Errorf("the requests say little: %d of %d allowed, %d denied by a rule", allowed, total, denied)
	}
}

// compareExplanation checks what Explain says about each rule.
func compareExplanation(t *testing.T, b *brute, e Explanation, text string) {
	t.Helper()
	if len(e.Rules) != len(b.rules) {
		t.Fatalf("%d rules explained, %d exist", len(e.Rules), len(b.rules))
	}
	for i, r := range e.Rules {
		applies := b.rules[i].applies(e.Subject, e.Action, e.Resource)
		want := RoleNone
		switch {
		case applies && r.Rule == e.Decision.Rule:
			want = RoleDecides
		case applies && r.Rule.Effect == Allow && !e.Allowed:
			want = RoleOverruled
		case applies:
			want = RoleAgrees
		}
		if r.Role != want || (r.Role == RoleNone) != (len(r.Misses) > 0) || r.Why == "" {
			t.Fatalf("%v %s %s: rule %q: got %q (%s), want %q\n%s", e.Subject, e.Action, e.Resource, r.Rule.Text, r.Role, r.Why, want, text)
		}
	}
}

// comparePrinted checks that both printed forms mean the same policy.
func comparePrinted(t testing.TB, p *Policy) {
	t.Helper()
	q, err := testBuilder().build("printed", []byte(p.String()))
	if err != nil {
		t.Fatalf("printed form: %v\n%s", err, p)
	}
	form, err := p.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	j, err := testBuilder().build("json", form)
	if err != nil {
		t.Fatalf("JSON form: %v\n%s", err, form)
	}
	for _, other := range []*Policy{q, j} {
		if other.String() != p.String() || other.Hash() != p.Hash() {
			t.Fatalf("%s form differs:\n%s\nfrom\n%s", other.Name(), other, p)
		}
	}
}

// compareShuffled checks that the order of lines makes no difference to what
// is allowed, that one more deny allows nothing, and that one more allow
// denies nothing.
func compareShuffled(t *testing.T, g generator, b *brute, p *Policy, requests int) {
	t.Helper()
	build := func(lines []string) *Policy {
		q, err := testBuilder().build("changed", []byte(strings.Join(lines, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	lines := slices.Clone(b.text)
	g.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	shuffled := build(lines)
	rest := fmt.Sprintf(" %s %s %s", g.who(), g.action(), g.pattern())
	stricter, looser := build(append(lines, "deny"+rest)), build(append(slices.Clone(b.text), "allow"+rest))
	for range requests {
		s := g.subject()
		action, resource := g.near(b)
		d := p.Check(s, action, resource)
		if got := shuffled.Check(s, action, resource); got.Allowed != d.Allowed || got.Reason != d.Reason {
			t.Fatalf("order matters: %v %s %s: %v, then %v", s, action, resource, d, got)
		}
		if got := stricter.Check(s, action, resource); got.Allowed && !d.Allowed {
			t.Fatalf("deny%s allows %v %s %s", rest, s, action, resource)
		}
		if got := looser.Check(s, action, resource); d.Allowed && !got.Allowed || !d.Allowed && d.Rule != nil && got.Allowed {
			t.Fatalf("allow%s changes %v %s %s from %v to %v", rest, s, action, resource, d, got)
		}
	}
}
