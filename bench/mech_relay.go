package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ipcctl/ipc/pipe"
)

// relayPing moves a file into a pipe; its server drains the pipe, in the kernel
// where that can be.
func relayPing(relay bool) *pinger {
	return &pinger{
		serve: func(j *Job, ready func()) error {
			r, _, err := pipeSides(0, 3)
			if err != nil {
				return err
			}
			null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			ready()
			_, err = pipe.Relay(ctx, null, r)
			return err
		},
		dial: func(j *Job) (func([]byte) error, error) {
			_, w, err := pipeSides(2, 1)
			if err != nil {
				return nil, err
			}
			path := filepath.Join(j.Dir, "file")
			if err := os.WriteFile(path, make([]byte, j.Size), 0o600); err != nil {
				return nil, err
			}
			f, err := os.Open(path)
			if err != nil {
				return nil, err
			}
			buf := make([]byte, 64<<10)
			return func([]byte) error {
				if _, err := f.Seek(0, io.SeekStart); err != nil {
					return err
				}
				var n int64
				if relay {
					m, err := pipe.Relay(ctx, w, f)
					if err != nil {
						return err
					}
					n = m.Out
				} else {
					var err error
					if n, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{f}, buf); err != nil {
						return err
					}
				}
				if n != int64(j.Size) {
					return fmt.Errorf("%d bytes were moved of %d", n, j.Size)
				}
				return nil
			}, nil
		},
	}
}
