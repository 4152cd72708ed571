package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// apart keeps the processes of the two sides on the first and on the last CPU,
// if the job says so. They have started by now: to the Go runtime, which looks
// once, both have all CPUs, as they would in use.
func (j *Job) apart(near, far int) error {
	if !j.Apart {
		return nil
	}
	first, last, err := ends()
	if err != nil {
		return err
	}
	for pid, cpu := range map[int]int{near: first, far: last} {
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return err
		}
		var one unix.CPUSet
		one.Set(cpu)
		for _, t := range threads {
			tid, err := strconv.Atoi(t.Name())
			if err != nil {
				return err
			}
			if err := unix.SchedSetaffinity(tid, &one); err != nil {
				return fmt.Errorf("staying on CPU %d: %w", cpu, err)
			}
		}
	}
	return nil
}

// ends returns the first and the last CPU on which this process may run.
func ends() (first, last int, err error) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return 0, 0, err
	}
	first = -1
	for cpu := range 1024 { // CPU_SETSIZE
		if all.IsSet(cpu) {
			if first < 0 {
				first = cpu
			}
			last = cpu
		}
	}
	return first, last, nil
}
