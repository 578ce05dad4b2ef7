// Package expressions holds expressions, wherever they stand in a pipeline,
// against a model of them. It is tests only.
package expressions

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/decimal128"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decimal"
	"github.com/starlift-etl/starlift/pipeline/exchange"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/transforms/derive"
	"github.com/starlift-etl/starlift/transforms/filter"
	"github.com/starlift-etl/starlift/transforms/star"
	"github.com/starlift-etl/starlift/transforms/unnest"
)

var (
	count = flag.Int("expressions", 5000, "how many expressions are made")
	seed  = flag.Uint64("seed", 0, "the seed that they are made from; 0 = another each time")
)

// rowColumns are the columns that expressions are over.
var rowColumns = []struct{ name, typ string }{
	{"id", "int64"}, {"i", "int64"}, {"big", "int64"}, {"d", "decimal(12,2)"}, {"e", "decimal(38,10)"}, {"b", "bool"}, {"s", "string"}, {"day", "date"},
}

// row is values by column.
type row map[string]value

func (g *generator) row() row {
	r := row{"id": big.NewRat(1, 1)}
	whole := func(n int64) *big.Rat { return big.NewRat(n, 1) }
	r["i"] = whole(g.r.Int64N(41) - 20)
	r["big"] = whole([]int64{1<<63 - 1, -1 << 63, 1 << 62, g.r.Int64(), -g.r.Int64(), 1e18}[g.r.IntN(6)])
	r["d"] = big.NewRat(g.r.Int64N(2_000_001)-1_000_000, 100)
	e, _ := new(big.Rat).SetString(fmt.Sprintf("%d%d.%010d", g.r.Int64N(1e9), g.r.Int64(), g.r.Int64N(1e10)))
	r["e"] = e
	r["b"] = g.r.IntN(2) == 0
	r["s"] = g.pick("Köln", "", "a\"b\\c", "日本", "x y")
	r["day"] = day{time.Date(1950+g.r.IntN(150), time.Month(1+g.r.IntN(12)), 1+g.r.IntN(31), 0, 0, 0, 0, time.UTC)}
	for _, c := range rowColumns[1:] {
		if g.r.IntN(12) == 0 {
			r[c.name] = nil
		}
	}
	return r
}

// json returns the row as an item, in which null is missing now and then.
func (r row) json(missing func() bool) string {
	var parts []string
	for _, c := range rowColumns {
		text := "null"
		switch v := r[c.name].(type) {
		case nil:
			if missing() {
				continue
			}
		case *big.Rat:
			text = strings.TrimRight(strings.TrimRight(v.FloatString(10), "0"), ".")
		case day:
			text = `"` + v.Format(time.DateOnly) + `"`
		default:
			b, err := json.Marshal(v)
			if err != nil {
				panic(err)
			}
			text = string(b)
		}
		parts = append(parts, fmt.Sprintf("%q: %s", c.name, text))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// outcome is what a column has in the end: a text, null, or an error.
func outcome(v value, err error, typ pipeline.Type) string {
	switch v := v.(type) {
	case *big.Rat:
		if err == nil && typ.Kind != pipeline.String {
			r := roundOf(v, int64(typ.Scale))
			limit := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(typ.Precision-typ.Scale)), nil))
			fits := r.Num().IsInt64()
			if typ.Kind == pipeline.Decimal {
				fits = new(big.Rat).Abs(r).Cmp(limit) < 0
			}
			if !fits {
				return "error"
			}
			return r.RatString()
		}
	}
	switch {
	case err != nil:
		return "error"
	case v == nil:
		return "null"
	}
	if d, ok := v.(day); ok {
		return d.Format(time.DateOnly)
	}
	return fmt.Sprint(v)
}

// shown returns what a column of a record has.
func shown(rec arrow.Record, column, i int, typ pipeline.Type) string {
	c := rec.Column(column)
	if c.IsNull(i) {
		return "null"
	}
	text := c.ValueStr(i)
	if a, ok := c.(*array.Decimal128); ok {
		v := a.Value(i) // Arrow writes decimals by way of floats
		text = string(decimal.FromTwos(v.HighBits(), v.LowBits()).Append(nil, int(typ.Scale)))
	}
	if typ.Kind == pipeline.Decimal || typ.Kind == pipeline.Int64 {
		r, _ := new(big.Rat).SetString(text)
		return r.RatString()
	}
	return text
}

