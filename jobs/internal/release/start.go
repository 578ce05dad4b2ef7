package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// emulators run another architecture's programs on Linux: Debian's qemu-user-static,
// with the libraries of its cross compiler.
var emulators = map[string][]string{
	"linux/amd64": {"qemu-x86_64-static", "-L", "/usr/x86_64-linux-gnu"},
	"linux/arm64": {"qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"},
}

// start unpacks an archive as a user does, runs what is in it, and returns how it went,
// or why it can't be started here.
func (b build) start(ctx context.Context, archive, version, work string) (string, error) {
	var by []string
	if !b.native() {
		by = emulators[b.os+"/"+b.arch]
		if by == nil || runtime.GOOS != "linux" {
			return fmt.Sprintf("not started: this is %s/%s", runtime.GOOS, runtime.GOARCH), nil
		}
		if _, err := exec.LookPath(by[0]); err != nil {
			return "not started: there is no " + by[0], nil
		}
	}
	file, err := filepath.Abs(filepath.Join(dist, archive))
	if err != nil {
		return "", err
	}
	if said, err := output(ctx, work, "tar", "-xzf", file); err != nil {
		return "", fmt.Errorf("unpack %s: %w\n%s", archive, err, said)
	}
	home := filepath.Join(work, strings.TrimSuffix(archive, ".tar.gz"))
	program := slices.Concat(by, []string{filepath.Join(home, "starlift")})
	said, err := output(ctx, home, slices.Concat(program, []string{"version"})...)
	if err != nil {
		return "", fmt.Errorf("start %s: %w\n%s", archive, err, said)
	}
	if err := b.checkVersion(said, version); err != nil {
		return "", fmt.Errorf("%s: %w", archive, err)
	}
	var trial []string
	switch {
	case b.duckdb:
		trial = slices.Concat(program, []string{"demo"})
	case b.native() && b.os == "linux":
		script, err := filepath.Abs(".ci/static")
		if err != nil {
			return "", err
		}
		trial = []string{script, program[0]}
	}
	if trial != nil {
		if said, err := output(ctx, home, trial...); err != nil {
			return "", fmt.Errorf("%s: %s: %w\n%s", archive, strings.Join(trial, " "), err, said)
		}
	}
	if by != nil {
		return "started by " + by[0] + ": " + said, os.RemoveAll(home)
	}
	return "started: " + said, os.RemoveAll(home)
}

// checkVersion holds what a binary says of itself against the name of its archive.
func (b build) checkVersion(said, version string) error {
	if !strings.HasPrefix(said, "starlift "+version+" ") && !strings.HasPrefix(said, "starlift "+version+",") {
		return fmt.Errorf("it says that it is %q, and not version %s", said, version)
	}
	if !strings.Contains(said, " "+b.os+"/"+b.arch+",") || strings.HasSuffix(said, "without DuckDB") == b.duckdb || strings.Contains(said, ", DuckDB v") != b.duckdb {
		return fmt.Errorf("it says that it is %q, and not %v", said, b)
	}
	return nil
}

// output runs a program in a folder, and returns all that it prints.
func output(ctx context.Context, dir string, command ...string) (string, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	return string(bytes.TrimSpace(said)), err
}
