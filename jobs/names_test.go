package jobs

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// nouns end as participles do.
var nouns = []string{"Encoding", "String", "Setting"}

// overloaded are words that stood for many things each. They name nothing by
// themselves but what is listed with them: a step of the epoch protocol, the values and
// keys of the pipeline file, and statements of SQL.
var overloaded = map[string][]string{
	"step": {"pipeline/engine.Step"}, "keep": {"pipeline.Keep"}, "due": nil, "use": {"pipeline.PathUse.Use", "sinks/redshift/standin/syntax.Use"}, "merge": {"pipeline.Policy.Merge", "sinks/redshift/standin/syntax.Merge"}, "give": nil, "place": nil,
}

// TestNames: types are named by nouns, and no word is a name of several things.
func TestNames(t *testing.T) {
	types := 0
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || len(d.Name()) > 2 && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		files := token.NewFileSet()
		parsed, err := parser.ParseFile(files, file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), "../")
		for _, decl := range parsed.Decls {
			for name, is := range declared(decl) {
				if is == "type" {
					types++
				}
				if why := wrongName(dir, name, is); why != "" {
					t.Errorf("%s: %s %s: %s", files.Position(decl.Pos()), is, name, why)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if types < 300 {
		t.Errorf("only %d types were looked at", types)
	}
}

func wrongName(dir, name, is string) string {
	lower := strings.ToLower(name)
	if allowed, ok := overloaded[lower]; ok && !slices.Contains(allowed, dir+"."+name) {
		return "the word stands for too many things: say which"
	}
	participle := strings.HasSuffix(lower, "ing") || strings.HasSuffix(lower, "ed")
	if is == "type" && participle && !slices.Contains(nouns, name) {
		return "a participle: name the type by a noun"
	}
	return ""
}
