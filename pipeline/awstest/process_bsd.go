//go:build unix && !linux

package awstest

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// attributes makes a process the first of a group, which is out of reach of a
// terminal's interrupt.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// stopped returns when a process has stopped that was told to: the signal alone says
// nothing of when.
func stopped(pid int) error {
	for range 1000 {
		state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
		if err != nil {
			return err
		}
		if strings.HasPrefix(strings.TrimSpace(string(state)), "T") {
			return nil
		}
	}
	return errors.New("it does not stop")
}
