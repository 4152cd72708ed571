package acl

import (
	"os"

	"golang.org/x/sys/unix"
)

// processStart returns the start time of the process that has pid now, and
// whether it still runs (a zombie doesn't). A pid that nobody has is
// os.ErrProcessDone.
//
// Source: sysctl(3), KERN_PROC_PID; sys/proc.h, SZOMB.
func processStart(pid int32) (start uint64, running bool, err error) {
	const zombie = 5
	kp, err := unix.SysctlKinfoProc("kern.proc.pid", int(pid))
	if err == unix.ESRCH || err == unix.EIO { // EIO: an empty answer
		return 0, false, os.ErrProcessDone
	}
	if err != nil {
		return 0, false, os.NewSyscallError("sysctl kern.proc.pid", err)
	}
	t := kp.Proc.P_starttime
	return uint64(t.Sec)*1e6 + uint64(t.Usec), kp.Proc.P_stat != zombie, nil
}
