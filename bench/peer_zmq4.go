package main

import (
	"path/filepath"

	"github.com/go-zeromq/zmq4"
)

func zmqAddress(j *Job) string { return "ipc://" + filepath.Join(j.Dir, "z") }

var zmq4Ping = &pinger{
	serve: func(j *Job, ready func()) error {
		s := zmq4.NewRep(ctx)
		if err := s.Listen(zmqAddress(j)); err != nil {
			return err
		}
		ready()
		for {
			m, err := s.Recv()
			if err != nil {
				return err
			}
			if err := s.Send(m); err != nil {
				return err
			}
		}
	},
	dial: func(j *Job) (func([]byte) error, error) {
		s := zmq4.NewReq(ctx)
		if err := s.Dial(zmqAddress(j)); err != nil {
			return nil, err
		}
		return func(msg []byte) error {
			if err := s.Send(zmq4.NewMsg(msg)); err != nil {
				return err
			}
			m, err := s.Recv()
			return sameLength(m.Bytes(), msg, err)
		}, nil
	},
}

// zmq4Flow ends with a message of one byte.
var zmq4Flow = &flow{
	setup: nothing,
	produce: func(j *Job) (func([]byte, int) error, func() error, error) {
		s := zmq4.NewPush(ctx)
		if err := s.Dial(zmqAddress(j)); err != nil {
			return nil, nil, err
		}
		return func(msg []byte, n int) error {
			for range n {
				if err := s.Send(zmq4.NewMsg(msg)); err != nil {
					return err
				}
			}
			return nil
		}, func() error { return s.Send(zmq4.NewMsg([]byte{0})) }, nil
	},
	consume: func(j *Job, ready func()) (n int64, err error) {
		s := zmq4.NewPull(ctx)
		if err := s.Listen(zmqAddress(j)); err != nil {
			return 0, err
		}
		ready()
		for ; ; n++ {
			m, err := s.Recv()
			if err != nil {
				return n, err
			}
			if len(m.Bytes()) == 1 {
				return n, nil
			}
		}
	},
}