// TestAgainstRationals: expressions over items, columns and the rows of a star
// give what a model in exact numbers does.
func TestAgainstRationals(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d: run it again by -args -seed %d", *seed, *seed)
	g := &generator{r: rand.New(rand.NewPCG(*seed, 1))}
	base := baseTable(t)
	seen := map[string]int{}
	for n := range *count {
		g.items = n%4 == 0
		e, typ := g.expression(n%4 == 2)
		var rows []row
		var wants []string
		for range 1 + min(1, 3-n%4) { // a star costs more than all others
			rows = append(rows, g.row())
			v, err := e.result(rows[len(rows)-1])
			wants = append(wants, outcome(v, err, typ))
			seen[class(wants[len(wants)-1])]++
		}
		var got []string
		where := ""
		switch n % 4 {
		case 0:
			where, got = "unnest", g.throughUnnest(t, e.text, typ, rows)
		case 1:
			where, got = "derive", throughDerive(t, base, e.text, typ, rows)
		case 2:
			where, got = "filter", throughFilter(t, base, e.text, typ, rows)
			for i := range wants {
				if wants[i] == "null" {
					wants[i] = "false" // it does not pass
				}
			}
		default:
			where, got = "star", throughStar(t, base, e.text, typ, rows)
		}
		for i := range rows {
			if got[i] != wants[i] {
				t.Errorf("%s: %s (%s) of %s is %s, want %s", where, e.text, typ, rows[i].json(func() bool { return false }), got[i], wants[i])
			}
		}
		if t.Failed() && n > 20 {
			t.FailNow()
		}
	}
	t.Logf("results: %v", seen)
	if *count >= 1000 && min(seen["null"], seen["error"]) < *count/20 || seen["value"] < *count/2 {
		t.Errorf("the expressions are of little use: %v", seen)
	}
}

func class(outcome string) string {
	if outcome == "null" || outcome == "error" {
		return outcome
	}
	return "value"
}

// expression makes an expression and the type of its column.
func (g *generator) expression(condition bool) (tree, pipeline.Type) {
	depth := 1 + g.r.IntN(4)
	if condition {
		return g.condition(depth), pipeline.Type{Kind: pipeline.Bool}
	}
	kinds := []string{"int64", "decimal(12,2)", "decimal(38,10)", "decimal(38,0)", "string", "date"}
	switch typ, err := pipeline.ParseType(kinds[g.r.IntN(len(kinds))]); {
	case err != nil:
		panic(err)
	case typ.Kind == pipeline.String:
		return g.text(depth), typ
	case typ.Kind == pipeline.Date:
		return g.date(), typ
	default:
		return g.number(depth), typ
	}
}

func baseTable(t *testing.T) *pipeline.Table {
	t.Helper()
	var columns []pipeline.Column
	for _, c := range rowColumns {
		typ, err := pipeline.ParseType(c.typ)
		if err != nil {
			t.Fatal(err)
		}
		columns = append(columns, pipeline.Column{Name: c.name, Type: typ})
	}
	table, err := pipeline.NewTable("base", columns, []string{"id"})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// throughUnnest returns what a column of an unnest has.
func (g *generator) throughUnnest(t *testing.T, text string, typ pipeline.Type, rows []row) []string {
	t.Helper()
	u, err := unnest.New("items", unnest.Config{Tables: spec.Map[unnest.TableConfig]{{Name: "t", Value: unnest.TableConfig{
		Columns: spec.Map[unnest.ColumnConfig]{{Name: "r", Value: unnest.ColumnConfig{Expr: text, Type: typ.String()}}}}}}})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	r := &pipeline.Records{Source: "in", Partition: "part", Format: &pipeline.Format{Encoding: pipeline.JSON}}
	for i, row := range rows {
		start := uint32(len(r.Data))
		r.Data = append(append(r.Data, row.json(func() bool { return g.r.IntN(2) == 0 })...), '\n')
		r.Spans = append(r.Spans, pipeline.Span{Start: start, End: uint32(len(r.Data) - 1), Line: int64(i + 1)})
	}
	b, err := u.NewMapper(pipeline.Needs{Tables: map[string]bool{"t": true}}).Map(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	got := make([]string, len(rows))
	for _, dead := range b.DeadLetters {
		got[dead.At] = "error"
	}
	for _, table := range b.Tables {
		for i, change := range table.Change {
			got[b.Changes[change].Record] = shown(table.Record, 0, i, typ)
		}
	}
	return got
}

// records returns rows as a table's record.
func records(t *testing.T, table *pipeline.Table, rows []row) *pipeline.Rows {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
	defer b.Release()
	out := &pipeline.Rows{Table: table}
	for i, r := range rows {
		for c, col := range rowColumns {
			appendTo(t, b.Field(c), r[col.name], table.Columns[c].Type)
		}
		out.Ops, out.Change = append(out.Ops, pipeline.OpUpsert), append(out.Change, int32(i))
		out.Versions = append(out.Versions, pipeline.Version{Time: int64(i), New: 1})
	}
	out.Record = b.NewRecord()
	return out
}

// appendTo appends a value to a column: Arrow's own reading of decimals, and of
// JSON, goes by way of floats.
func appendTo(t *testing.T, b array.Builder, v value, typ pipeline.Type) {
	t.Helper()
	switch v := v.(type) {
	case nil:
		b.AppendNull()
	case bool:
		b.(*array.BooleanBuilder).Append(v)
	case string:
		b.(*array.StringBuilder).Append(v)
	case day:
		b.(*array.Date32Builder).Append(arrow.Date32FromTime(v.Time))
	case *big.Rat:
		if d, ok := b.(*array.Decimal128Builder); ok {
			n := new(big.Rat).Mul(v, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(typ.Scale)), nil)))
			d.Append(decimal128.FromBigInt(n.Num()))
			return
		}
		b.(*array.Int64Builder).Append(v.Num().Int64())
	default:
		t.Fatalf("a value %v", v)
	}
}

