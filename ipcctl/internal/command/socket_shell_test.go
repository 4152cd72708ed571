//go:build unix

package command

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ipcctl/ipc/acl"
	"github.com/matryer/is"
)

// TestShellOfAnEndedCall: a call's deadline may reach the server first. The client then
// learns of the deadline, and not of the signal that has ended the command.
func TestShellOfAnEndedCall(t *testing.T) {
	is := is.New(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := new(server).shell(ctx, "sleep 60", acl.Subject{}, nil)
	is.True(errors.Is(err, context.DeadlineExceeded)) // err
}
