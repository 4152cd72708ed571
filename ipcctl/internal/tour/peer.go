package tour

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// peer is a process that takes part in a step, as the guide sees it.
type peer struct {
	role    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	reports chan []byte // lines of its stdout; closed at its end
	errs    *strings.Builder
	gone    chan struct{} // closed once it has been waited for
	trouble chan error    // of all peers of a step: one that failed
}

// start starts a peer in that role.
func (g *guide) start(role string, args ...string) (*peer, error) {
	return g.launch(role, exec.Command(g.self, append([]string{"tour-peer", "--", role}, args...)...))
}

func (g *guide) launch(role string, cmd *exec.Cmd) (*peer, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = append(cmd.ExtraFiles, g.tether)
	p, err := begin(role, cmd, in, g.trouble)
	if err != nil {
		return nil, err
	}
	g.peers = append(g.peers, p)
	g.r.PIDs = append(g.r.PIDs, p.pid())
	return p, nil
}

// begin starts a process whose stdin ends when in is closed.
func begin(role string, cmd *exec.Cmd, in io.WriteCloser, trouble chan error) (*peer, error) {
	p := &peer{role: role, cmd: cmd, in: in, reports: make(chan []byte, 64), errs: new(strings.Builder), gone: make(chan struct{}), trouble: trouble}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = p.errs
	cmd.WaitDelay = hangLimit // for what a process of its own keeps open
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	go func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			p.reports <- append([]byte(nil), lines.Bytes()...)
		}
		if lines.Err() != nil { // nobody reads on: it must not wait for that
			cmd.Process.Kill()
		}
		close(p.reports)
		cmd.Wait()
		if cmd.ProcessState.ExitCode() > 0 { // -1 is an end by a signal: the guide's own
			select {
			case p.trouble <- p.failure():
			default: // another one was first
			}
		}
		close(p.gone)
	}()
	return p, nil
}

func (p *peer) pid() int { return p.cmd.Process.Pid }

// tell gives the peer an order.
func (p *peer) tell(order string) error {
	_, err := io.WriteString(p.in, order+"\n")
	return err
}

// hear waits for the peer's next report and decodes it into v. It ends early
// if any peer of the step fails.
func (p *peer) hear(ctx context.Context, v any) error {
	select {
	case line, ok := <-p.reports:
		if !ok {
			<-p.gone
			return p.failure()
		}
		return json.Unmarshal(line, v)
	case err := <-p.trouble:
		return err
	case <-ctx.Done():
		return fmt.Errorf("no word from the %s process (%d): %w", p.role, p.pid(), ctx.Err())
	}
}

// failure is the error about a peer that ended before its time.
// Precondition: it has been waited for.
func (p *peer) failure() error {
	if text, _, _ := strings.Cut(p.errs.String(), "\n"); text != "" {
		return errors.New(text)
	}
	return fmt.Errorf("the %s process (%d) ended: %v", p.role, p.pid(), p.cmd.ProcessState)
}

// dismiss ends the peer's stdin, and the peer itself if it doesn't follow.
func (p *peer) dismiss() {
	p.in.Close()
	for done := false; !done; {
		select {
		case <-p.gone:
			done = true
		case <-p.reports: // whatever it still says
		case <-time.After(2 * time.Second):
			p.cmd.Process.Kill()
		}
	}
}

// kill ends the peer at once and waits until the kernel has cleaned up.
func (p *peer) kill() {
	p.cmd.Process.Kill()
	for {
		select {
		case <-p.gone:
			return
		case <-p.reports:
		}
	}
}

// startJanitor starts the process that cleans up if the guide can't. Its stdin
// is the read end of the tether, whose write end the guide and all peers hold:
// it ends when all of them have.
func startJanitor(g *guide) (*peer, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := exec.Command(g.self, "tour-peer", "--", "janitor", g.dir, g.prefix)
	cmd.Stdin = r
	p, err := begin("janitor", cmd, w, nil)
	if err != nil {
		w.Close()
		return nil, err
	}
	g.tether = w
	ctx, cancel := context.WithTimeout(context.Background(), stepLimit)
	defer cancel()
	if err := p.hear(ctx, new(struct{})); err != nil {
		p.kill()
		w.Close()
		return nil, err
	}
	return p, nil
}

// stage is what a peer's role works with: the orders of the guide, and the way
// back.
type stage struct {
	ctx    context.Context // ends with stdin
	orders chan string     // lines of stdin
	args   []string
	out    *json.Encoder
}

// report sends v to the guide.
func (s *stage) report(v any) error { return s.out.Encode(v) }

// await waits for the guide's next order.
func (s *stage) await() error {
	select {
	case _, ok := <-s.orders:
		if ok {
			return nil
		}
	case <-s.ctx.Done():
	}
	return errors.New("the guide has gone")
}

var roles = map[string]func(*stage) error{
	"janitor":  playJanitor,
	"server":   playServer,
	"client":   playClient,
	"asker":    playAsker,
	"child":    playChild,
	"writer":   playWriter,
	"reader":   playReader,
	"producer": playProducer,
	"consumer": playConsumer,
	"worker":   playWorker,
}

// Play acts as a peer: the hidden verb tour-peer.
func Play(ctx context.Context, role string, args []string) error {
	play := roles[role]
	if play == nil {
		return fmt.Errorf("no role %q", role)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &stage{ctx: ctx, orders: make(chan string), args: args, out: json.NewEncoder(os.Stdout)}
	go func() {
		defer cancel()
		defer close(s.orders)
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			select {
			case s.orders <- lines.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return play(s)
}
