//go:build !linux

package command

import "runtime"

func examine() []finding {
	return []finding{note("system", "", "the checks know Linux; this is %s", runtime.GOOS)}
}