// throughDerive returns what a derived column has.
func throughDerive(t *testing.T, base *pipeline.Table, text string, typ pipeline.Type, rows []row) []string {
	t.Helper()
	d, err := derive.New("d", derive.Config{Columns: spec.Map[derive.ColumnConfig]{{Name: "r", Value: derive.ColumnConfig{Expr: text, Type: typ.String()}}}}, []*pipeline.Table{base})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	in := records(t, base, rows)
	defer in.Record.Release()
	out, err := d.NewRowMapper(0).MapRows(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Record.Release()
	var got []string
	for i := range rows {
		got = append(got, shown(out.Record, len(rowColumns), i, typ))
	}
	for _, bad := range out.Bad {
		got[bad.Row] = "error"
	}
	return got
}

// throughFilter returns which rows pass.
func throughFilter(t *testing.T, base *pipeline.Table, text string, _ pipeline.Type, rows []row) []string {
	t.Helper()
	f, err := filter.New("f", filter.Config{Expr: text}, []*pipeline.Table{base})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	in := records(t, base, rows)
	defer in.Record.Release()
	out, err := f.NewRowMapper(0).MapRows(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Record.Release()
	var got []string
	for range rows {
		got = append(got, "true")
	}
	for _, dropped := range out.Dropped {
		got[dropped] = "false"
	}
	for _, bad := range out.Bad {
		got[bad.Row] = "error"
	}
	return got
}

// throughStar returns what a measure of a fact has, each row in a star of its own.
func throughStar(t *testing.T, base *pipeline.Table, text string, typ pipeline.Type, rows []row) []string {
	t.Helper()
	s, err := star.New("star", star.Config{Facts: spec.Map[star.FactConfig]{{Name: "fact", Value: star.FactConfig{
		From: "base", Grain: []string{"id"},
		Measures: spec.Map[star.MeasureConfig]{{Name: "r", Value: star.MeasureConfig{Expression: star.ExpressionConfig{Expr: text, Type: typ.String()}}}},
	}}}}, []*pipeline.Table{base})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var got []string
	for _, r := range rows {
		seed := packed.KeySeed(base.Name)
		opening := pipeline.OperatorOptions{Bounded: true, Env: pipeline.NewEnv(), Runner: &exchange.Runner{Workers: 1}, KeySeeds: [][]byte{seed}}
		for range s.Keyspaces() {
			opening.Keyspaces = append(opening.Keyspaces, pipelinetest.NewKeyspace())
		}
		step, err := s.Open(opening)
		if err != nil {
			t.Fatal(err)
		}
		in := records(t, base, []row{r})
		in.Ops[0], in.Change = pipeline.OpInsert, nil
		step.Settled(0, packed.Pack(in, seed))
		in.Record.Release()
		outcome := "none"
		err = step.Finish(pipeline.EpochInfo{EpochHeader: pipeline.EpochHeader{Last: true}}, func(rows *pipeline.Rows) error {
			outcome = shown(rows.Record, len(rows.Table.Columns)-1, 0, typ)
			rows.Record.Release()
			return nil
		})
		if err != nil {
			outcome = "error"
		}
		got = append(got, outcome)
	}
	return got
}
