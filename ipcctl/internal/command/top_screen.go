package command

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"
)

// wideEnough is where a line has room for redeliveries, latency and who is
// attached. So much of a name fits there, and elsewhere.
const (
	wideEnough = 110
	wideName   = 30
	narrowName = 20
)

// screen is top on a terminal. All of it belongs to the goroutine that runs app.
type screen struct {
	app    *tview.Application
	title  *tview.TextView
	table  *tview.Table
	detail *tview.TextView
	body   *tview.Pages // of the table, and the detail of the chosen object
	foot   *tview.TextView
	filter *tview.InputField
	bottom *tview.Pages // of the foot, and the filter while it is typed

	paint  palette
	all    []looked
	rows   []looked // those that the table shows
	at     time.Time
	chosen string // the object's id
	sortBy int
	wide   bool
	paused atomic.Bool
}

// The pages.
const (
	tablePage  = "table"
	detailPage = "detail"
	footPage   = "foot"
	filterPage = "filter"
)

func newScreen(paint palette) *screen {
	// The terminal's own colours, whatever they are.
	tview.Styles = tview.Theme{}
	plain := tcell.StyleDefault
	s := &screen{app: tview.NewApplication(), paint: paint}
	text := func() *tview.TextView { return tview.NewTextView().SetDynamicColors(true).SetWrap(false) }
	s.title, s.detail, s.foot = text(), text().SetWrap(true), text()
	s.table = tview.NewTable().SetFixed(1, 0).SetSelectable(true, false).SetEvaluateAllRows(true).SetSelectedStyle(plain.Reverse(true))
	s.table.SetSelectionChangedFunc(func(row, _ int) {
		if row > 0 && row <= len(s.rows) {
			s.chosen = s.rows[row-1].id()
		}
	})
	s.filter = tview.NewInputField().SetLabel("filter: ").SetFieldStyle(plain).SetLabelStyle(plain)
	s.filter.SetChangedFunc(func(string) { s.show() })
	s.filter.SetDoneFunc(func(k tcell.Key) {
		if k == tcell.KeyEscape {
			s.filter.SetText("")
		}
		s.bottom.SwitchToPage(footPage)
		s.app.SetFocus(s.table)
		s.show()
	})
	s.body = tview.NewPages().AddPage(tablePage, s.table, true, true).AddPage(detailPage, s.detail, true, false)
	s.bottom = tview.NewPages().AddPage(footPage, s.foot, true, true).AddPage(filterPage, s.filter, true, false)
	s.app.SetRoot(tview.NewFlex().SetDirection(tview.FlexRow).
		AddItem(s.title, 2, 0, false).AddItem(s.body, 0, 1, true).AddItem(s.bottom, 1, 0, false), true)
	s.app.SetInputCapture(s.key)
	s.app.SetBeforeDrawFunc(func(t tcell.Screen) bool {
		if width, _ := t.Size(); (width >= wideEnough) != s.wide {
			s.wide = !s.wide
			s.show()
		}
		return false
	})
	return s
}

// typing says whether keys belong to the filter.
func (s *screen) typing() bool { page, _ := s.bottom.GetFrontPage(); return page == filterPage }

// open says whether one object alone is shown.
func (s *screen) open() bool { page, _ := s.body.GetFrontPage(); return page == detailPage }

// key does what a key means to all of the screen; what comes back means
// something to the part that has the focus.
func (s *screen) key(e *tcell.EventKey) *tcell.EventKey {
	if e.Key() == tcell.KeyCtrlC {
		if interruptSelf() != nil {
			s.app.Stop()
		}
		return nil
	}
	if s.typing() {
		return e
	}
	switch key := e.Key(); {
	case key == tcell.KeyCtrlD || e.Rune() == 'q':
		s.app.Stop()
	case key == tcell.KeyEscape:
		s.filter.SetText("")
		s.body.SwitchToPage(tablePage)
	case key == tcell.KeyEnter && !s.open() && s.chosen != "":
		s.body.SwitchToPage(detailPage)
	case key == tcell.KeyEnter:
		s.body.SwitchToPage(tablePage)
	case e.Rune() == 's':
		s.sortBy = (s.sortBy + 1) % len(sortings)
	case e.Rune() == 'p':
		s.paused.Store(!s.paused.Load())
	case e.Rune() == '/':
		s.body.SwitchToPage(tablePage)
		s.bottom.SwitchToPage(filterPage)
		s.app.SetFocus(s.filter)
	default:
		return e
	}
	s.show()
	return nil
}

