//go:build unix

package awstest

import (
	"errors"
	"os"
	"syscall"
)

// signal sends a signal to all of its processes; one that has ended gets none.
func (p *process) signal(s syscall.Signal) error {
	select {
	case <-p.done:
		return os.ErrProcessDone
	default:
	}
	err := syscall.Kill(-p.cmd.Process.Pid, s)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// pause stops it where it is, and returns when it has stopped.
func (p *process) pause() error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return stopped(p.cmd.Process.Pid)
}

func (p *process) resume() error { return p.signal(syscall.SIGCONT) }

// kill ends it at once, and waits for that.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}
