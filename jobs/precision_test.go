package jobs

import (
	"fmt"
	"math/rand/v2"
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

// bothInputs draws writes of an item, fifty a second, whose images recur, and returns them as Kinesis and as DynamoDB
// Streams bring them, and what v is in the end; negative = the item is gone.
func bothInputs(random *rand.Rand, id string, n int) (kinesis, streams []string, last int) {
	now := -1
	image := func(name string, v int) string {
		if v < 0 {
			return ""
		}
		return fmt.Sprintf(`, %q: {"id": {"S": %q}, "v": {"N": "%d"}}`, name, id, v)
	}
	for i := range n {
		next := (now + 1 + random.IntN(3)) % 4
		event := "INSERT"
		if now >= 0 {
			event = "MODIFY"
			if random.IntN(4) == 0 {
				event, next = "REMOVE", -1
			}
		}
		at := 1_709_294_400_000_000 + int64(i)*20_000
		images := image("OldImage", now) + image("NewImage", next)
		kinesis = append(kinesis, fmt.Sprintf(`{"eventName": %q, "eventID": "k-%s-%d", "tableName": "t", "dynamodb": {"ApproximateCreationDateTime": %d, "ApproximateCreationDateTimePrecision": "MICROSECOND", "Keys": {"id": {"S": %q}}%s}}`,
			event, id, i, at, id, images))
		streams = append(streams, fmt.Sprintf(`{"eventName": %q, "eventID": "s-%s-%d", "dynamodb": {"ApproximateCreationDateTime": %d, "SequenceNumber": "%d", "Keys": {"id": {"S": %q}}%s}}`,
			event, id, i, at/1_000_000, 99_999_900+7*i, id, images))
		now = next
	}
	return kinesis, streams, now
}

// TestOneWriteThroughTwoInputs: writes that come through Kinesis, in µs with an eventID, and through DynamoDB Streams, in
// seconds with a sequence number, have effect once, however either input is shuffled and epochs are cut: the
// rows, and those that are flagged, end as the table did.
func TestOneWriteThroughTwoInputs(t *testing.T) {
	t.Parallel()
	random := seed(t)
	for range 4 {
		var lines [2][]string
		var want, gone []string
		for i := range 4 {
			id := string(rune('a' + i))
			kinesis, streams, last := bothInputs(random, id, 1+random.IntN(110))
			lines[0], lines[1] = append(lines[0], kinesis...), append(lines[1], streams...)
			if last < 0 {
				gone = append(gone, id)
			} else {
				want = append(want, fmt.Sprintf("%s=%d", id, last))
			}
		}
		dir := t.TempDir()
		for k, name := range []string{"kinesis", "streams"} {
			if random.IntN(2) == 0 {
				random.Shuffle(len(lines[k]), func(i, j int) { lines[k][i], lines[k][j] = lines[k][j], lines[k][i] })
			}
			lines[k] = append(lines[k], lines[k][random.IntN(len(lines[k]))])
			write(t, filepath.Join(dir, name+".ndjson"), []byte(strings.Join(lines[k], "\n")+"\n"))
		}
		write(t, filepath.Join(dir, "p.yaml"), []byte(`name: both
sources:
  kinesis: {type: file, path: kinesis.ndjson, format: dynamodb_cdc, table: t}
  streams: {type: file, path: streams.ndjson, format: dynamodb_cdc, table: t}
transforms:
  items:
    type: unnest
    inputs: [kinesis, streams]
    tables:
      row: {key: [id], columns: {id: {}, v: {type: int64}}}
      flagged: {key: [id], on_delete: flag, columns: {id: {}, v: {type: int64}}}
sinks:
  w: {type: duckdb, inputs: [items], dsn: w.duckdb}
`))
		fine(t, dir, "run", "p.yaml", "--set", fmt.Sprintf("epoch.max_records=%d", 1+random.IntN(200)))
		d := openDatabase(t)
		d.exec("ATTACH '" + filepath.Join(dir, "w.duckdb") + "' AS w (READ_ONLY)")
		for from, of := range map[string][]string{
			"w.row": want, "w.flagged WHERE NOT is_deleted": want,
		} {
			if got := strings.TrimSpace(d.rows("SELECT id || '=' || v FROM " + from + " ORDER BY id")); got != strings.Join(of, "\n") {
				t.Errorf("%s has %q, want %q", from, got, of)
			}
		}
		if got := strings.TrimSpace(d.rows("SELECT id FROM w.flagged WHERE is_deleted ORDER BY id")); got != strings.Join(gone, "\n") {
			t.Errorf("flagged are %q, want %q", got, gone)
		}
	}
}
