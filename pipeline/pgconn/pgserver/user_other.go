//go:build !unix

package pgserver

import "os/exec"

// asUser says that servers are not made here.
func asUser(*exec.Cmd, string) error { return ErrNone }
