package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// build is one binary of a release.
type build struct {
	os, arch string
	duckdb   bool
}

// all are the builds of a release. DuckDB takes a C++ compiler of the platform, which
// Debian has for both architectures of Linux, and nobody for macOS elsewhere.
var all = []build{
	{"linux", "amd64", true}, {"linux", "arm64", true},
	{"linux", "amd64", false}, {"linux", "arm64", false},
	{"darwin", "amd64", false}, {"darwin", "arm64", false},
}

func (b build) String() string {
	if b.duckdb {
		return b.os + "_" + b.arch + "_with-duckdb"
	}
	return b.os + "_" + b.arch + "_without-duckdb"
}

// native says whether this machine starts what the build makes.
func (b build) native() bool { return b.os == runtime.GOOS && b.arch == runtime.GOARCH }

// triples are what C compilers for a platform are called by.
var triples = map[string]string{"linux/amd64": "x86_64-linux-gnu", "linux/arm64": "aarch64-linux-gnu"}

// errNoCompiler: the build can't be made on this machine.
var errNoCompiler = errors.New("no compiler")

// compilers returns what the build has to be told of its C compilers, or errNoCompiler.
func (b build) compilers() ([]string, error) {
	if !b.duckdb {
		return []string{"CGO_ENABLED=0"}, nil
	}
	if b.native() {
		return []string{"CGO_ENABLED=1"}, nil // Go's own choice
	}
	triple := triples[b.os+"/"+b.arch]
	cc, cxx := triple+"-gcc", triple+"-g++"
	// g++ brings the C++ library that DuckDB is linked with; gcc alone does not.
	for _, name := range []string{cc, cxx} {
		if _, err := exec.LookPath(name); err != nil {
			return nil, fmt.Errorf("%w %s here (Debian: apt-get install g++-%s)", errNoCompiler, name, strings.ReplaceAll(triple, "_", "-"))
		}
	}
	return []string{"CGO_ENABLED=1", "CC=" + cc, "CXX=" + cxx}, nil
}

// settings of who makes a release must not get into it; nor a processor that is newer
// than those of users.
var settings = []string{
	"GOFLAGS", "GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOEXPERIMENT", "CGO_ENABLED", "CC", "CXX", "CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_CXXFLAGS", "CGO_LDFLAGS",
	"MAKEFLAGS", "MAKELEVEL", "STARLIFT_VERSION", "STARLIFT_COMMIT", "STARLIFT_COMMIT_TIME",
}

func (b build) environment(compilers []string) []string {
	env := slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(settings, name)
	})
	return append(append(env, "GOOS="+b.os, "GOARCH="+b.arch, "GOAMD64=v1", "GOARM64=v8.0"), compilers...)
}

// make builds the binary into a file, as make build does, and returns the version that
// Go has stamped it with. What Go does by itself where something lacks, building
// without cgo or without a version, is an error.
func (b build) make(ctx context.Context, file string) (version string, err error) {
	compilers, err := b.compilers()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "make", "-s", "build", "OUT="+file)
	cmd.Env = b.environment(compilers)
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %v: %w\n%s", b, err, bytes.TrimSpace(said))
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("build %v: %w", b, err)
	}
	return b.check(info)
}

// check holds what Go says of a binary against its name.
func (b build) check(info *buildinfo.BuildInfo) (version string, err error) {
	of := map[string]string{}
	for _, s := range info.Settings {
		of[s.Key] = s.Value
	}
	if of["GOOS"] != b.os || of["GOARCH"] != b.arch {
		return "", fmt.Errorf("build %v is for %s/%s", b, of["GOOS"], of["GOARCH"])
	}
	cgo := of["CGO_ENABLED"] == "1"
	duckdb := slices.ContainsFunc(info.Deps, func(m *debug.Module) bool { return m.Path == "github.com/duckdb/duckdb-go-bindings" })
	if cgo != b.duckdb || duckdb != b.duckdb {
		return "", fmt.Errorf("build %v has DuckDB: %t, cgo: %t", b, duckdb, cgo)
	}
	if version = info.Main.Version; version == "" || version == "(devel)" {
		return "", fmt.Errorf("build %v has no version: Go asks git in a clone (in a worktree it does not), and git has to be installed", b)
	}
	return version, nil
}
