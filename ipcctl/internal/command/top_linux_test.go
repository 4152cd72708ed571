package command_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal, pty(7), with a command on it.
type terminal struct {
	t      *testing.T
	master *os.File
	width  int
	height int
	before unix.Termios
	b      *background
	read   chan bool // closed once all output has been read
	mu     sync.Mutex
	output strings.Builder
}

func onTerminal(t *testing.T, width, height uint16, args ...string) *terminal {
	t.Helper()
	cmd := command(t, args...)
	cmd.Env = append(cmd.Env, "TERM=xterm", "NO_COLOR=", "LC_ALL=C.UTF-8") // in others, bars are not drawn by blocks
	return withTerminal(t, width, height, cmd)
}

// withTerminal starts any command on a terminal.
func withTerminal(t *testing.T, width, height uint16, cmd *exec.Cmd) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: height, Col: width}); err != nil {
		t.Fatal(err)
	}
	var before unix.Termios
	if m, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS); err == nil {
		before = *m
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	term := &terminal{t: t, master: master, b: &background{cmd: cmd, done: make(chan error, 1)}, read: make(chan bool), width: int(width), height: int(height)}
	term.before = before
	go func() {
		defer close(term.read)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			term.mu.Lock()
			term.output.Write(buf[:n])
			term.mu.Unlock()
			if err != nil { // EIO: nobody has the other side any more
				return
			}
		}
	}()
	go func() { term.b.done <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-term.read
		master.Close()
	})
	return term
}

// end waits for the command's end and returns its status and all its output.
func (term *terminal) end() (int, string) {
	term.t.Helper()
	code := term.b.status(term.t)
	<-term.read
	term.mu.Lock()
	defer term.mu.Unlock()
	return code, term.output.String()
}

// screen returns the lines that the terminal shows.
func (term *terminal) screen() []string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return show(term.output.String(), term.width, term.height)
}

// modes returns the settings of the terminal.
func (term *terminal) modes() unix.Termios {
	term.t.Helper()
	m, err := unix.IoctlGetTermios(int(term.master.Fd()), unix.TCGETS)
	if err != nil {
		term.t.Fatal(err)
	}
	return *m
}

// until waits for a screen of which that holds.
func (term *terminal) until(what string, holds func(lines []string) bool) []string {
	term.t.Helper()
	for end := time.Now().Add(watchdog); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if lines := term.screen(); lines != nil && holds(lines) {
			return lines
		}
	}
	term.t.Fatalf("no screen with %s:\n%s", what, strings.Join(term.screen(), "\n"))
	return nil
}

func (term *terminal) typed(keys string) {
	term.t.Helper()
	if _, err := io.WriteString(term.master, keys); err != nil {
		term.t.Fatal(err)
	}
}

// restored checks that the terminal is as it was.
func (term *terminal) restored(output string) {
	term.t.Helper()
	for _, code := range []string{"\x1b[?1049l", "\x1b[?25h"} { // the screen of before, with a cursor
		if on := strings.Replace(code, "l", "h", 1); !strings.Contains(output, code) || code != on && strings.LastIndex(output, on) > strings.LastIndex(output, code) {
			term.t.Errorf("the output ends without %q: %q", code, output[max(0, len(output)-200):])
		}
	}
	if after := term.modes(); after != term.before {
		term.t.Errorf("the terminal's settings are %+v, were %+v", after, term.before)
	}
}

func contains(lines []string, text string) bool {
	return strings.Contains(strings.Join(lines, "\n"), text)
}

