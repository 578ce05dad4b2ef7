package notices

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNotices reads those of the builds that are released: each module once, what
// modules have from others, and DuckDB's with cgo only. It fails where DuckDB's
// version has no texts.
func TestNotices(t *testing.T) {
	for _, build := range []struct {
		os, arch string
		duckdb   bool
	}{{"linux", "amd64", true}, {"linux", "arm64", true}, {"darwin", "arm64", false}} {
		text, err := Of(t.Context(), build.os, build.arch, build.duckdb)
		if err != nil {
			t.Fatalf("%v: %v", build, err)
		}
		for _, want := range []string{"\nGo, LICENSE\n", "\nGo, PATENTS\n", "github.com/jackc/pgx/v5 v5", "github.com/klauspost/compress v1.20.3, zstd/internal/xxhash/LICENSE.txt\n", "NOTICE"} {
			if !strings.Contains(text, want) {
				t.Errorf("%v: no %q", build, want)
			}
		}
		for _, want := range []string{"github.com/duckdb/duckdb-go/v2 v2", "\nDuckDB, LICENSE\n", "\nDuckDB, third_party/re2/LICENSE\n", "\nDuckDB, extension/icu/third_party/icu/LICENSE\n"} {
			if strings.Contains(text, want) != build.duckdb {
				t.Errorf("%v: %q is there: %v", build, want, !build.duckdb)
			}
		}
		if strings.Contains(text, "go.uber.org/goleak") {
			t.Errorf("%v: names what only tests link", build)
		}
	}
}

func TestTextsOfFolders(t *testing.T) {
	root := t.TempDir()
	for file, content := range map[string]string{
		"LICENSE": "ours\n", "a/b/COPYING": "theirs\n", "a/LICENSE-MIT": "ours\n",
		"a/b/license.go": "package b", "a/b/licensing.txt": "no licence", "c/LICENSE": "of another folder\n",
	} {
		file = filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	texts, err := in(root, filepath.Join(root, "a/b"), "m v1", map[string]bool{})
	if err != nil {
		t.Fatal(err)
	}
	double, line := strings.Repeat("=", 80)+"\n", "\n"+strings.Repeat("-", 80)+"\n\n"
	want := double + "m v1, LICENSE\nm v1, a/LICENSE-MIT" + line + "ours\n\n" + double + "m v1, a/b/COPYING" + line + "theirs\n\n"
	if got := printed(append(texts, texts...)); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestDuckDBWithoutTexts(t *testing.T) {
	for version, want := range map[string]string{
		"v0.10499.0": "the licences within DuckDB v1.4.99 are not known",
		"v3.0.0":     "version v3.0.0 of DuckDB's bindings does not say which DuckDB it has",
	} {
		if _, err := duckDBText(version); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", version, err)
		}
	}
	if _, err := OfDuckDB(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not DuckDB's source: it has no LICENSE") {
		t.Error(err)
	}
}
