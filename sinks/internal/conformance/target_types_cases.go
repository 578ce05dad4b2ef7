package conformance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
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

// typedValues are a value of each type, as JSON and as text.
var typedValues = map[string][2]string{
	"int32": {"-7", "-7"}, "timestamptz": {`"2024-02-29T10:00:00.5"`, "2024-02-29 10:00:00.5"}, "uuid": {`"123e4567-e89b-12d3-a456-426614174000"`, "123e4567-e89b-12d3-a456-426614174000"},
	"varchar(10)": {`"ä"`, "ä"}, "char(3)": {`"abc"`, "abc"}, "time": {`"09:30:00"`, "09:30:00"}, "decimal(10,2)": {`"1.50"`, "1.50"},
	"list(int32)": {`"[7,null]"`, "[7,null]"}, "list(string)": {`"[\"a,b\",\"\"]"`, `["a,b",""]`}, "list(decimal(10,2))": {`"[1.50,null]"`, "[1.50,null]"},
}

// existingTypesCase is about tables that are there with columns of these types.
func existingTypesCase(t *testing.T, target Target) {
	if len(target.Existing) == 0 {
		t.Skip("the target says nothing of columns that are there")
	}
	h := newHarness(t, target, Orders(t))
	columns, made, objects, want := []string{"id int64"}, []string{"id BIGINT NOT NULL"}, []string{`"id": 1`}, "1"
	for i, c := range target.Existing {
		name := fmt.Sprint("c", i)
		columns, made = append(columns, name+" "+c[0]), append(made, warehouse.Quote(name)+" "+c[1])
		objects, want = append(objects, fmt.Sprintf("%q: %s", name, typedValues[c[0]][0])), want+"|"+typedValues[c[0]][1]
	}
	h.Close()
	h.exec("DROP TABLE %s", h.in("order"))
	h.exec("CREATE TABLE %s (%s)", h.in("order"), strings.Join(made, ", "))
	h.Tables = []*pipeline.Table{pipelinetest.Table("order", "id", columns...)}
	h.Must(h.restart())
	for _, op := range []pipeline.Op{insert, update} {
		h.Prepare(pipelinetest.JSONRows(t, h.Tables[0], []pipeline.Op{op}, "{"+strings.Join(objects, ", ")+"}"))
		h.Commit()
		h.want(want)
	}
	h.Close()
	h.exec("ALTER TABLE %s ADD COLUMN other %s", h.in("order"), target.Other[1])
	h.Tables = []*pipeline.Table{pipelinetest.Table("order", "id", append(columns, "other "+target.Other[0])...)}
	if err := h.restart(); err == nil || !strings.Contains(err.Error(), `column "other": the pipeline has `) || !strings.Contains(err.Error(), "declare type: "+target.Other[2]) {
		t.Errorf("got error %v, want one that asks for %s", err, target.Other[2])
	}
}
