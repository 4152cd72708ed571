//go:build !linux

package main

import "errors"

func (j *Job) apart(near, far int) error {
	if j.Apart {
		return errors.ErrUnsupported
	}
	return nil
}
