package command

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/ipcctl/ipc/ipcctl/internal/host"
	"github.com/ipcctl/ipc/shm"
	"github.com/urfave/cli/v2"
)

func shmWatchVerb() *node {
	return &node{
		name:  "watch",
		usage: "print the bytes of a segment that change, as they change",
		args:  "NAME",
		about: "It compares again and again: what changes back in between is not seen. It ends\n" +
			"when the segment's name is removed.",
		flags: []cli.Flag{
			&cli.DurationFlag{Name: "interval", Usage: "look every `D`", Value: 100 * time.Millisecond},
			&cli.IntFlag{Name: "count", Usage: "end after `N` changes"},
			jsonFlag,
		},
		examples: []example{
			{"ipcctl shm watch frames", "what do they write there?"},
		},
		run: shmWatch,
	}
}

// change is a run of bytes that are not what they were.
type change struct {
	Time   time.Time `json:"time"`
	Offset int       `json:"offset"`
	Size   int       `json:"size"`
	Bytes  string    `json:"bytes"` // the first of them, in hexadecimal
}

func shmWatch(c *call) error {
	interval, count := c.flags.Duration("interval"), c.int("count")
	if interval <= 0 || c.set("count") && count < 1 {
		return usagef("--interval and --count want more than 0")
	}
	seg, err := shm.OpenReader(c.arg(0), nil)
	if err != nil {
		return shmAdvice(err)
	}
	defer seg.Close()
	removed := removal(seg.Name())
	c.notef("watching %s", seg.Name())
	old, now := make([]byte, seg.Size()), make([]byte, seg.Size())
	if _, err := seg.ReadAt(old, 0); err != nil && err != io.EOF {
		return err
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for n := 0; count == 0 || n < count; {
		select {
		case <-c.ctx.Done():
			return c.ctx.Err()
		case <-tick.C:
		}
		if _, err := seg.ReadAt(now, 0); err != nil && err != io.EOF {
			return err
		}
		for _, ch := range changes(old, now) {
			if n++; c.json() {
				err = c.print(ch)
			} else {
				fmt.Fprintf(c.out, "%s  %08x  %6s  %s\n", ch.Time.Format("15:04:05.000"), ch.Offset, formatSize(int64(ch.Size)), ch.Bytes)
				err = c.flush()
			}
			if err != nil {
				return err
			}
			if n == count {
				break
			}
		}
		old, now = now, old
		if removed() {
			c.notef("%s was removed", seg.Name())
			return nil
		}
	}
	return nil
}

// removal returns a function that says whether the name of a segment is gone or, which
// only Linux tells, another segment has it.
func removal(name string) func() bool {
	file := name
	if !strings.Contains(name, "/") {
		file = shmFolder + "/" + name
	}
	id, idErr := host.ID(file)
	return func() bool {
		again, err := shm.OpenReader(name, nil)
		if err == nil {
			again.Close()
		}
		now, nowErr := host.ID(file)
		return errors.Is(err, os.ErrNotExist) || idErr == nil && nowErr == nil && now != id
	}
}

// changes lists the runs of bytes in which a and b differ; equal bytes between
// them that are fewer than a word count as part of a run.
func changes(a, b []byte) (out []change) {
	const gap, shown = 8, 16
	for i := 0; i < len(a); {
		if a[i] == b[i] {
			// Most of a segment is as it was: skip that quickly.
			const page = 4096
			if i+page <= len(a) && bytes.Equal(a[i:i+page], b[i:i+page]) {
				i += page
			} else {
				i++
			}
			continue
		}
		end := i + 1
		for j := end; j < len(a) && j < end+gap; j++ {
			if a[j] != b[j] {
				end = j + 1
			}
		}
		out = append(out, change{time.Now(), i, end - i, hex.EncodeToString(b[i:min(end, i+shown)])})
		i = end
	}
	return out
}
