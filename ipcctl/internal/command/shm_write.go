package command

import (
	"errors"
	"fmt"
	"io"

	"github.com/ipcctl/ipc/shm"
	"github.com/urfave/cli/v2"
)

func shmWriteVerb() *node {
	return &node{
		name:  "write",
		usage: "write a message, or stdin, into a segment",
		args:  "NAME [MESSAGE]",
		about: "All of it is written or, if it doesn't fit, nothing. What follows it in the\n" +
			"segment stays as it was.",
		flags: []cli.Flag{sizeFlag("offset", "where to begin", 0)},
		examples: []example{
			{"ipcctl shm write frames hello", "five bytes at the beginning"},
			{"ipcctl shm write frames --offset 4KiB < frame.raw", "a file, further on"},
		},
		run: func(c *call) error {
			from, err := c.size("offset")
			if err != nil {
				return err
			}
			region, err := shm.Open(c.arg(0), nil)
			if err != nil {
				return shmAdvice(err)
			}
			defer region.Close()
			most := bound{max(region.Size()-from, 0), fmt.Errorf("they don't fit %q, which has %d", region.Name(), region.Size())}
			return c.each(c.ctx, c.args()[1:], most, func(msg []byte) error {
				_, err := region.WriteAt(msg, int64(from))
				if errors.Is(err, io.ErrShortWrite) {
					return fmt.Errorf("%d bytes at offset %d don't fit %q, which has %d",
						len(msg), from, region.Name(), region.Size())
				}
				return offsetAdvice(err)
			})
		},
	}
}
