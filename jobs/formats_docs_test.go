package jobs

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// shownFormat is an example in docs/formats.md: its format, the rows it gives, and
// how many dead letters.
var shownFormat = regexp.MustCompile("(?s)```json format=(\\w+) rows=\"(.*?)\"(?: dead=(\\d+))?\n(.*?)```")

// TestFormatsInDocs: every layout that the documentation shows is read.
func TestFormatsInDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	d := openDatabase(t)
	examples := shownFormat.FindAllStringSubmatch(string(text), -1)
	if len(examples) < 12 || len(examples) != strings.Count(string(text), "```json") {
		t.Fatalf("%d examples found", len(examples))
	}
	for i, e := range examples {
		dir := t.TempDir()
		key := "key: [id], "
		if e[1] == "dynamodb_cdc" {
			key = ""
		}
		write(t, filepath.Join(dir, "records.json"), []byte(e[4]))
		write(t, filepath.Join(dir, "shown.yaml"), []byte("name: shown\ndead_letters: {max_ratio: 1}\n"+
			"sources: {records: {type: file, path: records.json, "+key+"format: "+e[1]+"}}\n"+
			"transforms: {items: {type: unnest, inputs: [records], tables: {shown: {key: [id], columns: {id: {}, v: {type: int64}}}}}}\n"+
			"sinks: {warehouse: {type: duckdb, inputs: [items], dsn: w.duckdb}}\n"))
		r := starlift(t, dir, "run", "shown.yaml")
		if r.code != exitFine {
			t.Errorf("example %d: %s", i+1, r.err)
			continue
		}
		d.exec("ATTACH '" + filepath.Join(dir, "w.duckdb") + "' AS w (READ_ONLY)")
		got := strings.TrimSpace(d.rows("SELECT string_agg(id || '=' || v, ' ' ORDER BY id) FROM w.shown"))
		d.exec("DETACH w")
		dead := strings.Count(fine(t, dir, "dead-letters", "list", "shown.yaml", "--output", "json").out, "\n")
		if got != e[2] || strconv.Itoa(dead) != cmp.Or(e[3], "0") {
			t.Errorf("example %d gives %s and %d dead letters, want %s and %s", i+1, got, dead, e[2], cmp.Or(e[3], "0"))
		}
	}
}
