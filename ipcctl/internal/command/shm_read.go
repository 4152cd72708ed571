package command

import (
	"fmt"
	"io"
	"os"

	"github.com/ipcctl/ipc/shm"
	"github.com/urfave/cli/v2"
)

func shmReadVerb() *node {
	return &node{
		name:  "read",
		usage: "write the bytes of a segment to stdout",
		args:  "NAME",
		about: "The bytes alone, and all of them: no newline is added.",
		flags: []cli.Flag{
			sizeFlag("offset", "where to begin", 0),
			sizeFlag("length", "how much to read; up to the end of the segment without it", 0),
			jsonFlag,
		},
		examples: []example{
			{"ipcctl shm read frames --length 5", "the first five bytes"},
			{"ipcctl shm read frames | hexdump -C", "everything"},
		},
		run: shmRead,
	}
}

func shmRead(c *call) error {
	seg, err := shm.OpenReader(c.arg(0), nil)
	if err != nil {
		return shmAdvice(err)
	}
	defer seg.Close()
	from, err := c.offset(seg.Name(), seg.Size())
	if err != nil {
		return err
	}
	length := int64(seg.Size()) - from
	if c.set("length") {
		n, err := c.size("length")
		if err != nil {
			return err
		}
		if int64(n) > length {
			return fmt.Errorf("%d bytes at offset %d are more than %q has: %d", n, from, seg.Name(), seg.Size())
		}
		length = int64(n)
	}
	part := io.NewSectionReader(seg, from, length)
	if !c.json() {
		_, err := io.Copy(c.out, c.reading(part))
		return err
	}
	data, err := io.ReadAll(c.reading(part))
	if err != nil {
		return err
	}
	return c.print(struct {
		Name   string `json:"name"`
		Offset int64  `json:"offset"`
		messageJSON
	}{seg.Name(), from, asJSON(data)})
}

// offset returns --offset, which must lie inside the segment.
func (c *call) offset(name string, size int) (int64, error) {
	from, err := c.size("offset")
	if err == nil && from > size {
		err = usagef("--offset %d is outside %q, which has %d bytes", from, name, size)
	}
	return int64(from), err
}

// offsetAdvice makes an offset that can't be a fault of the command line.
func offsetAdvice(err error) error {
	if isAny(err, os.ErrInvalid) {
		return usagef("%v", err)
	}
	return shmAdvice(err)
}