// show brings all parts up to date.
func (s *screen) show() {
	s.rows = shown(s.all, s.filter.GetText(), s.sortBy)
	s.showTitle()
	s.showTable()
	s.showDetail()
	foot := "q quit  ↑↓ choose  Enter show  s sort (" + sortings[s.sortBy].name + ")  / filter  p pause"
	switch {
	case s.open():
		foot = "Enter back  p pause  q quit"
	case s.filter.GetText() != "":
		foot = "filter: " + s.filter.GetText() + "  (/ Esc clears)  " + foot
	}
	s.foot.SetText(s.ansi(s.paint.dim(foot)))
}

// ansi makes the library's marks of text that holds the terminal's codes.
func (s *screen) ansi(text string) string { return tview.TranslateANSI(tview.Escape(text)) }

func (s *screen) showTitle() {
	count := map[string]int{}
	for _, l := range s.all {
		count[l.Kind]++
	}
	var parts []string
	for _, k := range kinds {
		if n := count[k]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, k))
		}
	}
	title := s.paint.bold("ipcctl top") + "  " + s.at.Format(time.TimeOnly) + "  " + orDash(strings.Join(parts, ", "))
	if s.paused.Load() {
		title += s.paint.yellow("  paused")
	}
	s.title.SetText(s.ansi(title))
}

func (s *screen) showTable() {
	s.table.Clear()
	put := func(row, column int, name, text string, style tcell.Style) {
		cell := tview.NewTableCell(tview.Escape(text)).SetStyle(style).SetAlign(tview.AlignLeft)
		if slices.Contains(topRight, name) {
			cell.SetAlign(tview.AlignRight)
		}
		s.table.SetCell(row, column, cell.SetSelectable(row > 0))
	}
	head := topHead(s.wide)
	for i, name := range head {
		put(0, i, name, name, tcell.StyleDefault.Bold(bool(s.paint)))
	}
	chosen := 0
	for k, l := range s.rows {
		for i, text := range l.cells(s.wide) {
			style := tcell.StyleDefault
			switch name := head[i]; {
			case name == "NAME" && s.wide:
				text = cutFront(text, wideName)
			case name == "NAME":
				text = cutFront(text, narrowName)
			case name == "STATE" && bool(s.paint):
				style = style.Foreground(stateColour(text))
			}
			put(k+1, i, head[i], text, style)
		}
		if l.id() == s.chosen {
			chosen = k
		}
	}
	if len(s.rows) > 0 {
		s.table.Select(chosen+1, 0) // the same object, wherever it stands now
	}
}

func stateColour(state string) tcell.Color {
	switch state {
	case live:
		return tcell.ColorGreen
	case orphan, stale:
		return tcell.ColorYellow
	}
	return tcell.ColorDefault
}

func (s *screen) showDetail() {
	lines := []string{"it has gone"}
	if i := slices.IndexFunc(s.all, func(l looked) bool { return l.id() == s.chosen }); i >= 0 {
		lines = s.all[i].detail(s.paint)
	}
	s.detail.SetText(s.ansi(strings.Join(lines, "\n")))
}

// topScreen runs top on a terminal, which it leaves as it found it.
func topScreen(c *call, ob *observer, interval time.Duration, count int) error {
	s := newScreen(c.paint)
	all, err := looking(c, ob.look)
	if err != nil {
		return err
	}
	s.all, s.at = all, time.Now()
	s.show()
	failed := make(chan error, 1)
	go func() {
		defer s.app.Stop()
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for n := 1; ; {
			select {
			case <-c.ctx.Done():
				return
			case <-tick.C:
			}
			if s.paused.Load() {
				continue
			}
			if n++; count > 0 && n > count {
				return
			}
			all, err := ob.look()
			if err != nil {
				failed <- err
				return
			}
			s.app.QueueUpdateDraw(func() {
				s.all, s.at = all, time.Now()
				s.show()
			})
		}
	}()
	if err := s.app.Run(); err != nil {
		return advise(fmt.Errorf("terminal %q: %w", os.Getenv("TERM"), err), "ipcctl top | cat needs no terminal")
	}
	select {
	case err := <-failed:
		return err
	default:
		return c.ctx.Err()
	}
}
