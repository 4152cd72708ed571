package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

//go:embed native
var sources embed.FS

// program is a driver in another language, built at its first use. The arguments
// of all are the same, see native/bench.h.
type program struct {
	source string
	build  []string // compiler and libraries; nil: the source is a script
	run    string   // interpreter of a script

	once sync.Once
	path string
	err  error
}

var (
	floorC   = &program{source: "floor.c", build: []string{"cc", "-lrt"}}
	boostCpp = &program{source: "boost.cpp", build: []string{"c++", "-O3", "-lrt", "-pthread"}}
	zmqC     = &program{source: "zmq.c", build: []string{"cc", "-lzmq"}}
	nngC     = &program{source: "nng.c", build: []string{"cc", "-lnng", "-pthread"}}
	peersPy  = &program{source: "peers.py", run: "python3"}
)

// command returns how to run a job, or why the peer is absent.
func (p *program) command(ctx context.Context, scratch string, j *Job) (*exec.Cmd, error) {
	p.once.Do(func() { p.err = p.prepare(ctx, scratch) })
	if p.err != nil {
		return nil, p.err
	}
	args := []string{p.path, j.Mech, string(j.Work), strconv.Itoa(j.Size), strconv.Itoa(max(j.Producers, 1)), strconv.Itoa(max(j.Consumers, 1)), strconv.Itoa(j.Millis), j.Dir, map[bool]string{false: "anywhere", true: "apart"}[j.Apart]}
	if p.run != "" {
		args = append([]string{p.run}, args...)
	}
	return exec.CommandContext(ctx, args[0], args[1:]...), nil
}

// prepare writes the sources out and compiles them.
func (p *program) prepare(ctx context.Context, scratch string) error {
	for _, name := range []string{"bench.h", p.source} {
		text, err := sources.ReadFile("native/" + name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(scratch, name), text, 0o600); err != nil {
			return err
		}
	}
	p.path = filepath.Join(scratch, p.source)
	tool := p.run
	if tool == "" {
		tool = p.build[0]
	}
	if _, err := exec.LookPath(tool); err != nil {
		return fmt.Errorf("absent: no %s here", tool)
	}
	if p.build == nil {
		return nil
	}
	out := strings.TrimSuffix(p.path, filepath.Ext(p.path))
	args := append([]string{"-O2", "-DNDEBUG", "-o", out, p.path}, p.build[1:]...)
	if said, err := exec.CommandContext(ctx, p.build[0], args...).CombinedOutput(); err != nil {
		for line := range bytes.Lines(said) {
			if _, what, found := strings.Cut(string(line), "error: "); found {
				return fmt.Errorf("absent: it does not compile here: %s", strings.TrimSpace(what))
			}
		}
		return fmt.Errorf("absent: it does not compile here: %w", err)
	}
	p.path = out
	return nil
}
