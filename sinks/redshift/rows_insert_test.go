package redshift

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

var (
	stringType = pipeline.Type{Kind: pipeline.String}
	binaryType = pipeline.Type{Kind: pipeline.Binary}
)

// stageOf is a stage table for rows of a table.
func stageOf(table *pipeline.Table) *stageTable {
	to := &stageTable{name: `"stage"`, columns: []string{`"op"`}, types: []pipeline.Type{{Kind: pipeline.Int64}}}
	for _, c := range table.Columns {
		to.columns, to.types = append(to.columns, `"`+c.Name+`"`), append(to.types, c.Type)
	}
	return to
}

// fill adds rows to a statement until it has no room, and returns how many it has.
func fill(t *testing.T, rows *pipeline.Rows) (*rowsInsert, int) {
	q := newRowsInsert(stageOf(rows.Table))
	if err := q.bind(rows); err != nil {
		t.Fatal(err)
	}
	n := 0
	for n < len(rows.Ops) && q.add(n) {
		n++
	}
	return q, n
}

// TestStatementLimits: a statement has no more parameters and bytes than Redshift takes, and
// not many fewer; and what did not fit left nothing in it.
func TestStatementLimits(t *testing.T) {
	for _, c := range []struct {
		name          string
		columns, rows int
		text          string
		most          int // rows of a statement
	}{
		{"many small rows", 1, 40_000, "x", parametersMax / 2},
		{"many columns", 1599, 30, "", parametersMax / 1600},
		{"long values", 1, 400, strings.Repeat("x", varcharMax), statementBytesMax/varcharMax - 1},
		{"a row of one statement", 210, 2, strings.Repeat("x", varcharMax), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var columns []pipeline.Column
			for i := range c.columns {
				columns = append(columns, pipelinetest.Column(fmt.Sprint("c", i), pipeline.String))
			}
			table := pipelinetest.TableOf(t, "t", []string{"c0"}, columns...)
			b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
			defer b.Release()
			for range c.rows {
				for i := range columns {
					b.Field(i).(*array.StringBuilder).Append(c.text)
				}
			}
			rows := &pipeline.Rows{Table: table, Record: b.NewRecord(), Ops: make([]pipeline.Op, c.rows)}
			defer rows.Record.Release()
			q, n := fill(t, rows)
			size := len(q.statement())
			for _, arg := range q.args {
				size += len(arg.(string))
			}
			if n != c.most || int(q.rows) != n || len(q.args) != n*(c.columns+1) || len(q.args) > parametersMax || size > statementBytesMax || size > q.size {
				t.Errorf("%d rows, want %d; %d parameters, %d bytes, counted as %d", n, c.most, len(q.args), size, q.size)
			}
			if got := strings.Count(q.statement(), "$"); got != len(q.args) {
				t.Errorf("%d of %d parameters are in the statement", got, len(q.args))
			}
			q.reset()
			if !q.add(n) || q.rows != 1 || !strings.HasPrefix(q.statement(), `INSERT INTO "stage" ("op", "c0"`) || !strings.Contains(q.statement(), "VALUES ($1::bigint, $2::character varying(65535)") {
				t.Errorf("the next statement is %.100s", q.statement())
			}
		})
	}
}

// TestStatement: how values become parameters.
func TestStatement(t *testing.T) {
	table := pipelinetest.TableOf(t, "t", []string{"k"}, pipelinetest.Column("k", pipeline.Int64), pipelinetest.Column("bin", pipeline.Binary), pipelinetest.Column("doc", pipeline.JSONText),
		pipeline.Column{Name: "d", Type: pipeline.Type{Kind: pipeline.Decimal, Precision: 5, Scale: 2}})
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
	defer b.Release()
	b.Field(0).(*array.Int64Builder).AppendValues([]int64{1, 2}, nil)
	b.Field(1).(*array.BinaryBuilder).Append(make([]byte, hexDigitsMax/2+1))
	b.Field(2).(*array.StringBuilder).Append(`{"a":'\'}`)
	for _, f := range b.Fields()[1:] {
		f.AppendNull()
	}
	b.Field(3).AppendNull()
	rows := &pipeline.Rows{Table: table, Record: b.NewRecord(), Ops: []pipeline.Op{pipeline.OpInsert, pipeline.OpDelete}}
	defer rows.Record.Release()
	q, n := fill(t, rows)
	const text = "::character varying(65535)"
	want := `INSERT INTO "stage" ("op", "k", "bin", "doc", "d") VALUES ` +
		`($1::bigint, $2::bigint, from_hex($3` + text + `) || from_hex($4` + text + `), $5` + text + `, $6::numeric(5,2)), ` +
		`($7::bigint, $8::bigint, from_hex($9` + text + `), $10` + text + `, $11::numeric(5,2))`
	if n != 2 || q.statement() != want {
		t.Errorf("%d rows:\n%s\nwant\n%s", n, q.statement(), want)
	}
	args := []any{fmt.Sprint(int(pipeline.OpInsert)), "1", strings.Repeat("0", hexDigitsMax), "00", `{"a":'\'}`, nil, fmt.Sprint(int(pipeline.OpDelete)), "2", nil, nil, nil}
	if fmt.Sprint(q.args) != fmt.Sprint(args) {
		t.Errorf("parameters %.300v, want %.300v", q.args, args)
	}
}
