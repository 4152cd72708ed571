package tour

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/ipcctl/ipc/pipe"
	"github.com/ipcctl/ipc/socket"
)

// pipeStep: a child inherits the write end of a pipe and one end of a duplex
// pair; it sends a message through the one and answers on the other.
func pipeStep(g *guide, r *Result) error {
	read, write, err := pipe.New()
	if err != nil {
		return err
	}
	defer read.Close()
	ours, theirs, err := pipe.Duplex()
	if err != nil {
		write.Close()
		return err
	}
	defer ours.Close()

	child, err := g.startWith(write, theirs)
	if err != nil {
		return err
	}
	msg, err := read.Recv(g.ctx)
	if err != nil {
		return fmt.Errorf("the child's message: %w", err)
	}
	if want := fmt.Sprintf("hello from %d", child.pid()); string(msg) != want {
		return fmt.Errorf("the child sent %q, want %q", msg, want)
	}
	if _, err := read.Recv(g.ctx); !errors.Is(err, io.EOF) {
		return fmt.Errorf("after the child closed its end: %v, want %v", err, io.EOF)
	}
	took, err := p50(trips, func() error { return exchange(g.ctx, ours, "ping", "ping") })
	if err != nil {
		return err
	}
	r.What = fmt.Sprintf("child %d sent its parent %q; a duplex pair both ways", child.pid(), msg)
	r.Figure = short(took) + " a round trip"
	return nil
}

// startWith starts the child, which takes over both ends: descriptors 3 and 4.
func (g *guide) startWith(w *pipe.Writer, c *socket.Conn) (*peer, error) {
	defer w.Close()
	defer c.Close()
	third, err := w.Detach()
	if err != nil {
		return nil, err
	}
	defer third.Close()
	fourth, err := c.File()
	if err != nil {
		return nil, err
	}
	defer fourth.Close()
	cmd := exec.Command(g.self, "tour-peer", "child")
	cmd.ExtraFiles = []*os.File{third, fourth}
	return g.launch("child", cmd)
}

// playChild sends a message into descriptor 3 and echoes on descriptor 4.
func playChild(s *stage) error {
	w, err := pipe.NewWriter(os.NewFile(3, "pipe"))
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Send(s.ctx, fmt.Appendf(nil, "hello from %d", os.Getpid())); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	c, err := socket.FromFile(os.NewFile(4, "duplex"))
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		m, err := c.Recv(s.ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := c.Send(s.ctx, m.Data); err != nil {
			return err
		}
	}
}
