package command

import (
	"encoding/hex"
	"fmt"
	"io"
	"strconv"

	"github.com/ipcctl/ipc/shm"
	"github.com/urfave/cli/v2"
)

func shmDumpVerb() *node {
	return &node{
		name:  "dump",
		usage: "show the contents of a segment to a reader",
		args:  "NAME",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "as", Usage: "how to show it`hex|text|shareablelist`", Value: "hex"},
			sizeFlag("offset", "where to begin", 0),
			sizeFlag("length", "how much to show; all without it", 0),
		},
		examples: []example{
			{"ipcctl shm dump frames --length 64", "offsets, bytes and characters"},
			{"ipcctl shm dump psm_0a1b2c3d --as shareablelist", "the items of Python's ShareableList"},
		},
		run: shmDump,
	}
}

func shmDump(c *call) error {
	as := c.str("as")
	if forms := []string{"hex", "text", "shareablelist"}; !containsWord(forms, as) {
		return usagef("--as %s%s", as, didYouMean(as, forms, "%q"))
	}
	seg, err := shm.OpenReader(c.arg(0), nil)
	if err != nil {
		return shmAdvice(err)
	}
	defer seg.Close()
	if as == "shareablelist" {
		return c.dumpList(c.arg(0))
	}
	from, err := c.offset(seg.Name(), seg.Size())
	if err != nil {
		return err
	}
	length := int64(seg.Size()) - from
	if n, err := c.size("length"); err != nil {
		return err
	} else if c.set("length") {
		length = min(length, int64(n))
	}
	part := io.NewSectionReader(seg, from, length)
	if as == "text" {
		_, err := io.Copy(visible{c.out}, c.reading(part))
		fmt.Fprintln(c.out)
		return err
	}
	d := hex.Dumper(c.out)
	defer d.Close()
	_, err = io.Copy(d, c.reading(part))
	return err
}

// visible passes text on and shows what is none as dots, so that no terminal
// is harmed.
type visible struct{ w io.Writer }

func (v visible) Write(p []byte) (int, error) {
	shown := make([]byte, len(p))
	for i, b := range p {
		if shown[i] = b; b < ' ' && b != '\n' && b != '\t' || b > '~' {
			shown[i] = '.'
		}
	}
	return v.w.Write(shown)
}

// dumpList shows the items of a ShareableList, one a line.
func (c *call) dumpList(name string) error {
	l, err := shm.OpenShareableList(name, nil)
	if err != nil {
		return shmAdvice(err)
	}
	defer l.Close()
	for i := range l.Len() {
		item, err := l.Get(i)
		if err != nil {
			return shmAdvice(err)
		}
		text := fmt.Sprint(item)
		switch v := item.(type) {
		case nil:
			text = "None"
		case string:
			text = strconv.Quote(v)
		case []byte:
			text = fmt.Sprintf("b%q", v)
		}
		fmt.Fprintf(c.out, "%d\t%T\t%s\n", i, item, text)
	}
	return nil
}
