package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/conformance"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// existing are columns of tables that are there: what takes the values of a type as they are, and which type
// an error asks for elsewhere.
var existing = []struct {
	declared, have, value, stored string
	declare                       string // "" = it is taken
}{
	{"int32", "int4", `7`, "7", ""}, {"int64", "int4", `7`, "", "int32"}, {"int32", "int8", `7`, "", "int64"}, {"int64", "serial", `7`, "", "int32"},
	{"timestamptz", "timestamptz", `"2024-02-29T10:00:00"`, "2024-02-29 10:00:00", ""}, {"timestamp", "timestamptz", `"2024-02-29T10:00:00"`, "", "timestamptz"}, {"timestamptz", "timestamp", `"2024-02-29T10:00:00"`, "", "timestamp"},
	{"uuid", "uuid", `"123e4567-e89b-12d3-a456-426614174000"`, "123e4567-e89b-12d3-a456-426614174000", ""}, {"string", "uuid", `"x"`, "", "uuid"}, {"uuid", "text", `"x"`, "", "string"},
	{"varchar(10)", "varchar(10)", `"aé"`, "aé", ""}, {"varchar(10)", "varchar(11)", `"aé"`, "aé", ""}, {"varchar(10)", "varchar(9)", `"aé"`, "", "varchar(9)"}, {"varchar(10)", "varchar", `"aé"`, "aé", ""}, {"varchar(10)", "text", `"aé"`, "aé", ""},
	{"string", "varchar(20)", `"aé"`, "", "varchar(20)"}, {"string", "varchar", `"aé"`, "aé", ""}, {"string", "char(3)", `"aé"`, "", "char(3)"},
	{"char(3)", "char(3)", `"ab"`, "ab", ""}, {"char(3)", "char(4)", `"ab"`, "", "char(4)"}, {"char(3)", "varchar(3)", `"ab "`, "", "varchar(3)"},
	{"decimal(10,2)", "numeric(10,2)", `"1.50"`, "1.50", ""}, {"decimal(10,2)", "numeric", `"1.50"`, "1.50", ""}, {"decimal(10,2)", "numeric(12,3)", `"1.50"`, "1.500", ""},
	{"decimal(10,2)", "numeric(10,3)", `"1.50"`, "", "decimal(10,3)"}, {"decimal(10,2)", "numeric(12,1)", `"1.50"`, "", "decimal(12,1)"}, {"decimal(10,2)", "numeric(9,2)", `"1.50"`, "", "decimal(9,2)"},
	{"time", "time", `"09:30:00.5"`, "09:30:00.5", ""}, {"string", "time", `"09:30"`, "", "time"}, {"string", "timetz", `"09:30"`, "", "none"}, {"timestamptz", "timestamptz(3)", `"2024-02-29T10:00:00"`, "", "none"},
	{"list(int32)", "int4[]", `"[7,null]"`, "[7,null]", ""}, {"list(string)", "text[]", `"[\"a\"]"`, `["a"]`, ""}, {"list(int64)", "int4[]", `"[7]"`, "", "list(int32)"}, {"json", "text[]", `"[]"`, "", "list(string)"}, {"list(string)", "jsonb", `"[]"`, "", "json"},
	{"list(decimal(10,2))", "numeric(12,3)[]", `"[1.50]"`, "[1.500]", ""}, {"list(decimal(10,2))", "numeric[]", `"[1.50,0.00,-0.01,123456.70]"`, "[1.50,0.00,-0.01,123456.70]", ""}, {"list(decimal(10,2))", "numeric(9,2)[]", `"[1.50]"`, "", "list(decimal(9,2))"},
	{"list(varchar(3))", "varchar(4)[]", `"[\"abc\"]"`, `["abc"]`, ""}, {"list(varchar(3))", "varchar(2)[]", `"[\"abc\"]"`, "", "list(varchar(2))"}, {"list(varchar(3))", "text[]", `"[\"abc\"]"`, `["abc"]`, ""}, {"list(varchar(3))", "varchar[]", `"[\"abc\"]"`, `["abc"]`, ""}, {"list(string)", "varchar[]", `"[\"a\",null,\"\"]"`, `["a",null,""]`, ""},
	{"list(string)", "varchar(9)[]", `"[\"abc\"]"`, "", "list(varchar(9))"}, {"list(string)", "char(9)[]", `"[\"abc\"]"`, "", "list(char(9))"}, {"list(string)", "uuid[]", `"[]"`, "", "list(uuid)"},
	{"list(timestamp)", "timestamptz[]", `"[]"`, "", "list(timestamptz)"},
}

// TestExistingColumns: a column that is there takes rows by each way into a table, if it holds all values of the
// declared type as they are; else the error says which type to declare.
func TestExistingColumns(t *testing.T) {
	for i, c := range existing {
		t.Run(c.declared+" in "+c.have, func(t *testing.T) {
			d := newTarget(t, fmt.Sprintf("%s existing %d", pgtest.Schema(), i))
			in := warehouse.QualifiedName(d.schema, "t")
			d.Exec(t, fmt.Sprintf("CREATE SCHEMA %s; CREATE TABLE %s (id bigint PRIMARY KEY, v %s)", warehouse.Quote(d.schema), in, c.have))
			table := pipelinetest.Table("t", "id", "id int64", "v "+c.declared)
			h := pipelinetest.NewSinkDriver(t, "shop", table)
			sink, err := d.New("warehouse", &conformance.Faults{})
			h.Must(err)
			err = h.Open(sink)
			if c.declare != "" {
				if declared := err != nil && strings.Contains(err.Error(), "declare type: "+c.declare); err == nil || declared == (c.declare == "none") {
					t.Errorf("the error is %v, want one that asks for %s", err, c.declare)
				}
				return
			}
			h.Must(err)
			for range 2 { // by files and by parameters
				h.Prepare(pipelinetest.JSONRows(t, table, []pipeline.Op{pipeline.OpInsert, pipeline.OpInsert}, `{"id": 1, "v": `+c.value+`}`, `{"id": 2}`))
				h.Commit()
				h.Prepare(pipelinetest.JSONRows(t, table, []pipeline.Op{pipeline.OpUpdate, pipeline.OpUpdate}, `{"id": 2, "v": `+c.value+`}`, `{"id": 1}`))
				h.Commit()
				if got := strings.Join(d.Query(t, fmt.Sprintf("SELECT id, %s FROM %s ORDER BY id", d.Text("v", table.Columns[1].Type), in)), ";"); got != "1|null;2|"+c.stored {
					t.Errorf("the rows are %s, want %s in the second", got, c.stored)
				}
				h.Prepare(pipelinetest.JSONRows(t, table, []pipeline.Op{pipeline.OpDelete, pipeline.OpDelete}, `{"id": 1}`, `{"id": 2}`))
				h.Commit()
				sink, err := d.New("warehouse", &conformance.Faults{})
				h.Must(err)
				h.Must(h.Open(sink))
			}
		})
	}
}
