package jobs

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestLinesThatAreNoRecords: far behind a file's beginning, where lines are taken for
// records unseen, some hold several, or an envelope. All take effect once, over many
// epochs; what is broken is a dead letter that can be read again, with its place.
func TestLinesThatAreNoRecords(t *testing.T) {
	dir := t.TempDir()
	record := func(n int, v string) string {
		return fmt.Sprintf(`{"eventName":"INSERT","tableName":"t","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"id":{"N":"%d"}},"NewImage":{"id":{"N":"%d"},"v":{"N":%s}}}}`,
			1700000000000+n, n, n, v)
	}
	var b strings.Builder
	lines := func(from, to int) {
		for n := from; n < to; n++ {
			b.WriteString(record(n, "1") + "\n")
		}
	}
	lines(0, 9000)
	b.WriteString(record(9000, "1") + record(9001, "1") + "\n")
	lines(9002, 9500)
	b.WriteString(`{"Records":[` + record(9500, "1"))
	at := b.Len() + 1
	b.WriteString("," + record(9501, `"x"`) + "]}\n")
	lines(9502, 10000)
	write(t, filepath.Join(dir, "in.ndjson"), []byte(b.String()))
	pipeline := func(column string) []byte {
		return []byte("name: lines\nepoch: {max_records: 700}\ndead_letters: {max_ratio: 0.5}\nsources: {in: {type: file, path: in.ndjson, format: dynamodb_cdc}}\n" +
			"transforms: {items: {type: unnest, inputs: [in], tables: {t: {key: [id], columns: {id: {type: int64}, " + column + "}}}}}\n" +
			"sinks: {w: {type: duckdb, inputs: [items], dsn: w.duckdb}}\n")
	}
	write(t, filepath.Join(dir, "lines.yaml"), pipeline("v: {type: int64}"))
	r := fine(t, dir, "run", "lines.yaml")
	if n := strings.Count(r.err, "reading on byte by byte"); n != 1 {
		t.Errorf("said %d times that lines hold several records, want once: %s", n, r.err)
	}
	d := openDatabase(t)
	d.exec("ATTACH '" + filepath.Join(dir, "w.duckdb") + "' AS w (READ_ONLY)")
	if n := d.number("SELECT count(*) FROM w.t"); n != 9999 {
		t.Errorf("%d rows, want 9999", n)
	}
	d.exec("DETACH w")
	var l letter
	if err := json.Unmarshal([]byte(fine(t, dir, "dead-letters", "list", "lines.yaml", "--output", "json").out), &l); err != nil {
		t.Fatal(err)
	}
	shown := fine(t, dir, "dead-letters", "show", "lines.yaml", l.ID).out
	for _, want := range []string{
		fmt.Sprintf("in.ndjson:9500, byte %d", at), `NewImage.v: N wants a number, found the string "x"`, record(9501, `"x"`),
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in the dead letter:\n%s", want, shown)
		}
	}
}
