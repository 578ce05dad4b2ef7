package awstest

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed install/versions
var versions string

// Version returns which version of a server or tool is wanted, by its name in
// install/versions; empty = it is not among them.
func Version(name string) string {
	for line := range strings.Lines(versions) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == name {
			return fields[1]
		}
	}
	return ""
}

// Installed returns the folder of a server or tool, by its name in
// install/versions. Where it can't be had, the test is skipped with the reason,
// but fails in CI.
func Installed(t testing.TB, name string) string {
	t.Helper()
	dir, err := find(name)
	switch {
	case err != nil && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	return dir
}

// find returns the folder of what is installed, or why it is not.
func find(name string) (string, error) {
	version := Version(name)
	if version == "" {
		return "", fmt.Errorf("%s is not in pipeline/awstest/install/versions", name)
	}
	cache, err := folder()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, name+"-"+version)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if reason, err := os.ReadFile(dir + ".reason"); err == nil {
		return "", fmt.Errorf("%s %s can't be had: %s", name, version, strings.TrimSpace(string(reason)))
	}
	return "", fmt.Errorf("%s %s is not installed in %s: run `make services`", name, version, cache)
}

// folder returns where .ci/services installs.
func folder() (string, error) {
	if dir := os.Getenv("STARLIFT_SERVICES"); dir != "" {
		return dir, nil
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "starlift", "services"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("folder of services: %w", err)
	}
	return filepath.Join(home, ".cache", "starlift", "services"), nil
}
