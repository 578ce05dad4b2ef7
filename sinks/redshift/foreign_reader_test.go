//go:build cgo

package redshift

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// A reader that others wrote finds the schema that loads were seen to succeed with, and the rows.
func TestForeignReader(t *testing.T) {
	t.Parallel()
	table := everyType(t)
	dir, s := writeFiles(t, stagedSizes, table, pipelinetest.JSONRows(t, table, inserted(2),
		`{"id": 1, "b": true, "n": -5, "f": 0.5, "day": "0001-01-01", "at": "9999-12-31T23:59:59.999999Z", "bin": "AP8=", "text": "ü", "doc": "{}", "d1": -9, "d18": 123456789.123456789, "d19": null, "d38": -1.5}`,
		`{"id": 2}`))
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	path := filepath.Join(dir, s.Files[0].Name)
	query := func(text string) (lines []string) {
		t.Helper()
		rows, err := db.QueryContext(t.Context(), strings.ReplaceAll(text, "FILE", "'"+path+"'"))
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, line)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return lines
	}
	got := query(`SELECT concat_ws(' ', name, type, type_length, repetition_type, converted_type, scale, precision) FROM parquet_schema(FILE) WHERE num_children IS NULL`)
	want := []string{"_starlift_op INT64 OPTIONAL"}
	// The minimal bytes of each precision, as three clusters have asked for them.
	bytes := map[int32]int{1: 1, 2: 1, 3: 2, 5: 3, 8: 4, 10: 5, 12: 6, 16: 7, 18: 8, 19: 9, 22: 10, 25: 11, 28: 12, 30: 13, 33: 14, 35: 15, 38: 16}
	for _, c := range table.Columns {
		want = append(want, c.Name+" "+map[pipeline.Kind]string{
			pipeline.Bool: "BOOLEAN OPTIONAL", pipeline.Int64: "INT64 OPTIONAL", pipeline.Double: "DOUBLE OPTIONAL", pipeline.Date: "INT32 OPTIONAL DATE",
			pipeline.Timestamp: "INT64 OPTIONAL TIMESTAMP_MICROS", pipeline.Binary: "BYTE_ARRAY OPTIONAL", pipeline.String: "BYTE_ARRAY OPTIONAL UTF8", pipeline.JSONText: "BYTE_ARRAY OPTIONAL UTF8",
			pipeline.Decimal: fmt.Sprintf("FIXED_LEN_BYTE_ARRAY %d OPTIONAL DECIMAL %d %d", bytes[c.Type.Precision], c.Type.Scale, c.Type.Precision),
		}[c.Type.Kind])
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("schema\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, line := range query(`SELECT DISTINCT concat_ws(' ', compression, encodings) FROM parquet_metadata(FILE)`) {
		for _, word := range strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == ',' }) {
			if !strings.Contains("SNAPPY PLAIN RLE RLE_DICTIONARY", word) {
				t.Errorf("codec and encodings %s", line)
			}
		}
	}
	rows := query(`SELECT concat_ws('|', _starlift_op, id, b, n, f, day, make_timestamp(epoch_us("at")), hex(bin), text, doc, d1, d18, d19, d38, coalesce(nulls::VARCHAR, 'null')) FROM read_parquet(FILE) ORDER BY id`)
	op := fmt.Sprint(int(pipeline.OpInsert))
	if want := []string{op + "|1|true|-5|0.5|0001-01-01|9999-12-31 23:59:59.999999|00FF|ü|{}|-9|123456789.123456789|-1.5000000000000000000|null", op + "|2|null"}; fmt.Sprint(rows) != fmt.Sprint(want) {
		t.Errorf("rows\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
}
