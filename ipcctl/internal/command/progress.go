package command

import (
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/jedib0t/go-pretty/v6/text"
)

// progressAfter is how long something may take before a person is shown that it
// goes on.
const progressAfter = time.Second

// progressBar shows on a terminal how far something is that takes longer than
// progressAfter. Without a terminal it shows nothing.
type progressBar struct {
	c     *call
	w     progress.Writer // nil without a terminal
	t     *progress.Tracker
	step  int64
	begin *time.Timer
	done  chan struct{} // closed when the line is no longer drawn
}

// parts is how finely a step is divided.
const parts = 1000

// progress begins something of that many steps; 0 if that is not known.
func (c *call) progress(what string, steps int) *progressBar {
	p := &progressBar{c: c, t: &progress.Tracker{Message: what, Total: int64(steps) * parts}, done: make(chan struct{})}
	_, width := terminal(c.err)
	if width == 0 {
		return p
	}
	p.w = progress.NewWriter()
	p.w.SetOutputWriter(c.err)
	p.w.SetTerminalWidth(width)
	p.w.SetMessageLength(24)
	p.w.SetTrackerLength(28)
	p.w.SetTrackerPosition(progress.PositionRight)
	p.w.SetUpdateFrequency(100 * time.Millisecond)
	style := progress.StyleBlocks
	style.Visibility = progress.StyleVisibility{Percentage: steps > 0, Time: true, Tracker: true}
	style.Options.Separator, style.Options.PercentFormat = " ", "%3.0f%%"
	style.Options.TimeInProgressPrecision = time.Second
	style.Options.SnipIndicator = "…"
	p.w.SetStyle(style)
	p.w.AppendTracker(p.t)
	w := p.w
	p.begin = time.AfterFunc(progressAfter, func() {
		defer close(p.done)
		w.Render()
	})
	return p
}

// next begins the step of that number, from 0.
func (p *progressBar) next(step int, what string) {
	p.t.UpdateMessage(what)
	p.step = int64(step) * parts
	p.show(0)
}

// show tells which part of the step is done.
func (p *progressBar) show(part float64) {
	p.t.SetValue(p.step + int64(part*parts))
}

// clear ends the showing and removes what was shown. It may be called again.
func (p *progressBar) clear() {
	w := p.w
	p.w = nil
	if w == nil || p.begin.Stop() {
		return
	}
	for ended := false; !ended; {
		w.Stop() // which has no effect before the first line is drawn
		select {
		case <-p.done:
			ended = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	fmt.Fprint(p.c.err, text.CursorUp.Sprint(), text.EraseLine.Sprint())
}
