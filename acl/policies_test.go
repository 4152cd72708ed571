package acl

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestPolicies runs every policy of POLICIES.md, with its test cases.
func TestPolicies(t *testing.T) {
	is := is.New(t)
	text, err := os.ReadFile("POLICIES.md")
	is.NoErr(err)
	blocks := strings.Split(string(text), "\n```acl\n")[1:]
	is.Equal(len(blocks), 10)
	for i, block := range blocks {
		block, _, closed := strings.Cut(block, "\n```")
		is.True(closed)
		p, err := testBuilder().build("policy", []byte(block))
		if err != nil {
			t.Fatalf("policy %d: %v", i+1, err)
		}
		count := map[Effect]int{}
		for _, r := range p.Test() {
			count[r.Case.Effect]++
			if !r.Passed {
				t.Errorf("policy %d: %v", i+1, r)
			}
		}
		is.True(count[Allow] > 0 && count[Deny] > 0) // cases of both effects
		for _, f := range p.Lint() {
			t.Errorf("policy %d: %v", i+1, f)
		}
		comparePrinted(t, p)
	}
}

// TestPolicyCasesCanFail: a test case that can't fail would prove nothing.
func TestPolicyCasesCanFail(t *testing.T) {
	is := is.New(t)
	p := parse(t, "allow uid:5 put queue:a\nexpect deny uid:5 put, get queue:a\nexpect allow any put queue:a")
	results := p.Test()
	is.Equal(len(results), 3)
	is.Equal(results[0].Passed, false)
	is.Equal(results[1].Passed, true)
	is.Equal(results[2].Passed, false)
	is.Equal(results[0].String(), "test.acl:2:1: FAILED: expect deny uid:5 put, get queue:a (put queue:a allowed by test.acl:1:1: allow uid:5 put queue:a)")
}

func TestCaseSubjects(t *testing.T) {
	is := is.New(t)
	p := parse(t, "deny uid:4294967294 any any\nallow gid:7 put queue:a\nallow any put queue:b\nallow gid:0 get queue:z\n"+
		"expect allow user:root get queue:z\nexpect deny user:root in gid:7 get queue:z\nexpect deny uid:0 get queue:z\n"+
		"expect deny any put queue:a\nexpect allow any in gid:7 put queue:a\nexpect allow any put queue:b\n"+
		"expect allow user:root in gid:7 put queue:a\nexpect deny uid:7 put queue:a\n"+
		"expect deny uid:4294967294 in gid:7 put queue:a\n")
	for _, r := range p.Test() {
		if !r.Passed {
			t.Error(r)
		}
	}
	is.Equal(len(p.Test()), 9)
}

func TestLint(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "allow uid:5 put queue:a\ndeny gid:6 put queue:**", nil},
		{"unused set", "set @a = root\nallow uid:5 put queue:a", []string{"test.acl:1:1: unused-set: no rule and no other set uses @a: set @a = root"}},
		{"never asked", "allow uid:5 put socket:/a", []string{"test.acl:1:1: never-asked: nobody asks for put here: allow uid:5 put socket:/a"}},
		{"repeated", "allow gid:4, uid:5 put, get queue:**\nallow uid:5 put queue:a/*", []string{
			"test.acl:2:1: repeated: it adds nothing to test.acl:1:1: allow gid:4, uid:5 put, get queue:**: allow uid:5 put queue:a/*"}},
		{"equal", "allow uid:5 put queue:a\nallow uid:5 put queue:a", []string{
			"test.acl:2:1: repeated: it adds nothing to test.acl:1:1: allow uid:5 put queue:a: allow uid:5 put queue:a"}},
		{"overruled", "allow uid:5 put queue:a*\ndeny any any queue:*", []string{
			"test.acl:1:1: overruled: it never allows anything, because of test.acl:2:1: deny any any queue:*: allow uid:5 put queue:a*"}},
		{"denied more narrowly", "allow uid:5 put queue:*\ndeny any any queue:a*", nil},
		{"everything", "allow any any any", []string{"test.acl:1:1: everything: it allows anybody anything: allow any any any"}},
		{"overflow id", "allow uid:65534 put queue:a", []string{"test.acl:1:1: overflow-id: uid:65534 also stands for every user that has no id here, as those of another user namespace: allow uid:65534 put queue:a"}},
		{"failed case", "expect allow root put queue:a", []string{"test.acl:1:1: failed-case: put queue:a is denied: no rule allows it: expect allow root put queue:a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			var got []string
			for _, f := range parse(t, tc.text).Lint() {
				got = append(got, f.String())
			}
			is.Equal(got, tc.want)
		})
	}
}

func TestLintDirectory(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := write(t, dir, "app.acl", "allow uid:5 put queue:a")
	p, err := Load(path)
	is.NoErr(err)
	is.NoErr(os.Chmod(dir, 0o755))
	is.Equal(p.Lint(), nil)
	is.NoErr(os.Chmod(dir, 0o777))
	is.Equal(p.Lint()[0].Code, LintDirectory)
	is.NoErr(os.Chmod(dir, 0o777|os.ModeSticky))
	is.Equal(p.Lint(), nil)
}

// TestLintCovers checks "covers" against matching: what a covering pattern
// misses, the covered one must miss too.
func TestLintCovers(t *testing.T) {
	n := 3000
	g := generator{newRand(2)}
	for range n {
		p, errp := parsePattern(g.pattern())
		q, errq := parsePattern(g.pattern())
		if errp != nil || errq != nil {
			t.Fatal(errp, errq)
		}
		if !p.covers(&q) {
			continue
		}
		for range 30 {
			k, path, _ := cutKind(g.resource())
			if q.kind == k && q.match(path) && !(p.kind == k && p.match(path)) {
				t.Fatalf("%s covers %s, but not %s", p.text, q.text, path)
			}
		}
	}
}

// TestLintStopsAtItsBudget: what two rules with large sets cost to compare is
// counted while they are compared, not afterwards.
func TestLintStopsAtItsBudget(t *testing.T) {
	is := is.New(t)
	var up []string
	for i := range 60_000 {
		up = append(up, fmt.Sprintf("uid:%d", i))
	}
	down := slices.Clone(up)
	slices.Reverse(down)
	p := parse(t, "set @up = "+strings.Join(up, ",")+"\nset @down = "+strings.Join(down, ",")+
		"\nallow @up put queue:a\nallow @down put queue:a\n")
	findings := p.Lint() // each is found in the other, after 30,000 steps on average
	is.True(len(findings) > 0)
	is.Equal(findings[len(findings)-1].Code, LintUnchecked)

	budget := 1000
	is.True(!p.rules[0].covers(&p.rules[1], &budget))
	is.True(budget > -100_000)
}
