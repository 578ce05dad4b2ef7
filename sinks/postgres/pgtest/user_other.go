//go:build !unix

package pgtest

import (
	"errors"
	"os/exec"
)

func asUser(*exec.Cmd, string) error { return errors.ErrUnsupported }
