package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/starlift-etl/starlift/jobs"
)

// profiledArgument makes this program run starlift itself, with the file for a
// CPU profile before starlift's arguments.
const profiledArgument = "profiled"

func runProfiled(args []string) (err error) {
	f, err := os.Create(args[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	if code := jobs.Main(args[1:], os.Stdin, os.Stdout, os.Stderr); code != 0 {
		return fmt.Errorf("starlift ended with status %d", code)
	}
	return nil
}
