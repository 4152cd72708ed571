package command_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// traces lists what a tour with that temporary folder has left.
func traces(t *testing.T, tmp string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(tmp, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// memory lists what the tour that works in that folder has in shared memory:
// its names begin with the folder's.
func memory(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob("/dev/shm/*" + filepath.Base(dir) + "*")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestTour(t *testing.T) {
	is := is.New(t)
	tmp := t.TempDir()
	cmd := command(t, "tour", "--json")
	cmd.Env = append(cmd.Env, "TMPDIR="+tmp)
	r := finish(t, cmd)
	is.Equal(r.code, 0)
	is.Equal(r.err, "")
	seen := map[string]bool{}
	for _, o := range conforms(t, "ipcctl tour", r.out) {
		step := o["step"].(string)
		seen[step] = true
		if o["ok"] != true && !(step == "python" && o["skipped"] == true && os.Getenv("IPC_REQUIRE_PYTHON") == "") {
			t.Errorf("%s: %v", step, o["what"])
		}
		if o["ok"] == true && o["figure"] == "" {
			t.Errorf("%s has no figure", step)
		}
	}
	for _, step := range []string{"socket", "acl", "pipe", "shm", "queue", "crash", "lease", "python"} {
		is.True(seen[step]) // every step reports
	}
	is.Equal(traces(t, tmp), nil)
}

func TestTourTable(t *testing.T) {
	is := is.New(t)
	out := must(t, "", "tour")
	lines := strings.Split(out, "\n")
	is.Equal(strings.Fields(lines[0]), []string{"MECHANISM", "WHAT", "HAPPENED", "FIGURE"})
	for _, line := range lines {
		if n := len([]rune(line)); n > 80 {
			t.Errorf("a line is %d columns wide: %s", n, line)
		}
	}
	is.True(strings.Contains(out, "nothing is left behind"))
}

// TestTourWithoutPython has no python3 on PATH: the tour says so and goes on.
func TestTourWithoutPython(t *testing.T) {
	is := is.New(t)
	cmd := command(t, "tour")
	cmd.Env = append(cmd.Env, "PATH=/nonexistent")
	r := finish(t, cmd)
	is.Equal(r.code, 0)
	is.True(strings.Contains(r.out, "no python3 on PATH"))
}

// TestTourInterrupted interrupts and kills tours at various moments: nothing
// may stay behind, whatever the guide was doing.
func TestTourInterrupted(t *testing.T) {
	for name, kill := range map[string]os.Signal{"interrupt": os.Interrupt, "kill": os.Kill} {
		for _, step := range []string{"socket", "shm", "crash"} {
			if testing.Short() && step != "shm" {
				continue
			}
			t.Run(name+" after "+step, func(t *testing.T) {
				t.Parallel()
				tmp := t.TempDir()
				cmd := command(t, "tour", "--json")
				cmd.Env = append(cmd.Env, "TMPDIR="+tmp)
				b := launch(t, "", cmd)
				for !strings.Contains(next(t, b.lines), `"step":"`+step+`"`) {
				}
				dir := traces(t, tmp)
				if len(dir) != 1 {
					t.Fatalf("a tour at work has one folder, not %v", dir)
				}
				if err := cmd.Process.Signal(kill); err != nil {
					t.Fatal(err)
				}
				if code := b.status(t); code != -1 {
					t.Errorf("status %d, want an end by the signal", code)
				}
				// The janitor outlives a killed guide for a moment.
				for end := time.Now().Add(watchdog); ; time.Sleep(time.Millisecond) {
					left := append(traces(t, tmp), memory(t, dir[0])...)
					if left == nil {
						break
					}
					if time.Now().After(end) {
						t.Fatalf("still there: %v", left)
					}
				}
			})
		}
	}
}

func TestTourStepFails(t *testing.T) {
	is := is.New(t)
	// A python3 that fails is a step that fails.
	bin := t.TempDir()
	is.NoErr(os.WriteFile(filepath.Join(bin, "python3"), []byte("#!/bin/sh\necho no snake today >&2; exit 7\n"), 0o755))
	cmd := command(t, "tour")
	cmd.Env = append(cmd.Env, "PATH="+bin+":"+os.Getenv("PATH"))
	r := finish(t, cmd)
	is.Equal(r.code, 1)
	is.True(strings.Contains(r.out, "FAILED"))
	is.True(strings.Contains(r.err, "step python"))
	fails(t, 2, []string{"tour", "queue"}, "no arguments")
}
