package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// process is a child of the driver.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	err *tail
}

// startRole starts this program once more. Descriptors 3 to 6 are two pipes,
// read and write end each, for the mechanisms that need them.
func startRole(role string, j *Job, files []*os.File) (*process, error) {
	cmd, err := roleCommand(role, j)
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = files
	p := &process{cmd: cmd, err: &tail{}}
	cmd.Stderr = p.err
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, cmd.Start()
}

func roleCommand(role string, j *Job) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	spec, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "BENCH_ROLE="+role, "BENCH_JOB="+string(spec))
	return cmd, nil
}

// ready waits until the process says so.
func (p *process) ready() error {
	line, err := p.out.ReadString('\n')
	if err != nil || line != "ready\n" {
		return p.failed(fmt.Errorf("said %q, not that it is ready", strings.TrimSpace(line)))
	}
	return nil
}

func (p *process) report() (r report, err error) {
	line, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err != nil {
		return r, p.failed(err)
	}
	return r, nil
}

// failed is err with what the process said last.
func (p *process) failed(err error) error {
	p.kill()
	if said := p.err.String(); said != "" {
		return errors.New(said)
	}
	return fmt.Errorf("another process of the measurement: %w", err)
}

func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill() // it may have ended already
		_ = p.cmd.Wait()         // killed is how it should end
	}
}

// tail keeps the last line written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if n := len(t.text); n > 8<<10 {
		t.text = t.text[n-8<<10:]
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(string(t.text))
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// twoPipes makes descriptors 3 to 6 of the other processes.
func twoPipes() ([]*os.File, error) {
	for range 2 {
		var fds [2]int
		if err := unix.Pipe(fds[:]); err != nil {
			return nil, err
		}
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
		inherited = append(inherited, os.NewFile(uintptr(fds[0]), "pipe"), os.NewFile(uintptr(fds[1]), "pipe"))
	}
	return inherited, nil
}

// inherited are the pipes of the measurement: in the driver those that it made,
// elsewhere descriptors 3 to 6.
var inherited []*os.File

// pipeEnds returns some ends of the pipes, as os.Pipe would have made them. It
// closes the others, so that the end of a pipe is noticed.
func pipeEnds(keep ...int) ([]*os.File, error) {
	files := inherited
	for fd := 3; len(files) < 4; fd++ {
		files = append(files, os.NewFile(uintptr(fd), "pipe"))
	}
	var kept []*os.File
	for _, k := range keep {
		fd, err := unix.Dup(int(files[k].Fd()))
		if err != nil {
			return nil, err
		}
		if err := unix.SetNonblock(fd, true); err != nil {
			return nil, err
		}
		kept = append(kept, os.NewFile(uintptr(fd), "pipe"))
	}
	for _, f := range files {
		f.Close()
	}
	return kept, nil
}
