package notices

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// folder is a package that is linked, of another module.
type folder struct{ module, version, root, dir string }

// linked asks Go for the packages of a build, and for its own folder.
func linked(ctx context.Context, goos, arch string, duckdb bool) (folders []folder, goroot string, err error) {
	cgo := "0"
	if duckdb {
		cgo = "1"
	}
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+arch, "CGO_ENABLED="+cgo)
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("go %s for %s/%s: %w: %s", args[0], goos, arch, err, bytes.TrimSpace(said.Bytes()))
		}
		return string(out), nil
	}
	if goroot, err = run("env", "GOROOT"); err != nil {
		return nil, "", err
	}
	const format = `{{if not .Standard}}{{with .Module}}{{if not .Main}}{{.Path}}	{{.Version}}	{{.Dir}}	{{$.Dir}}{{end}}{{end}}{{end}}`
	out, err := run("list", "-deps", "-f", format, "github.com/starlift-etl/starlift")
	if err != nil {
		return nil, "", err
	}
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue // the standard library's, and ours
		}
		part := strings.Split(line, "\t")
		if len(part) != 4 {
			return nil, "", fmt.Errorf("go list printed %q, not a module's path, version and folder, and a package's folder", line)
		}
		folders = append(folders, folder{part[0], part[1], part[2], part[3]})
	}
	return folders, strings.TrimSpace(goroot), nil
}
