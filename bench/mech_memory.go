package main

import "github.com/ipcctl/ipc/shm"

// shmCopy copies a buffer into shared memory.
func shmCopy(j *Job) (func() error, error) {
	r, err := shm.Anonymous(j.Size, &shm.Options{Populate: true})
	if err != nil {
		return nil, err
	}
	msg := make([]byte, j.Size)
	for i := range msg {
		msg[i] = byte(i)
	}
	return func() error {
		_, err := r.WriteAt(msg, 0)
		return err
	}, nil
}
