package acl

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a policy. They bound what reading a hostile one costs.
const (
	MaxFile     = 4 << 20  // bytes of one file
	maxTotal    = 16 << 20 // bytes of all files
	maxFiles    = 100      // included files
	maxDepth    = 16       // of includes
	maxProblems = 20       // errors that are reported
	maxMembers  = 1 << 16  // of a set, spelled out
	maxSpelled  = 1 << 21  // members of all sets and rules, spelled out, and combinations
)

// Parse compiles a policy from its text, or from its JSON form if the first
// character is "{". The name, usually a path, is what errors carry, as
// name:line:column, and what include statements are relative to.
//
// Users and groups are looked up now, and "same-user" becomes the effective
// user of this process: a later change of either needs another Parse.
//
// Whatever the language doesn't know is an error, never a rule skipped: a
// *[SyntaxError], or several joined (see [SyntaxErrors]). POLICIES.md describes
// the language.
func Parse(name string, text []byte) (*Policy, error) {
	b := newBuilder()
	return b.build(name, text)
}

// builder reads sources and compiles them into one policy.
type builder struct {
	resolver
	members func(name string) (gid uint32, groups []uint32, err error) // of a user
	read    func(path string) ([]byte, error)                          // for includes

	rules    []rawRule
	rawSets  []rawSet
	files    []string
	seen     map[string]bool // by path: true while being read
	total    int
	spelled  int   // members that sets brought to sets and rules
	combined int64 // subjects times resources, of all rules
	problems []error
	tooLarge bool // reading ends

	sets map[string]*setState
}

// newBuilder returns a builder that asks the system.
func newBuilder() *builder {
	return &builder{
		resolver: resolver{
			user:  cached(lookupUser),
			group: cached(lookupGroup),
			self:  uint32(os.Geteuid()),
		},
		members: lookupMembership,
		read:    readPolicyFile,
		seen:    map[string]bool{},
		sets:    map[string]*setState{},
	}
}

func (b *builder) build(name string, text []byte) (*Policy, error) {
	b.files = append(b.files, name)
	b.seen[key(name)] = true
	b.readSource(name, text, 0)
	if len(b.problems) == 0 {
		p := b.resolve(name)
		if len(b.problems) == 0 {
			return p, nil
		}
	}
	if len(b.problems) == 1 {
		return nil, b.problems[0]
	}
	return nil, errors.Join(b.problems...)
}

// problem notes an error; too many end the reading.
func (b *builder) problem(s *source, at int, err error) {
	if !b.full() {
		b.problems = append(b.problems, s.errorAt(at, err))
		b.tooLarge = err == errTooLarge
	}
}

func (b *builder) full() bool { return b.tooLarge || len(b.problems) >= maxProblems }

// readSource reads one file, and those that it includes.
func (b *builder) readSource(name string, text []byte, depth int) {
	s := &source{name, string(text)}
	b.total += len(text)
	switch {
	case len(text) > MaxFile:
		b.problem(s, 0, fmt.Errorf("the policy has %d bytes, %d are the most", len(text), MaxFile))
		return
	case b.total > maxTotal:
		b.problem(s, 0, fmt.Errorf("the policy and what it includes have more than %d bytes", maxTotal))
		return
	case !utf8.ValidString(s.text):
		b.problem(s, s.invalidUTF8(), errPathUTF8)
		return
	}
	if strings.HasPrefix(strings.TrimLeft(s.text, " \t\r\n"), "{") {
		b.readJSON(s, depth)
		return
	}
	b.readText(s, depth)
}

// include reads the file that the item names, unless it has been read.
func (b *builder) include(s *source, it item, depth int) {
	if strings.IndexFunc(it.text, isControl) >= 0 || it.text == "" || strings.ContainsRune(it.text, '\t') {
		b.problem(s, it.at, fmt.Errorf("include: %q is no file name", it.text))
		return
	}
	path := it.text
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(s.name), path)
	}
	reading, seen := b.seen[key(path)]
	switch {
	case reading:
		b.problem(s, it.at, fmt.Errorf("include: %s includes itself", path))
		return
	case seen: // the same rules again would change nothing
		return
	case depth >= maxDepth:
		b.problem(s, it.at, fmt.Errorf("include: more than %d files deep", maxDepth))
		return
	case len(b.files) > maxFiles:
		b.problem(s, it.at, fmt.Errorf("include: more than %d files", maxFiles))
		return
	}
	text, err := b.read(path)
	if err != nil {
		b.problem(s, it.at, fmt.Errorf("include: %w", err))
		return
	}
	b.seen[key(path)] = true
	b.files = append(b.files, path)
	b.readSource(path, text, depth+1)
	b.seen[key(path)] = false
}

// key tells whether two paths name the same file, links apart.
func key(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path)
}

// readText reads the line form.
func (b *builder) readText(s *source, depth int) {
	var tokens []token
	for start, number := 0, 1; start < len(s.text) && !b.full(); number++ {
		end := strings.IndexByte(s.text[start:], '\n')
		if end < 0 {
			end = len(s.text)
		} else {
			end += start
		}
		line := strings.TrimSuffix(s.text[start:end], "\r")
		var bad *lexError
		tokens, bad = lex(line, tokens[:0])
		if bad != nil {
			b.problem(s, start+bad.offset, bad.err)
		} else if len(tokens) > 0 {
			l := lineParser{b: b, src: s, start: start, end: start + len(line), number: number, tokens: tokens}
			if err := l.statement(depth); err != nil {
				b.problem(s, start+err.offset, err.err)
			}
		}
		start = end + 1
	}
}

// lineParser reads the statement of one line.
type lineParser struct {
	b          *builder
	src        *source
	start, end int // of the line, in bytes
	number     int // of the line
	tokens     []token
	next       int
}

