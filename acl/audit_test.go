package acl

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/matryer/is"
)

// records runs f with an Auditor and returns what it recorded.
func records(t *testing.T, o *AuditOptions, f func(a *Auditor)) []map[string]any {
	t.Helper()
	var b bytes.Buffer
	f(NewAuditor(slog.New(slog.NewJSONHandler(&b, nil)), o))
	var list []map[string]any
	for line := range strings.Lines(b.String()) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

func TestAuditRecord(t *testing.T) {
	is := is.New(t)
	p := parse(t, "\ndeny uid:7 put queue:a")
	s := Subject{UID: 7, GID: 8, Groups: []uint32{1, 2}, PID: 99}
	got := records(t, nil, func(a *Auditor) { a.Check(t.Context(), p, s, "put", "queue:a") })
	is.Equal(len(got), 1)
	delete(got[0], "time")
	is.Equal(got[0], map[string]any{
		"level": "WARN", "msg": "access denied", "action": "put", "resource": "queue:a",
		"reason": "a rule decides", "rule": "test.acl:2:1", "policy": p.Hash()[:16],
		"uid": 7.0, "gid": 8.0, "pid": 99.0, "groups": 2.0, "sample": 1.0,
	})
	got = records(t, nil, func(a *Auditor) { a.Check(t.Context(), nil, unknownSubject(), "put", "queue:a") })
	is.Equal(got[0]["uid"], "?")
	is.Equal(got[0]["pid"], "?")
}

func TestAuditSamples(t *testing.T) {
	is := is.New(t)
	p := parse(t, "allow uid:7 put queue:a")
	for _, tc := range []struct{ every, want int }{{0, 3}, {1, 250}, {50, 5}, {-1, 0}} {
		got := records(t, &AuditOptions{AllowEvery: tc.every}, func(a *Auditor) {
			for range 250 {
				is.True(a.Check(t.Context(), p, Subject{UID: 7}, "put", "queue:a").Allowed)
			}
			for range 20 {
				is.True(!a.Check(t.Context(), p, Subject{UID: 8}, "put", "queue:a").Allowed)
			}
			allowed, denied := a.Counts()
			is.Equal(allowed, uint64(250))
			is.Equal(denied, uint64(20))
		})
		is.Equal(len(got), tc.want+20) // every denial, and the sampled allowances
	}
}

func TestAuditQuotes(t *testing.T) {
	is := is.New(t)
	for in, want := range map[string]string{
		"queue:a":                 "queue:a",
		"":                        `""`,
		"queue:a b":               `"queue:a b"`,
		"x\nlevel=INFO":           `"x\nlevel=INFO"`,
		"\x1b[2J":                 `"\x1b[2J"`,
		"ü":                       `"\u00fc"`,
		"\xff":                    `"\xff"`,
		`"`:                       `"\""`,
		strings.Repeat("x", 1000): `"` + strings.Repeat("x", 256) + `" and 744 bytes more`,
	} {
		is.Equal(plain(in), want)
		var b bytes.Buffer
		a := NewAuditor(slog.New(slog.NewTextHandler(&b, nil)), nil)
		a.Check(t.Context(), nil, Subject{}, in, in)
		is.Equal(strings.Count(b.String(), "\n"), 1) // one record is one line
	}
}

func TestAuditConcurrently(t *testing.T) {
	is := is.New(t)
	p := parse(t, "allow uid:7 put queue:a")
	got := records(t, &AuditOptions{AllowEvery: 10}, func(a *Auditor) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 250 {
					a.Check(t.Context(), p, Subject{UID: 7}, "put", "queue:a")
				}
			})
		}
		wg.Wait()
	})
	is.Equal(len(got), 100)
}

func TestAuditAllocatesNothingUnsampled(t *testing.T) {
	is := is.New(t)
	p := parse(t, "allow uid:7 put queue:a")
	a := NewAuditor(slog.New(slog.DiscardHandler), &AuditOptions{AllowEvery: -1})
	s, ctx := Subject{UID: 7}, t.Context()
	is.Equal(testing.AllocsPerRun(100, func() { a.Check(ctx, p, s, "put", "queue:a") }), 0.0)
	var none *Auditor
	none.Record(ctx, p, s, "put", "queue:a", Decision{}) // harmless
}
