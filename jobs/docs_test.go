package jobs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	wholeFile = regexp.MustCompile("(?s)```yaml\n(name:.*?)```")
	tried     = regexp.MustCompile("(?s)```yaml\n(tables:.*?)```\n\n```json\n(.*?)```\n\n```text\n(.*?)```")
)

// TestPipelinesInDocs: every whole pipeline file that the documentation shows is valid.
func TestPipelinesInDocs(t *testing.T) {
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range wholeFile.FindAllSubmatch(text, -1) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "shown.yaml"), block[1])
			if r := starlift(t, dir, "validate", "shown.yaml"); r.code != exitFine {
				t.Errorf("%s, pipeline %d: %s", file, i+1, r.err)
			}
		}
	}
}

// TestExamplesInDocs: tables, records and what becomes of them, three blocks
// one after the other, are what they say. With -update the last is written anew.
func TestExamplesInDocs(t *testing.T) {
	const file = "../docs/pipeline-file.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := openDatabase(t)
	doc := string(text)
	blocks := tried.FindAllStringSubmatch(doc, -1)
	if len(blocks) < 5 {
		t.Fatalf("%d examples found", len(blocks))
	}
	for i, b := range blocks {
		got := tryExample(t, d, b[1], b[2])
		if got == b[3] {
			continue
		}
		if !*update {
			t.Errorf("%s, example %d gives\n%s", file, i+1, got)
		}
		doc = strings.Replace(doc, b[0], strings.TrimSuffix(b[0], b[3]+"```")+got+"```", 1)
	}
	if *update {
		write(t, file, []byte(doc))
	}
}

// tryExample returns the rows and dead letters of some records.
func tryExample(t *testing.T, d *database, tables, records string) string {
	t.Helper()
	dir := t.TempDir()
	format := "json"
	if strings.Contains(records, `"eventName"`) {
		format = "dynamodb_cdc"
	}
	write(t, filepath.Join(dir, "records.ndjson"), []byte(records))
	write(t, filepath.Join(dir, "shown.yaml"), []byte("name: shown\ndead_letters: {max_ratio: 1}\n"+
		"sources: {records: {type: file, path: records.ndjson, format: "+format+"}}\n"+
		"transforms:\n  items:\n    type: unnest\n    inputs: [records]\n    "+strings.ReplaceAll(strings.TrimSpace(tables), "\n", "\n    ")+"\n"+
		"sinks: {lake: {type: parquet, inputs: [items], url: lake, mode: append}}\n"))
	fine(t, dir, "run", "shown.yaml")
	var b strings.Builder
	for _, name := range regexp.MustCompile(`(?m)^  (\w+):`).FindAllStringSubmatch(tables, -1) {
		fmt.Fprintf(&b, "%s\n", name[1])
		if files, err := filepath.Glob(filepath.Join(dir, "lake", name[1], "*.parquet")); err != nil || len(files) == 0 {
			continue
		}
		from := fmt.Sprintf("FROM '%s/lake/%s/*.parquet'", dir, name[1])
		columns := strings.Fields(d.rows(fmt.Sprintf("SELECT column_name FROM (DESCRIBE %s)", from)))
		lines := [][]string{columns}
		for row := range strings.Lines(d.rows("SELECT coalesce(COLUMNS(*)::VARCHAR, 'null') " + from)) {
			lines = append(lines, strings.Split(strings.TrimSuffix(row, "\n"), "|"))
		}
		if err := printLines(&b, lines); err != nil {
			t.Fatal(err)
		}
	}
	dead := fine(t, dir, "dead-letters", "list", "shown.yaml", "--output", "json").out
	for line := range strings.Lines(dead) {
		var l letter
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "dead letter, line %d: %s: %s\n", l.Line, l.Reason, l.Message)
	}
	return b.String()
}
