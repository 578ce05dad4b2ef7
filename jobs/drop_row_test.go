package jobs

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/sinks/deadletters"
)

// TestDropRow: bad rows of elements are left out alone, each a dead letter of its own that
// counts once a record, and replay says what to do instead.
func TestDropRow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in.ndjson"), []byte(`{"id":"a","values":[1,"x",3,"y"]}`+"\n"+`{"id":"b","values":[4]}`+"\n"+`{"id":"c","values":[5]}`+"\n"))
	pipeline := `name: stations
dead_letters: {max_ratio: 0.4}
sources: {readings: {type: file, path: in.ndjson, format: json, key: [id]}}
transforms:
  items:
    type: unnest
    inputs: [readings]
    tables:
      reading:
        explode: {from: values, as: v, ordinal: n}
        key: [id, n]
        columns: {id: {}, n: {}, v: {type: int64, on_error: drop_row, mask: true}}
sinks: {lake: {type: parquet, inputs: [items], url: lake, mode: append}}
`
	write(t, filepath.Join(dir, "stations.yaml"), []byte(pipeline))
	fine(t, dir, "run", "stations.yaml") // one record of three is not more than max_ratio
	if n := openDatabase(t).number("SELECT count(*) FROM read_parquet('" + dir + "/lake/reading/*.parquet')"); n != 4 {
		t.Errorf("%d rows, want those of the good elements", n)
	}
	var found []deadletters.Letter
	var ids []string
	for line := range strings.Lines(fine(t, dir, "dead-letters", "list", "stations.yaml", "--output", "json").out) {
		var l struct {
			ID string `json:"id"`
			deadletters.Letter
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		found, ids = append(found, l.Letter), append(ids, l.ID)
	}
	if len(found) != 2 || found[0].Row == nil || found[0].Row.Table != "reading" || found[0].Row.Element != "2" || found[1].Row == nil || found[1].Row.Element != "4" {
		t.Fatalf("dead letters %+v", found)
	}
	fine(t, dir, "dead-letters", "show", "stations.yaml", ids[0]).want(t, exitFine, "row of:   table reading, element 2", `"id":"a"`)
	fine(t, dir, "dead-letters", "show", "stations.yaml", ids[1]).want(t, exitFine, "row of:   table reading, element 4", `"id":"a"`)
	fine(t, dir, "dead-letters", "replay", "stations.yaml", "--all").want(t, exitFine,
		"0 dead letters wait to be read again", "left out: 2 that are rows of records that had effect otherwise: mend the pipeline file, and starlift backfill")
	write(t, filepath.Join(dir, "strict.yaml"), []byte(strings.NewReplacer("stations", "strict", "0.4", "0.3", "url: lake", "url: strict").Replace(pipeline)))
	starlift(t, dir, "run", "strict.yaml").want(t, exitFailed, "too many dead letters: 1 of the 3 records")
}

// TestLettersOfTests: tests of a pipeline name the rows that are left out alone, and the filter
// that refuses a change.
func TestLettersOfTests(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "stations.yaml"), []byte(`name: stations
sources: {readings: {type: file, path: in.ndjson, format: dynamodb_cdc, key: [id]}}
transforms:
  warm: {type: filter, inputs: [readings], where: {$expr: "high > (low ?? 0)"}}
  items:
    type: unnest
    inputs: [warm]
    tables:
      reading:
        explode: {from: days, as: day, key: date, explode: {from: day.values, as: v, ordinal: n}}
        key: [id, date, n]
        columns: {id: {}, date: {}, n: {}, v: {type: int64, on_error: drop_row}}
sinks: {lake: {type: parquet, inputs: [items], url: lake, mode: latest}}
`))
	const tests = `tests:
  - name: bad rows and changes
    steps:
      - inputs:
          readings:
            - {insert: {id: a, high: 5, days: {d1: {values: [1, x]}, d2: {values: [3]}}}}
            - {insert: {id: b, high: 5, low: 6, days: {d1: {values: [x]}}}}
            - {insert: {id: c, high: many, days: {d1: {values: [1]}}}}
        expect: {reading: [{id: a, date: d1, n: 1, v: 1}, {id: a, date: d2, n: 1, v: 3}]}
        dead_letters:
          - {reason: bad_value, record: 1, table: reading, element: %s}
          - {reason: bad_value, record: 3, node: warm, message: 'high > (low ?? 0) with high = "many"'}
      - inputs: {readings: [{modify: {id: a, high: 1, low: 1, days: {d1: {values: [1]}}}}]}
        expect: {reading: []}
      - inputs: {readings: [{insert: {id: d, high: 1, days: {d1: {values: [1]}}}}, {remove: {id: d, high: x}}]}
        expect: {reading: []}
`
	write(t, filepath.Join(dir, "stations_test.yaml"), fmt.Appendf(nil, tests, `'"d1".2'`))
	fine(t, dir, "test", "stations.yaml")
	write(t, filepath.Join(dir, "stations_test.yaml"), fmt.Appendf(nil, tests, `'"d1".1'`))
	starlift(t, dir, "test", "stations.yaml").want(t, exitFailed,
		`no such dead letter: bad_value, record 1, of a row of table reading, element "d1".1`, `dead letter not expected: bad_value, record 1 of readings`)
}

// TestDropRowOfARefusedChange: a change that a transform of rows refuses has one dead letter, of all of it.
func TestDropRowOfARefusedChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "shares.yaml"), []byte(`name: shares
sources: {orders: {type: file, path: in.ndjson, format: json, key: [id]}}
transforms:
  items:
    type: unnest
    inputs: [orders]
    tables:
      part:
        explode: {from: parts, as: v, ordinal: n}
        key: [id, n]
        columns: {id: {}, n: {}, v: {type: int64, on_error: drop_row}}
  shares: {type: derive, inputs: [items], columns: {share: {expr: 10 / v, type: int64}}}
sinks: {lake: {type: parquet, inputs: [shares], url: lake, mode: latest}}
`))
	write(t, filepath.Join(dir, "shares_test.yaml"), []byte(`tests:
  - name: refused after rows were left out
    steps:
      - inputs: {orders: [{id: a, parts: [1, x, 0, y]}, {id: b, parts: [z, 2]}, {id: c, parts: [0]}]}
        expect: {shares.part: [{id: b, n: 2, v: 2, share: 5}]}
        dead_letters:
          - {reason: bad_value, record: 1, node: shares}
          - {reason: bad_value, record: 2, node: items, table: part, element: "1"}
          - {reason: bad_value, record: 3, node: shares}
`))
	fine(t, dir, "test", "shares.yaml")
}
