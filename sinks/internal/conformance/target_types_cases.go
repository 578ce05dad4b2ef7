package conformance

import (
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// targetTypesCase is about types that are others only in a target: their greatest and least values, nulls,
// and keys of them.
func targetTypesCase(t *testing.T, target Target) {
	table := pipelinetest.Table("typed", "u,n,v,at", "u uuid", "n int32", "v varchar(10)", "at timestamptz", "c char(3)", "o time", "m int32", "w uuid", "also timestamptz")
	objects := []string{
		`{"u": "00000000-0000-0000-0000-000000000000", "n": -2147483648, "v": "äöüß€ 群😀é'", "at": "0001-01-01T00:00:00", "c": "abc", "o": "00:00:00", "m": 0, "w": "ffffffff-ffff-ffff-ffff-ffffffffffff", "also": "9999-12-31T23:59:59.999999"}`,
		`{"u": "123e4567-e89b-12d3-a456-426614174000", "n": 2147483647, "v": "a", "at": "2024-02-29T10:00:00.000001", "c": "a", "o": "23:59:59.999999", "m": -1, "w": "123e4567-e89b-12d3-a456-426614174001", "also": "1969-12-31T23:59:59.999999"}`,
		`{"u": "123e4567-e89b-12d3-a456-426614174000", "n": 2147483647, "v": "b", "at": "2024-02-29T10:00:00.000001"}`,
		`{"u": "123e4567-e89b-12d3-a456-426614174000", "n": 2147483647, "v": "b", "at": "2024-02-29T10:00:00.000002", "o": "12:30:00.5"}`,
	}
	want := []string{
		"00000000-0000-0000-0000-000000000000|-2147483648|äöüß€ 群😀é'|0001-01-01 00:00:00|abc|00:00:00|0|ffffffff-ffff-ffff-ffff-ffffffffffff|9999-12-31 23:59:59.999999",
		"123e4567-e89b-12d3-a456-426614174000|2147483647|a|2024-02-29 10:00:00.000001|a|23:59:59.999999|-1|123e4567-e89b-12d3-a456-426614174001|1969-12-31 23:59:59.999999",
		"123e4567-e89b-12d3-a456-426614174000|2147483647|b|2024-02-29 10:00:00.000001|null|null|null|null|null",
		"123e4567-e89b-12d3-a456-426614174000|2147483647|b|2024-02-29 10:00:00.000002|null|12:30:00.5|null|null|null",
	}
	if target.TextMax != 0 { // n counts bytes there
		table.Columns[table.Column("v")].Type.Length *= 4
	}
	h := newHarness(t, target, table)
	put := func(op pipeline.Op, objects ...string) {
		t.Helper()
		ops := make([]pipeline.Op, len(objects))
		for i := range ops {
			ops[i] = op
		}
		h.Prepare(pipelinetest.JSONRows(t, table, ops, objects...))
		h.Commit()
	}
	put(insert, objects...)
	h.want(want...)
	put(update, `{"u": "123e4567-e89b-12d3-a456-426614174000", "n": 2147483647, "v": "a", "at": "2024-02-29T10:00:00.000001"}`,
		`{"u": "123e4567-e89b-12d3-a456-426614174000", "n": 2147483647, "v": "b", "at": "2024-02-29T10:00:00.000001", "c": "xyz", "o": "01:02:03", "m": 7, "w": "00000000-0000-0000-0000-000000000001", "also": "2024-02-29T10:00:00"}`)
	h.want(want[0], "123e4567-e89b-12d3-a456-426614174000|2147483647|a|2024-02-29 10:00:00.000001|null|null|null|null|null",
		"123e4567-e89b-12d3-a456-426614174000|2147483647|b|2024-02-29 10:00:00.000001|xyz|01:02:03|7|00000000-0000-0000-0000-000000000001|2024-02-29 10:00:00", want[3])
	put(remove, objects[0], objects[2], objects[3])
	h.want("123e4567-e89b-12d3-a456-426614174000|2147483647|a|2024-02-29 10:00:00.000001|null|null|null|null|null")
}
