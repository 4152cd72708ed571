package command

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/ipcctl/ipc/shm"
	"github.com/urfave/cli/v2"
)

func shmCreateVerb() *node {
	return &node{
		name:  "create",
		usage: "make a segment of zeroed memory and print its name",
		about: "Its space is reserved at once: what does not fit in /dev/shm fails here. It stays\n" +
			"until it is removed (ipcctl shm rm). A generated name is one for the life of a\n" +
			"process: ipcctl gc --yes removes it when nobody uses it. A --name is kept.",
		flags: []cli.Flag{
			sizeFlag("size", "its size in bytes, such as 4096 or 64KiB", 0),
			&cli.StringFlag{Name: "name", Usage: "its `NAME`", DefaultText: "psm_ and eight hex digits"},
			modeFlag,
			jsonFlag,
		},
		examples: []example{
			{"ipcctl shm create --size 1MiB", "prints a name such as psm_0a1b2c3d"},
			{"ipcctl shm create --size 4096 --name frames --mode 0640", "readable by the group"},
		},
		run: shmCreate,
	}
}

func shmCreate(c *call) error {
	if err := c.required("size"); err != nil {
		return err
	}
	n, err := c.size("size")
	if err != nil {
		return err
	}
	mode, err := c.mode()
	if err != nil {
		return err
	}
	if c.set("name") && c.str("name") == "" {
		return usagef("--name is empty")
	}
	if err := checkRoom(c.str("name"), int64(n)); err != nil {
		return shmAdvice(err)
	}
	region, err := shm.Create(c.str("name"), n, &shm.Options{Mode: mode})
	if err != nil {
		return shmAdvice(err)
	}
	defer region.Close()
	if c.json() {
		return c.print(struct {
			Name string `json:"name"`
			Size int    `json:"size"`
			Mode string `json:"mode"`
		}{region.Name(), region.Size(), fmt.Sprintf("%04o", mode)})
	}
	fmt.Fprintln(c.out, region.Name())
	return nil
}

// modeFlag sets the permissions of what a verb creates.
var modeFlag = &cli.StringFlag{Name: "mode", Usage: "its permissions, in `OCTAL`", Value: "0600"}

func (c *call) mode() (os.FileMode, error) {
	n, err := strconv.ParseUint(c.str("mode"), 8, 32)
	if err != nil || n > 0o777 || n == 0 {
		return 0, usagef("--mode %q: want octal permissions such as 0640", c.str("mode"))
	}
	return os.FileMode(n), nil
}

// shmAdvice says what to do about the common faults of segments.
func shmAdvice(err error) error {
	switch {
	case err == nil:
		return nil
	case isAny(err, shm.ErrName, shm.ErrSize):
		return usagef("%v", err)
	case errors.Is(err, os.ErrNotExist):
		return advise(err, "ipcctl ls --kind shm lists what there is")
	case errors.Is(err, os.ErrExist):
		return advise(err, "choose another --name, or remove it with ipcctl shm rm")
	case errors.Is(err, syscall.ENOSPC):
		return advise(err, "ipcctl doctor shows how much room there is")
	case errors.Is(err, os.ErrPermission):
		return advise(err, "ipcctl ls --kind shm shows its owner and mode")
	}
	return err
}
