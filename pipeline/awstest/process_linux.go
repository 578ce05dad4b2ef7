package awstest

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes makes a process the first of a group, which is out of reach of a
// terminal's interrupt, and ends it with the thread that started it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// stopped returns when all threads of a process have stopped that was told to: the signal
// alone says nothing of when.
func stopped(pid int) error {
	for {
		// WNOWAIT: what becomes of it is for whoever waits for its end.
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
