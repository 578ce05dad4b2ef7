package jobs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// testsBeside makes a folder with shop.yaml and the tests of a file of testdata
// beside it, and goes there.
func testsBeside(t *testing.T, name string) {
	t.Helper()
	dir := t.TempDir()
	from := filepath.Join("testdata", "tests")
	for _, file := range []string{"shop.yaml", "changes.ndjson", "countries.csv"} {
		copyTree(t, filepath.Join(from, file), filepath.Join(dir, file))
	}
	copyTree(t, filepath.Join(from, name), filepath.Join(dir, "shop_test.yaml"))
	t.Chdir(dir)
}

// here returns the path of a golden file, before the test goes elsewhere.
func here(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "tests", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTestsPass: every way to say something in a test, on a pipeline where it is so.
func TestTestsPass(t *testing.T) {
	testsBeside(t, "passing.yaml")
	r := command("test", "shop.yaml")
	r.want(t, exitFine, "6 tests passed")
	if n := strings.Count(r.out, "  ok    "); n != 6 {
		t.Errorf("%d tests passed:\n%s", n, r.out)
	}
	command("validate", "shop.yaml", "shop_test.yaml").want(t, exitFine, "shop.yaml: valid")
	left, err := os.ReadDir(".")
	if err != nil || len(left) != 4 {
		t.Errorf("the tests left files: %v, %v", left, err)
	}
	r = command("test", "shop_test.yaml", "shop.yaml", "--run", "surrogate|file of")
	r.want(t, exitFine, "2 tests passed")
	command("test", "shop.yaml", "--run", "nothing").want(t, exitUsage, `no test matches --run "nothing"`)
	command("test", "shop.yaml", "--run", "(").want(t, exitUsage, `--run "(" is not a regular expression`)
	command("test").want(t, exitUsage, "at least one pipeline file")
}

// TestTestsFail: what is not as expected is said, at the place that expects it.
func TestTestsFail(t *testing.T) {
	text, data := here(t, "failing.txt"), here(t, "failing.json")
	testsBeside(t, "failing.yaml")
	r := command("test", "shop.yaml")
	r.want(t, exitFailed, "starlift: 7 of 7 tests failed")
	golden(t, text, r.out)
	again := command("test", "shop.yaml")
	if again.out != r.out {
		t.Errorf("the second time it says\n%s", again.out)
	}
	r = command("test", "shop.yaml", "--output", "json")
	r.want(t, exitFailed, "starlift: 7 of 7 tests failed")
	var files []struct {
		File  string
		Tests []struct {
			Name     string
			Passed   bool
			Line     int
			Failures []struct{ Row map[string]*string }
		}
	}
	if err := json.Unmarshal([]byte(r.out), &files); err != nil || len(files) != 1 || len(files[0].Tests) != 7 {
		t.Errorf("%v: %s", err, r.out)
	}
	golden(t, data, r.out)
}

// TestBadTests: mistakes in tests have places, all at once, for validate too.
func TestBadTests(t *testing.T) {
	text := here(t, "bad.txt")
	testsBeside(t, "bad.yaml")
	r := command("test", "shop.yaml")
	if r.code != exitUsage || r.out != "" {
		t.Errorf("exit status %d, printed %q", r.code, r.out)
	}
	golden(t, text, strings.ReplaceAll(r.err, mustGetwd(t), "DIR"))
	if v := command("validate", "shop.yaml"); v.code != exitUsage || v.err != r.err {
		t.Errorf("validate ends with %d and says\n%s", v.code, v.err)
	}
	// A run does not care, but for what is no test at all.
	command("plan", "shop.yaml").want(t, exitFine)
	write(t, "shop_test.yaml", []byte("tests: [{name: x, expects: {}}]\n"))
	command("test", "shop.yaml").want(t, exitUsage, `shop_test.yaml:1:19: unknown key "expects": did you mean "expect"?`)
	if err := os.Remove("shop_test.yaml"); err != nil {
		t.Fatal(err)
	}
	command("test", "shop.yaml").want(t, exitUsage, "shop.yaml: there are no tests: write them under tests, or into shop_test.yaml")
}

// TestExpiredRecords: a record says that time to live removes its item, and only a removal does.
func TestExpiredRecords(t *testing.T) {
	t.Chdir(t.TempDir())
	const pipeline = `name: sessions
sources: {changes: {type: file, path: changes.ndjson, format: dynamodb_cdc}}
transforms:
  items: {type: unnest, inputs: [changes], tables: {session: {key: [id], ttl_deletes: keep, columns: {id: {}}}}}
sinks: {warehouse: {type: duckdb, inputs: [items], dsn: ./sessions.duckdb}}
tests:
  - name: what expires stays
    inputs: {changes: [{insert: {id: a}}, {insert: {id: b}}, {remove: {id: a}, ttl: true}, {remove: {id: b}, ttl: false}]}
    expect: {session: [{id: a}]}
`
	write(t, "sessions.yaml", []byte(pipeline))
	command("test", "sessions.yaml").want(t, exitFine, "ok    what expires stays")
	write(t, "sessions.yaml", []byte(strings.Replace(pipeline, "{insert: {id: b}}", "{insert: {id: b}, ttl: true}", 1)))
	command("test", "sessions.yaml").want(t, exitUsage, "sessions.yaml:8:66: time to live only removes items: write remove")
}

func mustGetwd(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestTestsBeside: a file whose name ends as that of tests may be a pipeline all
// the same, and tests may be in both files.
func TestTestsBeside(t *testing.T) {
	testsBeside(t, "passing.yaml")
	pipeline := readFile(t, "shop.yaml")
	write(t, "shop.yaml", []byte(pipeline+"tests: [{name: inside, expect: {line: []}}]\n"))
	command("test", "shop.yaml").want(t, exitFine, "ok    inside", "7 tests passed")
	write(t, "shop.yaml", []byte(pipeline+"tests: [{name: a run that fails, expect: {line: []}}]\n"))
	command("test", "shop.yaml").want(t, exitUsage, `there is a test "a run that fails" already, in shop.yaml`)
	write(t, "shop.yaml", []byte(pipeline+"tests: [{name: inside, expect: {lines: []}}]\n"))
	write(t, "shop_test.yaml", []byte("tests: [{name: beside, expect: {lines: []}}]\n"))
	r := command("validate", "shop.yaml", "--output", "json")
	r.want(t, exitUsage, "1 of 1 files are not valid", `"file": "shop.yaml"`, `"file": "shop_test.yaml"`)
	write(t, "shop.yaml", []byte(pipeline))
	for text, says := range map[string]string{
		"test: [{name: x, expect: {line: []}}]\n": `shop_test.yaml:1:1: unknown key "test": did you mean "tests"?`,
		"tests: [{name: x\n":                      "shop_test.yaml:1:9: this is not YAML: a bracket is not closed",
		"":                                        "shop_test.yaml:1:1: the file is empty",
	} {
		write(t, "shop_test.yaml", []byte(text))
		command("test", "shop.yaml").want(t, exitUsage, says)
	}
	write(t, "shop_test.yaml", []byte(pipeline))
	command("validate", "shop.yaml", "shop_test.yaml").want(t, exitFine, "shop.yaml: valid", "shop_test.yaml: valid")
}

// TestExamplesCarryTests: every pipeline of configs/ has tests, which pass.
func TestExamplesCarryTests(t *testing.T) {
	files, err := filepath.Glob("../configs/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := command(append([]string{"test"}, files...)...)
	r.want(t, exitFine, "tests passed")
	for file := range examples() {
		if !strings.Contains(r.out, "../configs/"+file+"\n  ok ") {
			t.Errorf("%s has no tests", file)
		}
	}
}

// TestTestingInDocs: the tests that the documentation shows, and what it says
// becomes of them.
func TestTestingInDocs(t *testing.T) {
	doc := readFile(t, "../docs/testing.md")
	pipeline := wholeFile.FindStringSubmatch(doc)
	said := regexp.MustCompile("(?s)```text\n(.*?)```").FindAllStringSubmatch(doc, -1)
	steps := regexp.MustCompile("(?s)```yaml\n(tests:.*?)```").FindStringSubmatch(doc)
	if pipeline == nil || len(said) != 2 || steps == nil {
		t.Fatal("the page has other blocks")
	}
	t.Chdir(t.TempDir())
	write(t, "shop.yaml", []byte(pipeline[1]))
	r := command("test", "shop.yaml")
	r.want(t, exitFine)
	if r.out != said[0][1] {
		t.Errorf("it says\n%s", r.out)
	}
	write(t, "shop.yaml", []byte(strings.Replace(pipeline[1], "price: 9.50}]", "price: 9}]", 1)))
	if r = command("test", "shop.yaml", "--run", "line"); r.out != said[1][1] {
		t.Errorf("it says\n%s", r.out)
	}
	write(t, "shop.yaml", []byte(pipeline[1]))
	write(t, "shop_test.yaml", []byte(steps[1]))
	command("test", "shop.yaml").want(t, exitFine, "ok    an order after its line completes the fact", "3 tests passed")
}
