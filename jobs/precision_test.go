package jobs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPrecisions: where the inputs of a table tell times in different units, what is
// finer in one does not win by that: images put changes in order, whichever input is
// read first and wherever epochs are cut.
func TestPrecisions(t *testing.T) {
	t.Parallel()
	random := seed(t)
	units := []int64{1, 1000, 1_000_000}
	for round := range 8 {
		var lines [3][]string
		now := map[string]int{}
		for i := range 45 {
			micros := 1_709_294_400_000_000 + int64(i)*217_391 + int64(random.IntN(1000))
			id := string(rune('a' + random.IntN(3)))
			event, images := "INSERT", ""
			if v, ok := now[id]; ok {
				event = "MODIFY"
				images = fmt.Sprintf(`, "OldImage": {"id": {"S": %q}, "v": {"N": "%d"}}`, id, v)
			}
			if event == "MODIFY" && random.IntN(4) == 0 {
				event = "REMOVE"
				delete(now, id)
			} else {
				now[id] = i
				images += fmt.Sprintf(`, "NewImage": {"id": {"S": %q}, "v": {"N": "%d"}}`, id, i)
			}
			k := random.IntN(3)
			unit := ""
			if k == 0 {
				unit = `, "ApproximateCreationDateTimePrecision": "MICROSECOND"`
			}
			lines[k] = append(lines[k], fmt.Sprintf(`{"eventName": %q, "eventID": "e%d", "tableName": "t", "dynamodb": {"ApproximateCreationDateTime": %d%s, "Keys": {"id": {"S": %q}}%s}}`,
				event, i, micros/units[k], unit, id, images))
		}
		dir := t.TempDir()
		names := []string{"x", "y", "z"}
		random.Shuffle(3, func(i, k int) { names[i], names[k] = names[k], names[i] })
		var sources []string
		for k, some := range lines {
			write(t, filepath.Join(dir, names[k]+".ndjson"), []byte(strings.Join(some, "\n")+"\n"))
			sources = append(sources, fmt.Sprintf("  %s: {type: file, path: %s.ndjson, format: dynamodb_cdc}\n", names[k], names[k]))
		}
		slices.Sort(sources)
		write(t, filepath.Join(dir, "p.yaml"), []byte("name: precise\nsources:\n"+strings.Join(sources, "")+`
transforms:
  items: {type: unnest, inputs: [x, y, z], tables: {row: {key: [id], columns: {id: {}, v: {type: int64}}}}}
sinks: {lake: {type: parquet, inputs: [items], url: lake, mode: latest}, w: {type: duckdb, inputs: [items], dsn: w.duckdb}}
`))
		fine(t, dir, "run", "p.yaml", "--set", fmt.Sprintf("epoch.max_records=%d", 1+random.IntN(20)))
		d := openDatabase(t)
		d.exec("ATTACH '" + filepath.Join(dir, "w.duckdb") + "' AS w (READ_ONLY)")
		var want []string
		for id, v := range now {
			want = append(want, fmt.Sprintf("%s=%d", id, v))
		}
		slices.Sort(want)
		if got := strings.TrimSpace(d.rows("SELECT id || '=' || v FROM w.row ORDER BY id")); got != strings.Join(want, "\n") {
			t.Errorf("round %d: rows are %q, want %q", round, got, want)
		}
	}
}

// TestPrintedTimes: a time that is printed without the zeros of its fraction, as Java's
// Instant and Python's isoformat do, is no coarser than the others of its source: changes of
// one second without old images stay in the order of their times, across sources.
func TestPrintedTimes(t *testing.T) {
	t.Parallel()
	random := seed(t)
	for round := range 6 {
		var lines [2][]string
		now := map[string]int{}
		for i := range 60 {
			at := time.UnixMicro(1_709_294_400_000_000 + int64(i)*125_000 + int64(i%4)*int64(round%2)).UTC() // each 8th is a whole second, most are of milliseconds
			id := string(rune('a' + random.IntN(3)))
			now[id] = i
			k, created := random.IntN(2), fmt.Sprintf("%d", at.UnixMicro())
			if k == i%8 { // the whole second is the first of its source
				k = 0
			}
			if k == 0 {
				created = fmt.Sprintf("%q", at.Format(time.RFC3339Nano))
			}
			lines[k] = append(lines[k], fmt.Sprintf(`{"eventName": "MODIFY", "eventID": "e%d", "tableName": "t", "dynamodb": {"ApproximateCreationDateTime": %s, "Keys": {"id": {"S": %q}}, "NewImage": {"id": {"S": %q}, "v": {"N": "%d"}}}}`,
				i, created, id, id, i))
		}
		dir := t.TempDir()
		write(t, filepath.Join(dir, "java.ndjson"), []byte(strings.Join(lines[0], "\n")+"\n"))
		write(t, filepath.Join(dir, "kinesis.ndjson"), []byte(strings.Join(lines[1], "\n")+"\n"))
		write(t, filepath.Join(dir, "p.yaml"), []byte(`name: printed
sources:
  java: {type: file, path: java.ndjson, format: dynamodb_cdc}
  kinesis: {type: file, path: kinesis.ndjson, format: dynamodb_cdc}
transforms:
  items: {type: unnest, inputs: [java, kinesis], tables: {row: {key: [id], columns: {id: {}, v: {type: int64}}}}}
sinks: {w: {type: duckdb, inputs: [items], dsn: w.duckdb}}
`))
		fine(t, dir, "run", "p.yaml", "--set", fmt.Sprintf("epoch.max_records=%d", 1+random.IntN(20)))
		d := openDatabase(t)
		d.exec("ATTACH '" + filepath.Join(dir, "w.duckdb") + "' AS w (READ_ONLY)")
		var want []string
		for id, v := range now {
			want = append(want, fmt.Sprintf("%s=%d", id, v))
		}
		slices.Sort(want)
		if got := strings.TrimSpace(d.rows("SELECT id || '=' || v FROM w.row ORDER BY id")); got != strings.Join(want, "\n") {
			t.Errorf("round %d: rows are %q, want %q", round, got, want)
		}
	}
}