// statement = "include" file
//
//	| "set" @name "=" list
//	| ("allow" | "deny") list list list
//	| "expect" ("allow" | "deny") who ["in" list] list list
//
// list = word {"," word}
func (l *lineParser) statement(depth int) *lexError {
	first := l.tokens[0]
	l.next = 1
	word := first.text
	if first.quoted || first.comma {
		word = ""
	}
	column := utf8.RuneCountInString(l.src.text[l.start:l.start+first.offset]) + 1
	switch word {
	case "include":
		files, err := l.list("the file to include")
		if err == nil {
			err = l.done()
		}
		if err != nil {
			return err
		}
		for _, f := range files {
			l.b.include(l.src, f, depth)
		}
		return nil
	case "set":
		return l.set(column)
	case "allow", "deny", "expect":
		return l.rule(word, column)
	}
	return &lexError{first.offset, unknown("statement", first.text, []string{"allow", "deny", "set", "include", "expect"})}
}

func (l *lineParser) set(column int) (err *lexError) {
	s := rawSet{src: l.src, line: l.number, column: column}
	if s.name, err = l.word("the name of the set, such as @operators"); err != nil {
		return err
	}
	equals, err := l.word(`"="`)
	if err != nil {
		return err
	}
	if equals.text != "=" {
		return &lexError{equals.at - l.start, fmt.Errorf(`want "=" between blanks after the name of the set, not %q`, equals.text)}
	}
	if s.members, err = l.list("the members of the set"); err != nil {
		return err
	}
	l.b.rawSets = append(l.b.rawSets, s)
	return l.done()
}

func (l *lineParser) rule(word string, column int) (err *lexError) {
	r := rawRule{src: l.src, at: l.start + l.tokens[0].offset, line: l.number, column: column, isCase: word == "expect"}
	if r.isCase {
		effect, err := l.word("allow or deny")
		if err != nil {
			return err
		}
		word = effect.text
		if word != "allow" && word != "deny" {
			return &lexError{effect.at - l.start, unknown("expectation", word, []string{"allow", "deny"})}
		}
	}
	if word == "allow" {
		r.effect = Allow
	}
	if r.who, err = l.list("who, such as user:alice"); err != nil {
		return err
	}
	if l.next < len(l.tokens) && l.tokens[l.next].text == "in" && !l.tokens[l.next].quoted {
		if !r.isCase {
			return &lexError{l.tokens[l.next].offset, errInRule}
		}
		l.next++
		if r.in, err = l.list("the groups, such as group:staff"); err != nil {
			return err
		}
	}
	if r.actions, err = l.list("an action, such as connect"); err != nil {
		return err
	}
	if r.resources, err = l.list("a resource, such as socket:/run/app.sock"); err != nil {
		return err
	}
	l.b.rules = append(l.b.rules, r)
	return l.done()
}

var errInRule = errors.New(`"in" belongs to "expect": rules name groups themselves, as in "allow group:staff"`)

// word takes one word.
func (l *lineParser) word(what string) (item, *lexError) {
	if l.next == len(l.tokens) {
		return item{}, &lexError{l.end - l.start, errors.New("the line ends early: want " + what)}
	}
	t := l.tokens[l.next]
	if t.comma {
		return item{}, &lexError{t.offset, errors.New("unexpected comma: want " + what)}
	}
	l.next++
	return item{t.text, l.start + t.offset}, nil
}

// list takes words with commas between them.
func (l *lineParser) list(what string) ([]item, *lexError) {
	n := 1
	for i := l.next + 1; i < len(l.tokens) && l.tokens[i].comma; i += 2 {
		n++
	}
	list := make([]item, 0, n)
	for {
		it, err := l.word(what)
		if err != nil {
			return nil, err
		}
		list = append(list, it)
		if l.next == len(l.tokens) || !l.tokens[l.next].comma {
			return list, nil
		}
		l.next++
	}
}

// done refuses what follows the statement.
func (l *lineParser) done() *lexError {
	if l.next < len(l.tokens) {
		t := l.tokens[l.next]
		return &lexError{t.offset, fmt.Errorf("unexpected %q after the end of the statement", t.text)}
	}
	return nil
}

// cached remembers answers, as the same names come up again and again.
func cached(lookup func(string) (uint32, error)) func(string) (uint32, error) {
	type answer struct {
		id  uint32
		err error
	}
	known := map[string]answer{}
	return func(name string) (uint32, error) {
		a, ok := known[name]
		if !ok {
			a.id, a.err = lookup(name)
			known[name] = a
		}
		return a.id, a.err
	}
}

var (
	errNoUser  = errors.New("this host has no such user (uid:N needs none)")
	errNoGroup = errors.New("this host has no such group (gid:N needs none)")
)

func lookupUser(name string) (uint32, error) {
	u, err := findUser(name)
	if errors.As(err, new(user.UnknownUserError)) {
		return 0, errNoUser
	}
	if err != nil {
		return 0, err
	}
	return parseID(u.Uid)
}

func lookupGroup(name string) (uint32, error) {
	g, err := user.LookupGroup(name)
	if errors.As(err, new(user.UnknownGroupError)) {
		return 0, errNoGroup
	}
	if err != nil {
		return 0, err
	}
	return parseID(g.Gid)
}

// lookupMembership returns the groups that a user logs in with.
func lookupMembership(name string) (gid uint32, groups []uint32, err error) {
	u, err := findUser(name)
	if err != nil {
		return 0, nil, err
	}
	if gid, err = parseID(u.Gid); err != nil {
		return 0, nil, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return 0, nil, err
	}
	for _, id := range ids {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return 0, nil, err
		}
		groups = append(groups, uint32(n))
	}
	return gid, groups, nil
}
