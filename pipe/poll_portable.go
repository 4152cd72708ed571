//go:build unix && (!linux || ipcportable)

package pipe

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// pollerSeesWriters is false: kqueue keeps reporting the end of a FIFO whose
// writers are gone, so waiting for the next one in the poller would spin.
const pollerSeesWriters = false

// pollMax bounds how long a wait that the poller cannot do sleeps between two looks.
const pollMax = 20 * time.Millisecond

// park runs the step until it is done, looking for a next writer at growing
// intervals while there is none.
func (d *desc) park(ctx context.Context) error {
	for pause := time.Millisecond; ; pause = min(2*pause, pollMax) { // ends: bytes, an error, ctx, Close
		d.err = nil
		if err := d.do(d.step); err != nil || d.err != unix.EAGAIN {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// sleep waits for pause or the end of ctx.
func sleep(ctx context.Context, pause time.Duration) error {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hungUp is false: not every system keeps "gone" apart from "not yet here".
func (d *desc) hungUp() bool { return false }
