//go:build !ipcportable

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/matryer/is"
)

// Processes of 32 and of 64 bits share one queue.
func TestTwoWordSizes(t *testing.T) {
	is := is.New(t)
	small := filepath.Join(t.TempDir(), "e2e.386")
	build := exec.Command("go", "test", "-c", "-o", small, ".")
	build.Env = append(os.Environ(), "GOARCH=386", "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	t.Logf("%s", out)
	is.NoErr(err)
	history := record(t, "fifo", os.Args[0], small)
	if porcupine.CheckOperationsTimeout(model, history, time.Minute) != porcupine.Ok {
		t.Fatalf("no order of these calls is that of a FIFO queue: %+v", history)
	}
}
