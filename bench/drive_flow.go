package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

func driveFlow(m *mechanism, j *Job) (Result, error) {
	files, err := twoPipes()
	if err != nil {
		return Result{}, err
	}
	end, remove, err := m.flow.setup(j)
	if err != nil {
		return Result{}, err
	}
	defer remove()
	var producers, consumers []*process
	start := func(role string, n int, into *[]*process) error {
		for range n {
			p, err := startRole(role, j, files)
			if err != nil {
				return err
			}
			*into = append(*into, p)
			if err := p.ready(); err != nil {
				return err
			}
		}
		return nil
	}
	defer func() {
		for _, p := range append(producers, consumers...) {
			p.kill()
		}
	}()
	if err := start("consume", j.Consumers, &consumers); err != nil {
		return Result{}, err
	}
	if err := start("produce", j.Producers, &producers); err != nil {
		return Result{}, err
	}
	for _, f := range files {
		f.Close()
	}
	if err := j.apart(producers[0].cmd.Process.Pid, consumers[0].cmd.Process.Pid); err != nil {
		return Result{}, err
	}
	for _, p := range producers {
		if _, err := io.WriteString(p.in, "go\n"); err != nil {
			return Result{}, err
		}
	}
	var sent, got, first, last int64
	for i, p := range producers {
		r, err := p.report()
		if err != nil {
			return Result{}, err
		}
		sent += r.Count
		if i == 0 || r.Start < first {
			first = r.Start
		}
	}
	if err := end(); err != nil {
		return Result{}, err
	}
	for _, p := range consumers {
		r, err := p.report()
		if err != nil {
			return Result{}, err
		}
		got += r.Count
		last = max(last, r.End)
	}
	if got != sent {
		return Result{}, fmt.Errorf("%d messages were sent and %d arrived", sent, got)
	}
	return Result{Rate: float64(got) / (float64(last-first) / 1e9), Count: got}, nil
}

func produce(f *flow, j *Job, ready func()) error {
	send, leave, err := f.produce(j)
	if err != nil {
		return err
	}
	msg := make([]byte, j.Size)
	for i := range msg {
		msg[i] = byte(i) | 1
	}
	burst := batchSize
	if j.Size >= 16<<10 {
		burst = 4
	}
	ready()
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	r := report{Start: sharedClock()}
	for begin := time.Now(); time.Since(begin) < j.length(); r.Count += int64(burst) {
		if err := send(msg, burst); err != nil {
			return err
		}
	}
	if err := leave(); err != nil {
		return err
	}
	r.End = sharedClock()
	return json.NewEncoder(os.Stdout).Encode(r)
}
