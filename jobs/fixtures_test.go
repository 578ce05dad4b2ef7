package jobs

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// fixtures returns the pipeline files of a folder.
func fixtures(t *testing.T, folder string, least int) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/" + folder + "/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < least {
		t.Fatalf("%d fixtures in %s, want at least %d", len(files), folder, least)
	}
	return files
}

// validateFixture runs validate with the options that a fixture's comments
// give: "# env: NAME=value" and "# set: key=value".
func validateFixture(t *testing.T, file string) (code int, out, errs string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"validate", file}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if s, ok := strings.CutPrefix(line, "# set: "); ok {
			args = append(args, "--set", s)
		}
		if e, ok := strings.CutPrefix(line, "# env: "); ok {
			name, value, _ := strings.Cut(e, "=")
			t.Setenv(name, value)
		}
	}
	var o, e bytes.Buffer
	code = Main(args, nil, &o, &e)
	return code, o.String(), e.String()
}

func TestGoodFixtures(t *testing.T) {
	for _, file := range fixtures(t, "good", 12) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if code, out, errs := validateFixture(t, file); code != exitFine || out != file+": valid\n" {
				t.Errorf("exit status %d: %s%s", code, out, errs)
			}
		})
	}
}

// TestWarnedFixtures compares what validate and plan warn of in valid files with
// the texts beside them.
func TestWarnedFixtures(t *testing.T) {
	for _, file := range fixtures(t, "warned", 1) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			code, out, errs := validateFixture(t, file)
			if code != exitFine || out != file+": valid\n" {
				t.Errorf("exit status %d: %s%s", code, out, errs)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", errs)
			if r := command("plan", file); r.code != exitFine || r.err != errs {
				t.Errorf("plan warns of\n%swant\n%s", r.err, errs)
			}
			var verdicts []verdict
			if r := command("validate", file, "--output", "json"); json.Unmarshal([]byte(r.out), &verdicts) != nil || len(verdicts) != 1 ||
				!verdicts[0].Valid || len(verdicts[0].Warnings) != strings.Count(errs, ": warning: ") {
				t.Errorf("%s%s", r.out, r.err)
			}
		})
	}
}

// place is how a mistake begins: file, line and column; a value of --set has
// no place in the file.
var place = regexp.MustCompile(`(?m)^(starlift: )?(testdata/bad/\w+\.yaml:\d+:\d+|--set [^:]+): .+`)

// TestBadFixtures compares what is said of each bad file with the text beside it.
func TestBadFixtures(t *testing.T) {
	for _, file := range fixtures(t, "bad", 40) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			code, out, errs := validateFixture(t, file)
			if code != exitUsage || out != "" {
				t.Errorf("exit status %d, want %d; printed %q", code, exitUsage, out)
			}
			if !place.MatchString(errs) {
				t.Errorf("no mistake has a place:\n%s", errs)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", errs)
		})
	}
}

// TestMistakesDoNotHideEachOther has seven mistakes in one file.
func TestMistakesDoNotHideEachOther(t *testing.T) {
	_, _, errs := validateFixture(t, "testdata/bad/several.yaml")
	if n := len(place.FindAllString(errs, -1)); n != 7 {
		t.Errorf("%d mistakes reported, want 7:\n%s", n, errs)
	}
	if n := strings.Count(errs, "did you mean"); n != 6 {
		t.Errorf("%d hints, want 6:\n%s", n, errs)
	}
}

// TestSecretsAreNotShown looks for a secret value in everything that is said.
func TestSecretsAreNotShown(t *testing.T) {
	if _, out, errs := validateFixture(t, "testdata/bad/env_wrong_type.yaml"); strings.Contains(out+errs, "hunter2") {
		t.Errorf("the secret is shown:\n%s%s", out, errs)
	}
}

func TestSchema(t *testing.T) {
	b, err := spec.Schema(assembly.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	var schema any
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	consts := map[string]bool{}
	collectConsts(schema, consts)
	for _, file := range fixtures(t, "good", 12) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f, err := spec.Load(file, data, assembly.Kinds(), spec.Options{Env: func(string) (string, bool) { return "1", true }})
		if f == nil {
			t.Fatal(err)
		}
		for _, section := range []spec.Map[*spec.NodeConfig]{f.Sources, f.Transforms, f.Sinks} {
			for _, e := range section {
				if !consts[e.Value.Type] {
					t.Errorf("%s: type %s is not in the schema", file, e.Value.Type)
				}
			}
		}
	}
}

// collectConsts finds every const of a schema.
func collectConsts(v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		if c, ok := v["const"].(string); ok {
			into[c] = true
		}
		for _, item := range v {
			collectConsts(item, into)
		}
	case []any:
		for _, item := range v {
			collectConsts(item, into)
		}
	}
}

// TestReference keeps the reference page as the structs have it.
func TestReference(t *testing.T) {
	golden(t, "../docs/reference.md", spec.Reference(assembly.Kinds()))
}
