package command

import (
	"fmt"

	"github.com/ipcctl/ipc/queue"
	"github.com/urfave/cli/v2"
)

func queueCreateVerb() *node {
	return &node{
		name:  "create",
		usage: "make a queue",
		args:  "NAME",
		about: "All its memory is reserved at once: what does not fit in /dev/shm fails here. It\n" +
			"stays until it is removed (ipcctl queue rm).",
		flags: []cli.Flag{
			&cli.IntFlag{Name: "capacity", Usage: "how many messages it holds", Value: 1024},
			sizeFlag("max-message", "the largest message", 64<<10),
			sizeFlag("memory", "the room for all messages together", 0),
			&cli.IntFlag{Name: "lanes", Usage: "how many operations and leases may be under way at once", Value: 64},
			&cli.IntFlag{Name: "max-attempts", Usage: "set a message aside after `N` deliveries without an acknowledgement"},
			modeFlag, jsonFlag,
		},
		examples: []example{
			{"ipcctl queue create jobs --capacity 100 --max-message 4KiB", "for short messages"},
			{"ipcctl queue create mail --max-attempts 3", "with a queue for dead letters"},
		},
		run: queueCreate,
	}
}

func queueCreate(c *call) error {
	o := &queue.Options{Capacity: c.int("capacity"), Lanes: c.int("lanes"), MaxAttempts: c.int("max-attempts")}
	for flag, v := range map[string]int{"capacity": o.Capacity, "lanes": o.Lanes} {
		if v < 1 {
			return usagef("--%s %d: want at least 1", flag, v)
		}
	}
	if o.MaxAttempts < 0 {
		return usagef("--max-attempts %d is negative", o.MaxAttempts)
	}
	var err error
	if o.MaxMessage, err = c.size("max-message"); err != nil {
		return err
	}
	if o.MaxMessage < 1 {
		return usagef("--max-message 0: want at least 1 byte")
	}
	if o.Memory, err = c.size("memory"); err != nil {
		return err
	}
	if o.Mode, err = c.mode(); err != nil {
		return err
	}
	if size, err := o.Size(); err == nil { // else Create says what is wrong
		if err := checkRoom(c.arg(0), size); err != nil {
			return c.queueAdvice(err)
		}
	}
	q, err := queue.Create(c.arg(0), o)
	if err != nil {
		return c.queueAdvice(err)
	}
	defer q.Close()
	if c.json() {
		return c.print(struct {
			Name       string `json:"name"`
			Capacity   int    `json:"capacity"`
			MaxMessage int    `json:"max_message"`
			Mode       string `json:"mode"`
		}{q.Name(), q.Cap(), q.MaxMessage(), fmt.Sprintf("%04o", o.Mode)})
	}
	fmt.Fprintln(c.out, q.Name())
	return nil
}
