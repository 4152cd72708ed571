package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"

	"github.com/ipcctl/ipc/ipcctl/internal/version"
	"github.com/urfave/cli/v2"
)

// Streams are the three streams of one run of the command. Data goes to Out,
// everything else to Err.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// call is one run of one verb: its flags and arguments, parsed, and where its
// data goes. Out is buffered; flush sends it on, and the end of the verb does.
type call struct {
	flags *cli.Context
	ctx   context.Context
	in    io.Reader
	out   *bufio.Writer
	err   io.Writer
	paint palette
	width int // columns of the terminal on Out, 0 when it is none
}

func (c *call) args() []string      { return c.flags.Args().Slice() }
func (c *call) arg(i int) string    { return c.flags.Args().Get(i) }
func (c *call) json() bool          { return c.flags.Bool("json") }
func (c *call) set(n string) bool   { return c.flags.IsSet(n) }
func (c *call) flush() error        { return c.out.Flush() }
func (c *call) bool(n string) bool  { return c.flags.Bool(n) }
func (c *call) str(n string) string { return c.flags.String(n) }
func (c *call) int(n string) int    { return c.flags.Int(n) }

// notef writes one line for a person to the error stream.
func (c *call) notef(format string, args ...any) {
	fmt.Fprintln(c.err, oneLine(fmt.Sprintf(format, args...)))
}

// signalled is the cause of a context that a signal ended, and the error of a verb
// whose reader has gone.
type signalled struct{ sig os.Signal }

func (s signalled) Error() string { return "interrupted by " + s.sig.String() }

// Main runs the command line of the process and returns its exit status. A
// verb that a signal ended cleans up first; then the process dies of that
// signal, so that a shell's loop around it ends too.
func Main() int {
	err := run(os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	var (
		by    signalled
		quiet silent
	)
	switch {
	case err == nil || errors.As(err, &quiet): // the verb's own output has said it
	case errors.As(err, &by):
		dieOf(by.sig)
	default:
		fmt.Fprintln(os.Stderr, err)
	}
	return statusOf(err)
}

// untilSignal returns a context that a signal ends. It costs half a
// millisecond, as long as a small program takes to start: only a verb that
// could have something to clean up pays it.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, stopSignals()...)
	catchBrokenPipe()
	go func() {
		s := <-signals
		signal.Stop(signals) // a second signal ends the process at once
		cancel(signalled{s})
	}()
	return ctx
}

// run runs one command line, without the program's name. Its error is the line
// that a person reads.
func run(line []string, s Streams) error {
	root := tree()
	req, err := arrange(root, line)
	name := strings.Join(append([]string{root.name}, req.path...), " ")
	if err != nil {
		return explain(name, err)
	}
	to := &stdout{s.Out, context.Background()}
	out := bufio.NewWriter(to)
	paint, width := terminal(s.Out)
	switch {
	case req.version:
		fmt.Fprintln(out, version.Text())
		return explain(name, out.Flush())
	case req.help || len(req.path) == 0:
		writeHelp(out, req.node, name, paint)
		return explain(name, out.Flush())
	case req.node.run == nil:
		return explain(name, usagef("which verb? One of: %s", strings.Join(req.node.names(), ", ")))
	}

	var failed error
	app := &cli.App{
		Name:            root.name,
		HideHelp:        true,
		HideHelpCommand: true,
		HideVersion:     true,
		// A list is a flag given again: commas belong to its values.
		DisableSliceFlagSeparator: true,
		Writer:                    io.Discard,
		ErrWriter:                 io.Discard,
		OnUsageError:              func(_ *cli.Context, err error, _ bool) error { return usagef("%v", err) },
		ExitErrHandler:            func(*cli.Context, error) {},
		Commands: root.commands(req.path, func(n *node, cc *cli.Context) error {
			if err := n.checkArgs(cc.Args().Slice()); err != nil {
				return err
			}
			if cc.Bool("lines") && cc.Args().Len() > 1 && strings.HasSuffix(n.args, "[MESSAGE...]") {
				return usagef("--lines reads stdin, so it takes no message arguments")
			}
			if cc.Duration("timeout") < 0 {
				return usagef("--timeout %v is negative", cc.Duration("timeout"))
			}
			c := &call{flags: cc, ctx: context.Background(), in: s.In, out: out, err: s.Err, paint: paint, width: width}
			if !n.instant {
				c.ctx = untilSignal()
				to.ctx = c.ctx
			}
			failed = n.guarded(c)
			if err := c.flush(); failed == nil && err != nil {
				failed = err
			}
			if by := context.Cause(c.ctx); failed != nil && by != nil {
				failed = by
			}
			return nil
		}),
	}
	if err := app.Run(append([]string{root.name}, req.args...)); err != nil {
		return explain(name, usagef("%s", strings.TrimSuffix(err.Error(), ": parse error")))
	}
	return explain(name, failed)
}

// guarded runs the verb. Whatever goes wrong inside, memory that another
// process truncated under us included, is one line for a person.
func (n *node) guarded(c *call) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("internal fault: %v", p)
		}
	}()
	return n.run(c)
}
