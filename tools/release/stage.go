package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"

	"github.com/ipcctl/ipc/tools/internal/goproxy"
	"github.com/ipcctl/ipc/tools/internal/workspace"
)

// stage is a temporary directory in which a release takes place without
// touching the checkout or the user's module cache:
//
//	src/       a copy of the checkout, a git repository of one commit
//	proxy/     the packed modules, a file proxy for the go command
//	modcache/  a module cache of its own: the user's would keep today's
//	           v0.1.0 of a sibling for ever, whatever is edited tomorrow
//	outside/   programs of an imagined user
//	bin/       what "go install" makes
type stage struct {
	ws      *workspace.Workspace
	version string
	dir     string
	proxy   goproxy.Dir
	online  string // GOPROXY: the file proxy, then whatever the user has
	offline string // GOPROXY: the file proxy and what was downloaded before
	noSumDB string // GONOSUMDB
}

// newStage copies the checkout into dir. Versions of siblings come from the
// file proxy alone; other modules come from the user's own cache and proxy.
func newStage(ctx context.Context, ws *workspace.Workspace, version, dir string) (*stage, error) {
	s := &stage{ws: ws, version: version, dir: dir, proxy: goproxy.Dir(filepath.Join(dir, "proxy"))}
	out, err := exec.CommandContext(ctx, "go", "env", "GOPROXY", "GOMODCACHE", "GONOSUMDB").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	env := strings.Split(string(out), "\n")
	userProxy, userCache, noSumDB := env[0], env[1], env[2]
	cache := goproxy.Dir(filepath.Join(userCache, "cache", "download"))
	s.offline = s.proxy.URL() + "," + cache.URL()
	s.online = s.offline + "," + userProxy
	s.noSumDB = strings.Trim(noSumDB+","+ws.Prefix+"/*", ",")
	files, err := workspace.Files(ws.Root)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"src", "proxy", "modcache", "outside", "bin"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	return s, workspace.Copy(s.src(""), ws.Root, files)
}

// src is the copy of the directory dir of the checkout.
func (s *stage) src(dir string) string { return filepath.Join(s.dir, "src", dir) }

// at is the version of a module that is to be released.
func (s *stage) at(m *workspace.Module) module.Version {
	return module.Version{Path: m.Path(), Version: s.version}
}

// network says where a command may look for modules.
type network int

const (
	siblingsStaged network = iota // siblings in the file proxy, others anywhere
	nothingNew                    // only what the file proxy and the caches hold
)

// run executes a command in dir as a user without go.work would, and returns
// its standard output.
func (s *stage) run(ctx context.Context, net network, dir string, argv ...string) (string, error) {
	proxy := s.online
	if net == nothingNew {
		proxy = s.offline
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"PWD="+dir,
		"GOWORK=off",
		"GOOS=", "GOARCH=", // what is built here runs here
		"GOPROXY="+proxy,
		"GONOPROXY=none", // GOPRIVATE would make the go command pass by the file proxy
		"GONOSUMDB="+s.noSumDB,
		"GOMODCACHE="+filepath.Join(s.dir, "modcache"),
		"GOBIN="+filepath.Join(s.dir, "bin"),
		// -trimpath keeps the temporary directory out of the build cache's keys,
		// so that the second check compiles nothing anew.
		"GOFLAGS=-modcacherw -trimpath -buildvcs=false",
	)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s: %w\n%s%s", strings.Join(argv, " "), err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.String(), nil
}

// goFiles are a module's go.mod and go.sum; sum is nil if there is none.
type goFiles struct{ mod, sum []byte }

func readGoFiles(dir string) (f goFiles, err error) {
	if f.mod, err = os.ReadFile(filepath.Join(dir, "go.mod")); err != nil {
		return f, err
	}
	if f.sum, err = os.ReadFile(filepath.Join(dir, "go.sum")); errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	return f, err
}

func (f goFiles) write(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), f.mod, 0o644); err != nil {
		return err
	}
	name := filepath.Join(dir, "go.sum")
	if len(f.sum) > 0 {
		return os.WriteFile(name, f.sum, 0o644)
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// tidy runs "go mod tidy" on the copy of a module. It returns the files as
// they are to be committed, without hashes of siblings, and the complete
// go.sum that the go command wrote. The copy is left as it is to be committed.
func (s *stage) tidy(ctx context.Context, m *workspace.Module) (commit goFiles, fullSum []byte, err error) {
	dir := s.src(m.Dir)
	if _, err := s.run(ctx, siblingsStaged, dir, "go", "mod", "tidy"); err != nil {
		return commit, nil, err
	}
	if commit, err = readGoFiles(dir); err != nil {
		return commit, nil, err
	}
	fullSum = commit.sum
	commit.sum = s.ws.StripOwnSums(commit.sum)
	return commit, fullSum, commit.write(dir)
}
