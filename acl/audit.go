package acl

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// AuditOptions say what an [Auditor] records.
type AuditOptions struct {
	// AllowEvery records every n-th request that is allowed: 1 all, 0 means
	// 100, negative none. Denials are always recorded.
	AllowEvery int
	// DenyLevel and AllowLevel are the levels of the records; zero means
	// slog.LevelWarn and slog.LevelInfo.
	DenyLevel, AllowLevel slog.Leveler
}

// An Auditor records decisions, one slog record each:
//
//	msg="access denied" action=connect resource=socket:/run/app.sock
//	reason="no rule allows it" rule="" policy=0f3a… uid=1000 gid=1000 pid=812
//	groups=3 sample=1
//
// Rule is the file:line:column of the rule that decided, policy the first 16
// digits of [Policy.Hash], groups the number of supplementary groups, sample
// how many requests the record stands for. What the peer chose, action and
// resource, is quoted unless it is plain, and cut after 256 bytes. No message
// is ever recorded.
//
// An Auditor is safe for concurrent use. A nil *Auditor records nothing.
type Auditor struct {
	log     *slog.Logger
	every   uint64
	deny    slog.Leveler
	allow   slog.Leveler
	allowed atomic.Uint64
	denied  atomic.Uint64
}

// NewAuditor returns an Auditor that writes to log. The options may be nil.
func NewAuditor(log *slog.Logger, o *AuditOptions) *Auditor {
	if o == nil {
		o = &AuditOptions{}
	}
	a := &Auditor{log: log, every: 100, deny: o.DenyLevel, allow: o.AllowLevel}
	switch {
	case o.AllowEvery > 0:
		a.every = uint64(o.AllowEvery)
	case o.AllowEvery < 0:
		a.every = 0
	}
	if a.deny == nil {
		a.deny = slog.LevelWarn
	}
	if a.allow == nil {
		a.allow = slog.LevelInfo
	}
	return a
}

// Counts returns how many requests were allowed and denied, recorded or not.
func (a *Auditor) Counts() (allowed, denied uint64) {
	if a == nil {
		return 0, 0
	}
	return a.allowed.Load(), a.denied.Load()
}

// Check decides like p.Check, and records the decision.
func (a *Auditor) Check(ctx context.Context, p *Policy, s Subject, action, resource string) Decision {
	d := p.Check(s, action, resource)
	a.Record(ctx, p, s, action, resource, d)
	return d
}

// Record records the decision d, which p made. An allowed request that isn't
// sampled costs an atomic addition, and allocates nothing.
func (a *Auditor) Record(ctx context.Context, p *Policy, s Subject, action, resource string, d Decision) {
	if a == nil {
		return
	}
	level, msg, sample := a.deny.Level(), "access denied", uint64(1)
	if d.Allowed {
		level, msg, sample = a.allow.Level(), "access allowed", a.every
		n := a.allowed.Add(1)
		if a.every == 0 || (n-1)%a.every != 0 {
			return
		}
	} else {
		a.denied.Add(1)
	}
	if !a.log.Enabled(ctx, level) {
		return
	}
	place := ""
	if d.Rule != nil {
		place = d.Rule.Place()
	}
	hash := p.Hash()
	a.log.LogAttrs(ctx, level, msg,
		slog.String("action", plain(action)),
		slog.String("resource", plain(resource)),
		slog.String("reason", d.Reason.String()),
		slog.String("rule", place),
		slog.String("policy", hash[:min(len(hash), 16)]),
		idAttr("uid", s.UID, s.Knows(FieldID)),
		idAttr("gid", s.GID, s.Knows(FieldID)),
		idAttr("pid", uint32(s.PID), s.Knows(FieldPID)),
		slog.Int("groups", len(s.Groups)),
		slog.Uint64("sample", sample),
	)
}

func idAttr(key string, id uint32, known bool) slog.Attr {
	if !known {
		return slog.String(key, "?")
	}
	return slog.Uint64(key, uint64(id))
}

// plain makes a string that the peer chose harmless in a log: letters, digits
// and common punctuation stand as they are, anything else is quoted.
func plain(s string) string {
	const most = 256
	if len(s) <= most && s != "" && strings.IndexFunc(s, special) < 0 {
		return s
	}
	cut := len(s)
	if cut > most {
		for cut = most; cut > most-utf8.UTFMax && !utf8.RuneStart(s[cut]); cut-- {
		}
	}
	q := strconv.QuoteToASCII(s[:cut])
	if cut < len(s) {
		q += fmt.Sprintf(" and %d bytes more", len(s)-cut)
	}
	return q
}

func special(r rune) bool {
	return r <= ' ' || r >= 0x7f || r == '"' || r == '\'' || r == '\\' || r == '='
}
