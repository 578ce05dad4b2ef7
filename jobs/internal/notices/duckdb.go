package notices

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What DuckDB's library is made of is not in its Go module, which is compiled.
//
//go:embed duckdb-v*.txt
var duckDBTexts embed.FS

const bindings = "github.com/duckdb/duckdb-go-bindings"

// bindingsVersion is that of the bindings: v0.10506.0 has DuckDB 1.5.6.
var bindingsVersion = regexp.MustCompile(`^v0\.(\d+)(\d\d)(\d\d)\.\d+$`)

// duckDBText returns the texts of the DuckDB that a version of its bindings has.
func duckDBText(bindings string) (string, error) {
	part := bindingsVersion.FindStringSubmatch(bindings)
	if part == nil {
		return "", fmt.Errorf("version %s of DuckDB's bindings does not say which DuckDB it has", bindings)
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(part[i+1]) // digits
	}
	version := fmt.Sprintf("v%d.%d.%d", n[0], n[1], n[2])
	text, err := duckDBTexts.ReadFile("duckdb-" + version + ".txt")
	if err != nil {
		return "", fmt.Errorf("the licences within DuckDB %s are not known: unpack its source, and write those to jobs/internal/notices/duckdb-%s.txt by go run ./jobs/internal/release duckdb-notices DIR, in place of those of the version before", version, version)
	}
	return string(text), nil
}

// notLinked are the folders of DuckDB's source that no library comes of.
var notLinked = []string{"benchmark", "data", "examples", "scripts", "test", "tools", "third_party/catch", "third_party/imdb", "third_party/snowball"}

// noticeInCode is a file of DuckDB's source that stands for its neighbours: their
// licence is the comment that each begins with.
const noticeInCode = "extension/tpcds/dsdgen/dsdgen-c/address.cpp"

// OfDuckDB returns the notices within a folder of DuckDB's source: what this package
// keeps of each version of DuckDB that builds link.
func OfDuckDB(dir string) (string, error) {
	root := os.DirFS(dir)
	var texts []text
	err := fs.WalkDir(root, ".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir():
			if slices.Contains(notLinked, path) {
				return fs.SkipDir
			}
			return nil
		case path != noticeInCode && (!e.Type().IsRegular() || !isText.MatchString(e.Name())):
			return nil
		}
		content, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		name, whole := "DuckDB, "+filepath.ToSlash(path), string(content)
		if path == noticeInCode {
			comment, _, ok := strings.Cut(whole, "*/")
			if !ok || !strings.Contains(comment, "Legal Notice") {
				return fmt.Errorf("%s does not begin with a legal notice", path)
			}
			name, whole = "DuckDB, extension/tpcds/dsdgen", comment+"*/\n"
		}
		texts = append(texts, text{name, whole})
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("texts of DuckDB's source: %w", err)
	}
	for _, name := range []string{"LICENSE", "extension/tpcds/dsdgen", "third_party/re2/LICENSE"} {
		if !slices.ContainsFunc(texts, func(t text) bool { return t.name == "DuckDB, "+name }) {
			return "", fmt.Errorf("%s is not DuckDB's source: it has no %s", dir, name)
		}
	}
	return printed(texts), nil
}
