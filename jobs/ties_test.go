package jobs

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tiedRecords writes changes of some items at one or two instants, as they happened, and
// returns what is left: value by item. Some have no old image, some are there twice.
func tiedRecords(r *rand.Rand, olds bool) (lines []string, left map[string]string) {
	left = map[string]string{}
	id := 0
	for item := range 30 {
		key := fmt.Sprintf("k%02d", item)
		now := ""
		for at := range 1 + r.IntN(2) {
			for range 1 + r.IntN(5) {
				next := fmt.Sprint("v", r.IntN(3))
				if now != "" && r.IntN(2) == 0 {
					next = ""
				}
				event := "MODIFY"
				images := ""
				if now == "" {
					event = "INSERT"
				} else if olds {
					images += fmt.Sprintf(`, "OldImage": {"id": {"S": "%s"}, "v": {"S": "%s"}}`, key, now)
				}
				if next == "" {
					event = "REMOVE"
				} else {
					images += fmt.Sprintf(`, "NewImage": {"id": {"S": "%s"}, "v": {"S": "%s"}}`, key, next)
				}
				id++
				lines = append(lines, fmt.Sprintf(
					`{"eventID": "e%d", "eventName": "%s", "tableName": "t", "dynamodb": {"ApproximateCreationDateTime": %d, "Keys": {"id": {"S": "%s"}}%s}}`,
					id, event, 1700000000000+at, key, images))
				now = next
			}
		}
		if now != "" {
			left[key] = now
		}
	}
	return lines, left
}

// TestTiesEndAtTheLastChange: what arrives in order in one file ends at the last change in the
// warehouse, wherever epochs are cut, and so does the newest row of each key in the
// log, where records have old images.
func TestTiesEndAtTheLastChange(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for n, size := range []int{1, 3, 1000} {
		olds := n != 1
		lines, left := tiedRecords(r, olds)
		dir := t.TempDir()
		file := filepath.Join(dir, "p.yaml")
		write(t, filepath.Join(dir, "c.ndjson"), []byte(strings.Join(lines, "\n")))
		write(t, file, fmt.Appendf(nil, `
name: ties
state: {dir: "%[1]s/state"}
epoch: {max_records: %[2]d}
sources: {changes: {type: file, path: "%[1]s/c.ndjson", format: dynamodb_cdc}}
transforms: {items: {type: unnest, inputs: [changes], tables: {thing: {key: [id], columns: {id: {}, v: {}}}}}}
sinks:
  warehouse: {type: duckdb, inputs: [items], dsn: "%[1]s/w.duckdb"}
  lake: {type: parquet, inputs: [items], url: "%[1]s/lake"}
`, dir, size))
		command("run", file).want(t, exitFine)
		d := openDatabase(t)
		d.exec("ATTACH '" + filepath.Join(dir, "w.duckdb") + "' AS w (READ_ONLY)")
		want := ""
		for item := range 30 {
			if v := left[fmt.Sprintf("k%02d", item)]; v != "" {
				want += fmt.Sprintf("k%02d|%s ", item, v)
			}
		}
		want = strings.TrimSuffix(want, " ") + "\n"
		all := func(table string) string { return "SELECT string_agg(id || '|' || v, ' ' ORDER BY id) FROM " + table }
		if got := d.rows(all("w.thing")); got != want {
			t.Errorf("epochs of %d: the warehouse has\n%swant\n%s", size, got, want)
		}
		if !olds {
			continue
		}
		newest := fmt.Sprintf(`(SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY id ORDER BY _version DESC, _position DESC) AS n
			FROM read_parquet('%s/lake/thing/*.parquet')) WHERE n = 1 AND _op = 'upsert')`, dir)
		if got := d.rows(all(newest)); got != want {
			t.Errorf("epochs of %d: the newest rows of the log are\n%swant\n%s", size, got, want)
		}
	}
}

// TestReadLaterWins: of plain JSON records with equal versions, or none, the one that is
// read later wins, a delete as well, and one that says the same as an earlier one;
// over files, of which one that is there later comes later whatever its name, and one
// that has grown keeps its place.
func TestReadLaterWins(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"", ", version: {from: at, type: int64}"} {
		for _, size := range []int{1, 100} {
			dir := t.TempDir()
			file := filepath.Join(dir, "p.yaml")
			write(t, file, fmt.Appendf(nil, `
name: later
state: {dir: "%[1]s/state"}
epoch: {max_records: %[2]d}
sources: {changes: {type: file, path: "%[1]s/*.ndjson", format: json, key: [id], operation: {from: op, delete: [D]}%[3]s}}
transforms: {items: {type: unnest, inputs: [changes], tables: {thing: {key: [id], columns: {id: {}, v: {}}}}}}
sinks: {warehouse: {type: duckdb, inputs: [items], dsn: "%[1]s/w.duckdb"}}
`, dir, size, version))
			put := func(name string, lines ...string) {
				write(t, filepath.Join(dir, name), []byte(strings.Join(lines, "\n")+"\n"))
			}
			is := func(id, v string) string { return fmt.Sprintf(`{"id": "%s", "v": "%s", "at": 7}`, id, v) }
			gone := func(id string) string { return fmt.Sprintf(`{"id": "%s", "op": "D", "at": 7}`, id) }
			grown := []string{is("a", "x"), is("a", "y"), is("a", "x"), is("b", "x"), gone("b"), is("c", "x"), gone("c"), is("c", "x"), is("d", "m"), is("e", "x")}
			put("m.ndjson", grown...)
			put("n.ndjson", is("d", "n"), gone("e"))
			check := func(when, want string) {
				t.Helper()
				command("run", file).want(t, exitFine)
				d := openDatabase(t)
				d.exec("ATTACH '" + filepath.Join(dir, "w.duckdb") + "' AS w (READ_ONLY)")
				if got := d.rows("SELECT id, v FROM w.thing ORDER BY id"); got != want {
					t.Errorf("%s, epochs of %d%s: there is\n%swant\n%s", when, size, version, got, want)
				}
			}
			check("first", "a|x\nc|x\nd|n\n")
			put("f.ndjson", is("d", "f"), is("b", "f"), gone("a")) // sorts before the others
			check("with another file", "b|f\nc|x\nd|f\n")
			put("m.ndjson", append(grown, is("d", "old"), is("c", "z"))...)
			check("with a file that has grown", "b|f\nc|z\nd|f\n")
		}
	}
}
