package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestChangelogOfReleases(t *testing.T) {
	const done = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-05-06\n\n### Added\n\n- One.\n\n## [1.1.0] - 2026-01-02\n\n- Zero.\n"
	for name, c := range map[string]struct{ changelog, version, want string }{
		"released":                 {done, "v1.2.0", ""},
		"an older one":             {done, "v1.1.0", ""},
		"no section":               {done, "v1.3.0", "CHANGELOG.md has no section for v1.3.0 with entries: rename Unreleased to ## [1.3.0] - YYYY-MM-DD"},
		"a longer number":          {done, "v1.2.01", "the tag v1.2.01 is no version"},
		"the beginning of another": {strings.Replace(done, "[1.2.0]", "[1.2.0-rc.1]", 1), "v1.2.0", "no section for v1.2.0"},
		"no date":                  {strings.Replace(done, " - 2026-05-06", "", 1), "v1.2.0", "no section for v1.2.0"},
		"no entries":               {"## [Unreleased]\n\n## [1.2.0] - 2026-05-06\n", "v1.2.0", "no section for v1.2.0 with entries"},
		"entries left":             {strings.Replace(done, "[Unreleased]\n", "[Unreleased]\n\n- Two.\n", 1), "v1.2.0", "entries under Unreleased that are part of v1.2.0"},
		"a candidate":              {"## [Unreleased]\n\n- Two.\n", "v1.3.0-rc.1", ""},
		"no version":               {done, "v1.2", "the tag v1.2 is no version"},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkChangelog(c.changelog, c.version)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	for version, want := range map[string]string{
		"v1.2.0":                               "## [1.2.0] - 2026-05-06\n\n### Added\n\n- One.\n",
		"v1.2.1-0.20261130194253-17c0f3eacd72": "## [Unreleased]\n\n\n",
	} {
		if got, err := notes(done, version); err != nil || got != want {
			t.Errorf("%s: %q, %v", version, got, err)
		}
	}
	if _, err := notes("# Changelog\n", "v1.2.0"); err == nil {
		t.Error("no section is no mistake")
	}
}

// TestArchivesAreReproducible writes one at two times, under two umasks.
func TestArchivesAreReproducible(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "binary")
	if err := os.WriteFile(binary, []byte("\x7fELF"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"docs/b.md": []byte("b"), "LICENSE": []byte("a"), "docs/a.md": nil}
	at := time.Unix(1_700_000_000, 0)
	var written [2][]byte
	for i := range written {
		target := filepath.Join(dir, "archive")
		if err := errors.Join(write(target, "folder", files, binary, at), os.Chtimes(binary, at, at), os.Chmod(binary, 0o777)); err != nil {
			t.Fatal(err)
		}
		var err error
		if written[i], err = os.ReadFile(target); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(written[0], written[1]) {
		t.Error("two archives of one content differ")
	}
	zip, err := gzip.NewReader(bytes.NewReader(written[0]))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if want := map[bool]int64{true: 0o755, false: 0o644}[h.Name == "folder/starlift"]; h.Mode != want || h.Uid != 0 || h.Uname != "" || !h.ModTime.Equal(at) {
			t.Errorf("%+v", h)
		}
	}
	if want := []string{"folder/starlift", "folder/LICENSE", "folder/docs/a.md", "folder/docs/b.md"}; !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
}

// TestBinariesAreHeldAgainstTheirNames: Go builds without cgo, and without a version,
// where something lacks, and says nothing.
func TestBinariesAreHeldAgainstTheirNames(t *testing.T) {
	duckdb := []*debug.Module{{Path: "github.com/duckdb/duckdb-go-bindings"}}
	info := func(version, os, arch, cgo string, deps []*debug.Module) *buildinfo.BuildInfo {
		return &buildinfo.BuildInfo{Main: debug.Module{Version: version}, Deps: deps, Settings: []debug.BuildSetting{
			{Key: "GOOS", Value: os}, {Key: "GOARCH", Value: arch}, {Key: "CGO_ENABLED", Value: cgo},
		}}
	}
	with, without := build{"linux", "arm64", true}, build{"linux", "arm64", false}
	for name, c := range map[string]struct {
		build build
		info  *buildinfo.BuildInfo
		want  string
	}{
		"with":            {with, info("v1.2.3", "linux", "arm64", "1", duckdb), ""},
		"without":         {without, info("v1.2.3", "linux", "arm64", "0", nil), ""},
		"cgo was off":     {with, info("v1.2.3", "linux", "arm64", "0", nil), "build linux_arm64_with-duckdb has DuckDB: false, cgo: false"},
		"cgo was on":      {without, info("v1.2.3", "linux", "arm64", "1", duckdb), "has DuckDB: true, cgo: true"},
		"another machine": {with, info("v1.2.3", "linux", "amd64", "1", duckdb), "is for linux/amd64"},
		"no git":          {with, info("(devel)", "linux", "arm64", "1", duckdb), "has no version"},
	} {
		version, err := c.build.check(c.info)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err == nil && version != "v1.2.3" {
			t.Errorf("%s: version %q", name, version)
		}
	}
	for said, want := range map[string]bool{
		"starlift v1.2.3 (commit 0123abc of 2026-05-06), go1.26.8 linux/arm64, DuckDB v1.5.6":   true,
		"starlift v1.2.3, go1.26.8 linux/arm64, DuckDB v1.5.6":                                  true,
		"starlift v1.2.30, go1.26.8 linux/arm64, DuckDB v1.5.6":                                 false,
		"starlift v1.2.3 (commit 0123abc of 2026-05-06), go1.26.8 linux/amd64, DuckDB v1.5.6":   false,
		"starlift v1.2.3 (commit 0123abc of 2026-05-06), go1.26.8 linux/arm64, without DuckDB":  false,
		"starlift (devel) (commit unknown), go1.26.8 linux/arm64, DuckDB v1.5.6":                false,
		"starlift v1.2.3+dirty (commit 0-dirty of 2026-05-06), go1.26.8 linux/arm64, DuckDB v1": false,
	} {
		if err := with.checkVersion(said, "v1.2.3"); (err == nil) != want {
			t.Errorf("%s: %v", said, err)
		}
	}
	s := &source{}
	if err := errors.Join(s.take("v1.2.3"), s.take("v1.2.3")); err != nil {
		t.Error(err)
	}
	if err := s.take("v1.2.3+dirty"); err == nil {
		t.Error("builds of two versions make one release")
	}
}

func TestBuildsByName(t *testing.T) {
	for _, b := range all {
		if got, err := parse([]string{b.String()}); err != nil || !slices.Equal(got, []build{b}) {
			t.Errorf("%v: %v, %v", b, got, err)
		}
	}
	if _, err := parse([]string{"linux_riscv64_with-duckdb"}); err == nil || !strings.Contains(err.Error(), "darwin_arm64_without-duckdb") {
		t.Error(err)
	}
	for _, args := range [][]string{nil, {"release", "linux_amd64_with-duckdb"}, {"notices"}} {
		if err := run(t.Context(), args, io.Discard); err == nil || err.Error() != usage {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// TestLibraries: versions of libraries are numbers, not texts.
func TestLibraries(t *testing.T) {
	if slices.Compare(numbers("2.34"), numbers("2.4")) <= 0 || slices.Compare(numbers("2.4"), numbers("")) <= 0 {
		t.Error("2.34 is newer than 2.4")
	}
	if _, err := libraries(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there needs nothing")
	}
}
