package jobs

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/starlift-etl/starlift"

// mayImport says whether a package of this module may import another one, both
// given by their folders.
func mayImport(from, to string) bool {
	first, _, _ := strings.Cut(from, "/")
	if within(to, "pipeline") {
		// Nodes know the contracts, and not who keeps them.
		return to != "pipeline/engine" || first == "pipeline" || first == "jobs"
	}
	switch first {
	case "pipeline":
		return false
	case "sources", "transforms", "sinks":
		// A kind is a folder below its section; what is internal to the section
		// belongs to all of its kinds.
		kind := strings.Join(strings.SplitN(from, "/", 3)[:min(2, strings.Count(from, "/")+1)], "/")
		return within(to, kind) || within(to, first+"/internal") || slices.Contains(composed[kind], to)
	case "jobs":
		return true
	default: // main.go
		return to == "jobs"
	}
}

// composed are the kinds that other kinds are made of.
var composed = map[string][]string{
	"sources/dynamodb":       {"sources/dynamodbscan", "sources/dynamodbstreams", "sources/file", "sources/file/export", "sources/file/listing", "sources/kinesis"},
	"sources/dynamodbexport": {"sources/file"},
}

// testOnly are the packages that exist for tests, benchmarks and releases, with those below them: what is built into
// the program imports none of them.
var testOnly = []string{
	"jobs/internal/bench", "jobs/internal/cookbook", "jobs/internal/expressions", "jobs/internal/notices", "jobs/internal/oracle", "jobs/internal/release", "jobs/internal/roles", "pipeline/awstest", "pipeline/blob/blobtest", "pipeline/pgconn/pgserver", "pipeline/pgconn/pgtest",
	"pipeline/pipelinetest", "pipeline/sourcetest", "sinks/internal/conformance", "sinks/redshift/redshifttest", "sinks/redshift/standin",
	"sources/kinesis/kinesistest",
}

func onlyForTests(dir string) bool {
	return slices.ContainsFunc(testOnly, func(parent string) bool { return within(dir, parent) })
}

func within(dir, parent string) bool { return dir == parent || strings.HasPrefix(dir, parent+"/") }

// TestImportRule reads the imports of every file, tests too.
func TestImportRule(t *testing.T) {
	files := 0
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || len(d.Name()) > 2 && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(file) != ".go" {
			return nil
		}
		files++
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		from := path.Dir(strings.TrimPrefix(filepath.ToSlash(file), "../"))
		for _, i := range parsed.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			to, ours := strings.CutPrefix(name, module+"/")
			if !ours {
				continue
			}
			if !mayImport(from, to) {
				t.Errorf("%s imports %s", file, to)
			}
			if onlyForTests(to) && !onlyForTests(from) && !strings.HasSuffix(file, "_test.go") {
				t.Errorf("%s imports %s, which is for tests only", file, to)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 {
		t.Errorf("only %d files were read", files)
	}
	for _, dir := range testOnly {
		if _, err := os.Stat(filepath.Join("..", dir)); err != nil {
			t.Errorf("a package for tests: %v", err)
		}
	}
}

// TestKindsAreNamedInOnePlace lets no file of the commands and of assembly but kinds.go
// name a kind's package; the demo is about certain kinds, and dead letters are no kind.
func TestKindsAreNamedInOnePlace(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.go", "assembly/*.go", "plan/*.go", "status/*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		if file == "assembly/kinds.go" || strings.HasPrefix(file, "demo") || strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range parsed.Imports {
			for _, section := range []string{"sources", "transforms", "sinks"} {
				if strings.HasPrefix(i.Path.Value, `"`+module+"/"+section+"/") && i.Path.Value != `"`+module+`/sinks/deadletters"` {
					t.Errorf("%s imports %s", file, i.Path.Value)
				}
			}
		}
	}
}
