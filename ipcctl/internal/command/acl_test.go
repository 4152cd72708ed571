package command_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func policy(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.acl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const appPolicy = `# who may use the app
allow uid:1000, gid:50 connect socket:/run/app.sock
deny uid:1001 any socket:/run/app.sock
expect allow uid:1000 connect socket:/run/app.sock
expect deny uid:7 connect socket:/run/app.sock
`

func TestACLCheck(t *testing.T) {
	file := policy(t, appPolicy)
	for _, c := range []struct {
		who  string
		code int
	}{
		{"--uid 1000", 0}, {"--uid 7", 4}, {"--uid 7 --gid 50", 0}, {"--uid 7 --gid 1 --groups 4,50", 0}, {"--uid 1001 --gid 50", 4},
	} {
		t.Run(c.who, func(t *testing.T) {
			is := is.New(t)
			args := append([]string{"acl", "check", "--policy", file, "--action", "connect", "--resource", "socket:/run/app.sock"}, strings.Fields(c.who)...)
			r := run(t, "", args...)
			is.Equal(r.code, c.code)
			is.Equal(r.err, "")
			golden(t, "acl.check."+strings.NewReplacer(" ", "", "--", ".", ",", "-").Replace(c.who)+".txt", r.out, file, "FILE")
			o := conforms(t, "ipcctl acl check", run(t, "", append(args, "--json")...).out)
			is.Equal(o[0]["allowed"], c.code == 0)
		})
	}
}

func TestACLFailures(t *testing.T) {
	file := policy(t, appPolicy)
	rest := []string{"--uid", "1", "--action", "connect", "--resource", "socket:/x"}
	check := func(policy string) []string { return append([]string{"acl", "check", "--policy", policy}, rest...) }
	fails(t, 2, []string{"acl", "check", "--policy", file}, "--uid and --action and --resource are required")
	fails(t, 2, []string{"acl", "check", "--policy", file, "--uid", "alice", "--action", "connect", "--resource", "socket:/x"}, "want a number")
	fails(t, 3, check(file+"x"), file+"x")
	fails(t, 1, check(policy(t, "allow any connect socket:/x\nalow any connect socket:/y\n")), ":2:1:", "acl lint")
	loose := policy(t, appPolicy)
	if err := os.Chmod(loose, 0o666); err != nil {
		t.Fatal(err)
	}
	fails(t, 4, check(loose), "nobody else may write")
}

func TestACLTest(t *testing.T) {
	is := is.New(t)
	file := policy(t, appPolicy)
	is.Equal(must(t, "", "acl", "test", file), "2 of 2 passed\n")
	golden(t, "acl.test.verbose.txt", must(t, "", "acl", "test", "--verbose", file), file, "FILE")
	conforms(t, "ipcctl acl test", must(t, "", "acl", "test", "--json", file))
	wrong := policy(t, appPolicy+"expect allow uid:1001 connect socket:/run/app.sock\n")
	r := run(t, "", "acl", "test", wrong)
	is.Equal(r.code, 1)
	golden(t, "acl.test.failed.txt", r.out, wrong, "FILE")
	none := policy(t, "allow any connect socket:/x\n")
	r = run(t, "", "acl", "test", none)
	is.Equal(r.code, 0)
	is.True(strings.Contains(r.err, "no test cases"))
	fails(t, 3, []string{"acl", "test", file + "x"}, "x")
}

func TestACLExplain(t *testing.T) {
	is := is.New(t)
	file := policy(t, appPolicy)
	ask := func(flags ...string) result {
		return run(t, "", append([]string{"acl", "explain", "--policy", file, "--action", "connect", "--resource", "socket:/run/app.sock"}, flags...)...)
	}
	r := ask("--uid", "1000")
	is.Equal(r.code, 0)
	golden(t, "acl.explain.allowed.txt", r.out, file, "FILE")
	r = ask("--uid", "1001", "--gid", "50")
	is.Equal(r.code, 4)
	golden(t, "acl.explain.denied.txt", r.out, file, "FILE")
	o := conforms(t, "ipcctl acl explain", ask("--uid", "1001", "--groups", "50", "--json").out)[0]
	is.Equal(o["allowed"], false)
	fails(t, 2, []string{"acl", "explain", "--policy", file}, "required")
}

func TestACLLint(t *testing.T) {
	is := is.New(t)
	is.Equal(must(t, "", "acl", "lint", policy(t, appPolicy)), "")
	doubtful := policy(t, appPolicy+"deny uid:1001 connect socket:/run/app.sock\n")
	r := run(t, "", "acl", "lint", doubtful)
	is.Equal(r.code, 1)
	golden(t, "acl.lint.txt", r.out, doubtful, "FILE")
	conforms(t, "ipcctl acl lint", run(t, "", "acl", "lint", "--json", doubtful).out)
	broken := policy(t, "allow any conect socket:/x\nallow any connect sockt:/y\n")
	r = run(t, "", "acl", "lint", broken)
	is.Equal(r.code, 1)
	golden(t, "acl.lint.broken.txt", r.out, broken, "FILE")
	o := conforms(t, "ipcctl acl lint", run(t, "", "acl", "lint", "--json", broken).out)
	is.Equal(len(o), 2)
	is.Equal(o[0]["code"], "syntax")
	fails(t, 3, []string{"acl", "lint", broken + "x"}, "x")
}

func TestACLApply(t *testing.T) {
	is := is.New(t)
	fifo := newFIFO(t)
	file := policy(t, "allow same-user, uid:1001 write, read pipe:"+fifo+"\n")
	out := must(t, "", "acl", "apply", fifo, "--policy", file, "--resource", "pipe:"+fifo)
	is.True(strings.HasPrefix(out, "user::rw-"))
	conforms(t, "ipcctl acl apply", must(t, "", "acl", "apply", fifo, "--policy", file, "--resource", "pipe:"+fifo, "--json"))
	fails(t, 3, []string{"acl", "apply", fifo + "x", "--policy", file, "--resource", "pipe:" + fifo}, fifo+"x")
	fails(t, 2, []string{"acl", "apply", fifo}, "--policy and --resource are required")
}
