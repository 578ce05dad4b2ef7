package jobs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPlainDeletes: a delete in plain JSON with nothing but the key takes the
// item's rows away, whatever the where of their tables tests, in any order of
// the records. One with more is of the item that it shows.
func TestPlainDeletes(t *testing.T) {
	t.Parallel()
	records := []string{
		`{"id": "o1", "at": 1, "type": "order", "lines": ["pen", "mug"]}`,
		`{"id": "o2", "at": 2, "type": "order", "lines": ["pen"]}`,
		`{"id": "o3", "at": 3, "type": "order", "lines": ["mug"]}`,
		`{"id": "c1", "at": 4, "type": "customer"}`,
		`{"id": "o1", "at": 6, "op": "delete"}`,
		`{"id": "c1", "at": 7, "op": "delete", "type": null}`,
		`{"id": "o2", "at": 8, "op": "delete", "type": "order"}`,
		`{"id": "o1", "at": 5, "type": "order", "lines": ["ink"]}`, // before its delete
		`{"id": "o3", "at": 9, "op": "delete", "type": "basket"}`,  // of no table: a dead letter
		`{"id": "o9", "at": 10, "op": "delete"}`,                   // of an item that nobody has had
	}
	backwards := slices.Clone(records)
	slices.Reverse(backwards)
	for name, runs := range map[string][][]string{
		"at once":    {records},
		"backwards":  {backwards},
		"one by one": slices.Collect(slices.Chunk(records, 1)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "p.yaml")
			write(t, file, fmt.Appendf(nil, `
name: deletes
state: {dir: "%[1]s/state"}
dead_letters: {url: "%[1]s/dead-letters", max_ratio: 1}
sources: {changes: {type: file, path: "%[1]s/c*.ndjson", format: json, key: [id], version: {from: at, type: int64}, operation: {from: op, delete: [delete]}}}
transforms:
  items:
    type: unnest
    inputs: [changes]
    tables:
      order:    {where: {type: [order]}, key: [id], columns: {id: {}}}
      line:     {where: {type: [order]}, explode: {from: lines, as: line}, key: [id, line], columns: {id: {}, line: {}}}
      flagged:  {where: {type: [order]}, key: [id], columns: {id: {}}, on_delete: flag}
      customer: {where: {type: [customer]}, key: [id], columns: {id: {}}}
sinks: {warehouse: {type: duckdb, inputs: [items], dsn: "%[1]s/w.duckdb"}}
`, dir))
			for i, run := range runs {
				write(t, filepath.Join(dir, fmt.Sprintf("c%02d.ndjson", i)), []byte(strings.Join(run, "\n")))
				command("run", file).want(t, exitFine)
			}
			d := openDatabase(t)
			d.exec("ATTACH '" + filepath.Join(dir, "w.duckdb") + "' AS w (READ_ONLY)")
			for query, want := range map[string]string{
				"SELECT id FROM w.order ORDER BY ALL":               "o3\n",
				"SELECT id, line FROM w.line ORDER BY ALL":          "o3|mug\n",
				"SELECT id, is_deleted FROM w.flagged ORDER BY ALL": "o1|true\no2|true\no3|false\n",
				"SELECT id FROM w.customer":                         "",
			} {
				if got := d.rows(query); got != want {
					t.Errorf("%s gives\n%swant\n%s", query, got, want)
				}
			}
			letters := deadLetters(t, dir, file)
			if len(letters) != 1 || letters[0].Reason != "unmatched" {
				t.Fatalf("dead letters %+v, want one", letters)
			}
			shown := command("dead-letters", "show", file, letters[0].ID)
			shown.want(t, exitFine)
			if !strings.HasSuffix(shown.out, records[8]+"\n") {
				t.Errorf("the dead letter is %s, want the delete of a basket", shown.out)
			}
		})
	}
}
