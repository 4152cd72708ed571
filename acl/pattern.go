package acl

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A pattern names resources: a kind and a path of segments between slashes.
//
//	socket:/run/app/*.sock     -> error: * ends a segment, or is one
//	socket:/run/app/*          kind socket, absolute, [run app] and one more
//	rpc:/orders.Orders/**      kind rpc, absolute, [orders.Orders] and one or more
//	shm:psm_*                  kind shm, [psm_*]: segments beginning with psm_
//	queue:**                   every queue
type pattern struct {
	kind     kind
	absolute bool     // begins with a slash
	segments []string // "*": any; "x*": any that begins with x; else literal
	rest     bool     // ends in **: one or more segments follow
	text     string   // as written
}

// Limits of a resource.
const (
	maxResource = 4096 // bytes
	maxSegments = 64   // of a pattern
)

// parsePattern reads the resource of a rule, other than a set or "any".
func parsePattern(text string) (pattern, error) {
	k, path, ok := cutKind(text)
	if !ok {
		name, _, found := strings.Cut(text, ":")
		if !found {
			return pattern{}, fmt.Errorf("resource %q: want KIND:NAME, such as socket:/run/app.sock or queue:jobs", text)
		}
		return pattern{}, unknown("kind of resource", name, kindNames[:])
	}
	if path == "" {
		return pattern{}, fmt.Errorf("resource %q has no name: %s** means every one", text, text)
	}
	if err := checkPath(path); err != nil {
		return pattern{}, fmt.Errorf("resource %q: %w", text, err)
	}
	p := pattern{kind: k, text: text}
	if p.absolute = path[0] == '/'; p.absolute {
		path = path[1:]
	}
	p.segments = strings.Split(path, "/")
	last := len(p.segments) - 1
	if p.segments[last] == "**" {
		p.segments, p.rest = p.segments[:last], true
	}
	if len(p.segments) > maxSegments {
		return pattern{}, fmt.Errorf("resource has %d segments, %d are the most", len(p.segments), maxSegments)
	}
	for _, s := range p.segments {
		star := strings.IndexByte(s, '*')
		switch {
		case star < 0 || star == len(s)-1:
		case s == "**":
			return pattern{}, fmt.Errorf("resource %q: ** stands for the rest, so nothing can follow it", text)
		default:
			return pattern{}, fmt.Errorf("resource %q: * is a whole segment, or ends one, as in psm_*", text)
		}
	}
	return p, nil
}

// Faults of a path.
var (
	errPathEmpty   = errors.New("the name is empty")
	errPathLong    = fmt.Errorf("longer than %d bytes", maxResource)
	errPathSlashes = errors.New("empty segment: // or a slash at the end")
	errPathDots    = errors.New("the segments . and .. are not allowed")
	errPathControl = errors.New("control character")
	errPathUTF8    = errors.New("not UTF-8")
)

// checkPath refuses what a file system or a careless server could take for
// another name than the one that is decided on. Requests and patterns obey the
// same rule, so a request that can't be written in a policy is refused, even by
// "allow any any any".
func checkPath(path string) error {
	if path == "" || path == "/" {
		return errPathEmpty
	}
	if len(path) > maxResource {
		return errPathLong
	}
	ascii, start := true, 0 // start: of the segment; a leading slash stands alone
	if path[0] == '/' {
		start = 1
	}
	for i := start; i < len(path); i++ {
		c := path[i]
		if '0' <= c && c < 0x7f { // the greater part of every name
			continue
		}
		switch {
		case c == '/':
			if err := checkSegment(path[start:i]); err != nil {
				return err
			}
			start = i + 1
		case c < ' ' || c == 0x7f:
			return errPathControl
		case c >= 0x80:
			ascii = false
		}
	}
	if err := checkSegment(path[start:]); err != nil {
		return err
	}
	if !ascii && !utf8.ValidString(path) {
		return errPathUTF8
	}
	return nil
}

func checkSegment(s string) error {
	switch {
	case s == "":
		return errPathSlashes
	case s == "." || s == "..":
		return errPathDots
	}
	return nil
}

// match reports whether the pattern covers the path of a resource of its kind,
// which has passed checkPath. Explain uses it; Check walks the index instead.
func (p *pattern) match(path string) bool {
	absolute := path[0] == '/'
	if absolute {
		path = path[1:]
	}
	if absolute != p.absolute {
		// "queue:**" alone covers paths of both sorts.
		return absolute && p.rest && len(p.segments) == 0
	}
	for _, want := range p.segments {
		if path == "" {
			return false
		}
		segment, rest, _ := strings.Cut(path, "/")
		if prefix, wild := strings.CutSuffix(want, "*"); wild {
			if !strings.HasPrefix(segment, prefix) {
				return false
			}
		} else if segment != want {
			return false
		}
		path = rest
	}
	return p.rest == (path != "")
}