// TestTopOnTerminal drives top in a pseudo-terminal and reads the screen.
func TestTopOnTerminal(t *testing.T) {
	is := is.New(t)
	name := newQueue(t, "--capacity", "8", "--max-message", "64")
	must(t, "", "queue", "put", name, "a", "b", "c", "d")
	tag := strings.TrimPrefix(name, "ipcctl-test-")
	term := onTerminal(t, 80, 24, "top", "--interval", "50ms", "--kind", "queue")

	term.until("a title", func(l []string) bool { return strings.HasPrefix(l[0], "ipcctl top") })
	term.typed("/" + tag)
	term.until("the filter being typed", func(l []string) bool { return contains(l, "filter: "+tag) })
	term.typed("\r")
	lines := term.until("the queue alone", func(l []string) bool { return contains(l, "filter: "+tag+" ") && contains(l, name) })
	is.Equal(len(lines), 24)
	is.True(contains(lines, "4 ██░░")) // half full
	for _, l := range lines {
		if n := len([]rune(l)); n > 80 {
			t.Errorf("a line of %d columns: %q", n, l)
		}
	}
	term.typed("\r")
	term.until("the queue in detail", func(l []string) bool { return contains(l, "4 of 8") && contains(l, "Enter back") })
	must(t, "", "queue", "get", name)
	term.until("a change", func(l []string) bool { return contains(l, "3 of 8") && contains(l, "1 taken") })
	term.typed("p")
	term.until("a pause", func(l []string) bool { return contains(l, "paused") })
	term.typed("p\rs")
	term.until("another order", func(l []string) bool { return contains(l, "s sort (rate)") })
	term.typed("q")
	code, output := term.end()
	is.Equal(code, 0)
	term.restored(output)
}

func TestTopInterrupted(t *testing.T) {
	is := is.New(t)
	term := onTerminal(t, 80, 24, "top")
	term.until("a title", func(l []string) bool { return strings.HasPrefix(l[0], "ipcctl top") })
	term.typed("\x03")
	code, output := term.end()
	is.Equal(code, -1) // of SIGINT, after the terminal was restored
	term.restored(output)
}

func TestTopWithoutTerminal(t *testing.T) {
	is := is.New(t)
	name := newQueue(t)
	must(t, "", "queue", "put", name, "a")
	out := must(t, "", "top", "--kind", "queue", "--count", "2", "--interval", "20ms")
	is.Equal(strings.Count(out, "KIND"), 2)
	is.Equal(strings.Count(out, name), 2)
	o := find(conforms(t, "ipcctl top", must(t, "", "top", "--json", "--count=1")), name)
	is.Equal(o["rates"].(map[string]any)["waiting"], 1.0)
	fails(t, 2, []string{"top", "--kind", "queues"}, `did you mean "queue"?`)
	fails(t, 2, []string{"top", "--interval", "0"}, "at least 10ms")
}

// TestTopResized: a wider screen shows more at once.
func TestTopResized(t *testing.T) {
	is := is.New(t)
	term := onTerminal(t, 80, 24, "top", "--interval", "1h", "--kind", "fifo") // others may have what is wide
	term.until("the usual columns", func(l []string) bool { return contains(l, "TAKEN/S") && !contains(l, "ATTACHED") })
	term.mu.Lock()
	term.width = 140
	term.mu.Unlock()
	is.NoErr(unix.IoctlSetWinsize(int(term.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 140}))
	term.until("more columns", func(l []string) bool { return contains(l, "ATTACHED") })
	term.typed("q")
	code, _ := term.end()
	is.Equal(code, 0)
}

// TestTopWithoutColour: NO_COLOR is heeded, and TERM=dumb gets lines.
func TestTopWithoutColour(t *testing.T) {
	is := is.New(t)
	serving(t) // live, which is green but for the chosen line
	serving(t)
	coloured := regexp.MustCompile("\x1b\\[[0-9;]*[34][0-7][;m]")
	for env, want := range map[string]bool{"NO_COLOR=": true, "NO_COLOR=1": false} {
		cmd := command(t, "top", "--count", "1", "--interval", "50ms", "--kind", "socket")
		cmd.Env = append(cmd.Env, "TERM=xterm", env)
		term := withTerminal(t, 80, 24, cmd)
		code, output := term.end()
		is.Equal(code, 0)
		is.Equal(coloured.MatchString(output), want) // with NO_COLOR, and without
	}
	cmd := command(t, "top", "--count", "1", "--kind", "socket")
	cmd.Env = append(cmd.Env, "TERM=dumb")
	term := withTerminal(t, 80, 24, cmd)
	code, output := term.end()
	is.Equal(code, 0)
	is.True(strings.Contains(output, "KIND") && !strings.Contains(output, "\x1b"))
}

func TestColour(t *testing.T) {
	is := is.New(t)
	term := onTerminal(t, 80, 24, "doctor")
	_, output := term.end()
	is.True(strings.Contains(output, "\x1b[32mok"))
	is.True(!strings.Contains(run(t, "", "doctor").out, "\x1b")) // not in a pipe
}
