package jobs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sensors is a pipeline of plain JSON whose third record is bad, of four.
const sensors = `name: sensors
dead_letters: {max_ratio: 0.3}
sources: {readings: {type: file, path: "in/*.ndjson", format: json, key: [id]}}
transforms:
  items:
    type: unnest
    inputs: [readings]
    tables:
      reading: {key: [id], columns: {id: {}, celsius: {type: double}}}
sinks: {lake: {type: parquet, inputs: [items], url: lake, mode: append}}
`

// TestTooManyDeadLettersAtTheEnd: run and backfill of a few records of which too
// many are bad keep what is good and the dead letters, say what is wrong, and
// fail; later files are judged by themselves, and a run without any is fine.
func TestTooManyDeadLettersAtTheEnd(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"run", "backfill"} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "sensors.yaml"), []byte(sensors))
		write(t, filepath.Join(dir, "in/1.ndjson"), []byte(`{"id":"a","celsius":1.5}`+"\n"+`{"id":"b","celsius":"warm"}`+"\n"+`{"id":"c","celsius":"cold"}`+"\n"+`{"id":"d"}`+"\n"))
		starlift(t, dir, command, "sensors.yaml").want(t, exitFailed, "too many dead letters: 2 of the 4 records that were read, more than dead_letters.max_ratio 0.3 allows",
			"the most common reason is bad_value of node items (2), for example in/1.ndjson:2: table reading, column celsius",
			`"msg":"records become dead letters","node":"items","reason":"bad_value","records":2,"position":"in/1.ndjson:2"`)
		if list := fine(t, dir, "dead-letters", "list", "sensors.yaml").out; strings.Count(list, "bad_value") != 2 {
			t.Errorf("the dead letters are not kept:\n%s", list)
		}
		if n := openDatabase(t).number("SELECT count(*) FROM read_parquet('" + dir + "/lake/reading/*.parquet')"); n != 2 {
			t.Errorf("%d rows, want those of the two good records", n)
		}
		fine(t, dir, "run", "sensors.yaml")
		write(t, filepath.Join(dir, "in/2.ndjson"), []byte(`{"id":"e","celsius":-3}`+"\n"))
		fine(t, dir, "run", "sensors.yaml")
		write(t, filepath.Join(dir, "in/3.ndjson"), []byte(`{"id":"f","celsius":[]}`+"\n"))
		starlift(t, dir, "run", "sensors.yaml").want(t, exitFailed, "1 of the 1 records", "in/3.ndjson:1")
		// Read again from the start, all of it counts.
		starlift(t, dir, "backfill", "sensors.yaml").want(t, exitFailed, "3 of the 6 records")
	}
}
