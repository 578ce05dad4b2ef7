package awstest

import (
	"os/exec"
	"runtime"
)

// process is a server's process and its children.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended; err says how
	err  error
}

// launch starts a command whose output goes to a file.
func launch(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = attributes()
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// A process that is to end with its parent ends with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	return p, <-started
}
