package redshift

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/decimal128"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/gather"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/conformance"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
)

// places are schemas of one database into which the same rows are loaded, by COPY and by INSERT.
type places struct {
	t       *testing.T
	table   *pipeline.Table
	session *redshifttest.Session
	schemas []string
	drivers []*pipelinetest.SinkDriver
}

func newPlaces(t *testing.T, table *pipeline.Table, cfg Config) *places {
	c := redshifttest.Open(t, redshifttest.Snapshot)
	p := &places{t: t, table: table, session: c.Connect()}
	p.session.Exec("SET extra_float_digits TO 2") // doubles to the last digit
	for _, none := range []bool{false, true} {
		cfg := cfg
		cfg.DSN, cfg.Schema = c.DSN(), c.Schema()
		cfg.Stage = StageConfig{None: none}
		if !none {
			cfg.Stage.S3.URL, cfg.Stage.S3.IAMRole, cfg.Stage.S3.Endpoint = c.Stage, redshifttest.Role, c.Endpoint
		}
		sink, err := New("warehouse", cfg)
		if err != nil {
			t.Fatal(err)
		}
		d := pipelinetest.NewSinkDriver(t, "p", table)
		d.Must(d.Open(sink))
		p.schemas, p.drivers = append(p.schemas, cfg.Schema), append(p.drivers, d)
	}
	return p
}

// put loads rows everywhere.
func (p *places) put(rows *pipeline.Rows) {
	for _, d := range p.drivers {
		d.Prepare(rows)
		d.Commit()
	}
}

// column returns a column's texts in the order of the keys from first on, and fails unless they are the
// same everywhere.
func (p *places) column(name string, t pipeline.Type, first int64) (texts []string) {
	p.t.Helper()
	value := warehouse.Quote(name)
	switch t.Kind {
	case pipeline.Bool:
		value = fmt.Sprintf("CASE WHEN %[1]s THEN 'true' WHEN NOT %[1]s THEN 'false' END", value)
	}
	for i, schema := range p.schemas {
		got := p.session.Query(fmt.Sprintf("SELECT %s FROM %s WHERE k >= %d ORDER BY k", value, warehouse.QualifiedName(schema, p.table.Name), first))
		if i == 0 {
			texts = got
		} else if !slices.Equal(got, texts) {
			p.t.Errorf("column %s by INSERT is\n%.1000q\nand by COPY\n%.1000q", name, got, texts)
		}
	}
	return texts
}

func valuesTable(t testing.TB) *pipeline.Table {
	columns := []pipeline.Column{pipelinetest.Column("k", pipeline.Int64), pipelinetest.Column("s", pipeline.String), pipelinetest.Column("doc", pipeline.JSONText), pipelinetest.Column("bin", pipeline.Binary),
		pipelinetest.Column("b", pipeline.Bool), pipelinetest.Column("i", pipeline.Int64), pipelinetest.Column("f", pipeline.Double), pipelinetest.Column("day", pipeline.Date), pipelinetest.Column("at", pipeline.Timestamp),
		pipelinetest.Column("nothing", pipeline.Binary), pipelinetest.Column("none", pipeline.JSONText)}
	for _, d := range [][2]int32{{1, 0}, {18, 3}, {19, 4}, {20, 0}, {38, 2}, {38, 37}} {
		columns = append(columns, pipeline.Column{Name: fmt.Sprintf("d%d_%d", d[0], d[1]), Type: pipeline.Type{Kind: pipeline.Decimal, Precision: d[0], Scale: d[1]}})
	}
	return pipelinetest.TableOf(t, "any", []string{"k"}, columns...)
}

// drawAny appends a value of a column that may be one of those at the edges, and beyond.
func drawAny(rt *rapid.T, b array.Builder, c pipeline.Column) {
	if c.Name == "nothing" || c.Name == "none" || rapid.IntRange(0, 9).Draw(rt, "null") == 0 {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		if c.Type.Kind == pipeline.JSONText {
			b.Append(drawDocument(rt, 2))
			return
		}
		b.Append(drawText(rt, varcharMax))
	case *array.BinaryBuilder:
		n := rapid.SampledFrom([]int{0, 1, 20, hexDigitsMax / 2, hexDigitsMax/2 + 1, varbyteBytes, varbyteBytes + 1}).Draw(rt, "bytes")
		b.Append(bytes.Repeat([]byte{rapid.Byte().Draw(rt, "byte")}, n))
	case *array.BooleanBuilder:
		b.Append(rapid.Bool().Draw(rt, c.Name))
	case *array.Int64Builder:
		b.Append(rapid.Int64().Draw(rt, c.Name))
	case *array.Float64Builder:
		b.Append(rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64, 0.1, 1e23})).Draw(rt, c.Name))
	case *array.Date32Builder:
		b.Append(rapid.OneOf(rapid.Just(minDay), rapid.Just(maxDay), rapid.Just(minDay-1), rapid.Just(maxDay+1), rapid.Map(rapid.Int32Range(-719162, 2932896), func(d int32) arrow.Date32 { return arrow.Date32(d) })).Draw(rt, c.Name))
	case *array.TimestampBuilder:
		b.Append(rapid.OneOf(rapid.Just(minMicros), rapid.Just(maxMicros), rapid.Just(minMicros-1), rapid.Just(maxMicros+1), rapid.Map(rapid.Int64Range(int64(minMicros), int64(maxMicros)), func(d int64) arrow.Timestamp { return arrow.Timestamp(d) })).Draw(rt, c.Name))
	case *array.Decimal128Builder:
		digits := rapid.StringOfN(rapid.RuneFrom([]rune("0123456789")), 1, int(c.Type.Precision), -1).Draw(rt, c.Name)
		if rapid.IntRange(0, 3).Draw(rt, "edge") == 0 {
			digits = strings.Repeat("9", int(c.Type.Precision))
		}
		v, err := decimal128.FromString(digits, 38, 0)
		if err != nil {
			panic(err)
		}
		if rapid.Bool().Draw(rt, "negative") {
			v = v.Negate()
		}
		b.Append(v)
	}
}

// drawText draws a text, some of them near the length that is taken.
func drawText(rt *rapid.T, most int) string {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`\`, `\\`, `'`, `''`, `"`, `\'`, `$1`, `\N`, `NULL`, "\t\n\r", " ", "a ", "é漢😀", "x\x00y", "--", "/*", ";", "%s", "?", `{"a":1}`, "\u2028", "\ufeff"})).Draw(rt, "text")
	if text == "" || rapid.IntRange(0, 5).Draw(rt, "long") > 0 {
		return text
	}
	n := most + rapid.IntRange(-4, 4).Draw(rt, "at the edge")
	return strings.ToValidUTF8(strings.Repeat(text, n/len(text)+1)[:n], "")
}

// drawDocument draws a document, some of which can't be stored.
func drawDocument(rt *rapid.T, depth int) string {
	switch rapid.IntRange(0, 6).Draw(rt, "kind") {
	case 0:
		return rapid.SampledFrom([]string{"null", "true", "0", "-0", "1e5", "1E+131071", "12.50", "1e400", "12345678901234567890123456789012345678", "123456789012345678901234567890123456789", "0.1", "5e-324", "-1.0", "9223372036854775808"}).Draw(rt, "word")
	case 1, 2:
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "ü", "😀", `\\`, `\"`, `\/`, `\n`, `\u0041`, `\u001f`, `\u0000`, `\\u0000`, `\ud83d\ude00`, `\ud83d`, `\ude00`, `\ud800\u0041`, "'", "[", "{", "$1", "\u007f"}), 0, 4).Draw(rt, "string")
		return `"` + strings.Join(parts, "") + `"`
	case 3:
		n := rapid.SampledFrom([]int{1, 5, 999, 1000, 1001}).Draw(rt, "deep")
		return strings.Repeat("[", n) + strings.Repeat("]", n)
	case 4:
		n := varcharMax - 2 + rapid.IntRange(-2, 2).Draw(rt, "at the edge")
		return `"` + strings.ToValidUTF8(strings.Repeat("é", n/2+1)[:n], "") + `"`
	}
	if depth == 0 {
		return "1"
	}
	name := rapid.SampledFrom([]string{"a", `\u0061`, "b", "c\\\\", "é"}).Draw(rt, "name")
	return fmt.Sprintf(`{"a": %s, "%s" : [%s , %s]}`, drawDocument(rt, depth-1), name, drawDocument(rt, depth-1), drawDocument(rt, depth-1))
}

// TestRoundTrip: what is valid is stored as it is, by COPY and by INSERT.
func TestRoundTrip(t *testing.T) {
	table := valuesTable(t)
	p := newPlaces(t, table, Config{})
	key := int64(0)
	conformance.Fewer(t, "20")
	rapid.Check(t, func(rt *rapid.T) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
		defer b.Release()
		n := rapid.IntRange(1, 8).Draw(rt, "rows")
		first := key + 1
		for range n {
			key++
			b.Field(0).(*array.Int64Builder).Append(key)
			for i := 1; i < len(table.Columns); i++ {
				drawAny(rt, b.Field(i), table.Columns[i])
			}
		}
		rows := validRows(table, b.NewRecord())
		defer rows.Record.Release()
		p.put(rows)
		for i, c := range table.Columns {
			got, want := p.column(c.Name, c.Type, first), rows.Record.Column(i)
			for row := range rows.Ops {
				if err := sameValue(c.Type, got[row], want, row); err != nil {
					rt.Fatalf("column %s, key %d: %v", c.Name, first+int64(row), err)
				}
			}
		}
	})
}

// validRows returns rows to insert, with nulls for what is not valid.
func validRows(table *pipeline.Table, rec arrow.Record) *pipeline.Rows {
	rows := &pipeline.Rows{Table: table, Record: rec, Ops: slices.Repeat([]pipeline.Op{pipeline.OpInsert}, int(rec.NumRows())), Versions: make([]pipeline.Version, rec.NumRows())}
	columns := make([]pipeline.StoredColumn, len(table.Columns))
	for i, c := range table.Columns {
		columns[i] = pipeline.StoredColumn{Type: c.Type, Values: rec.Column(i)}
	}
	nulls := map[int][]int{}
	for _, v := range (valueRules{}).invalidValues(columns, len(rows.Ops), true) {
		nulls[v.Column] = append(nulls[v.Column], v.Row)
	}
	rows.Record = gather.WithNulls(rec, nulls)
	return rows
}

// sameValue holds what was read against what was written.
func sameValue(t pipeline.Type, got string, a arrow.Array, row int) error {
	if a.IsNull(row) {
		if got != "null" {
			return fmt.Errorf("%.200q, want NULL", got)
		}
		return nil
	}
	want := a.ValueStr(row)
	switch a := a.(type) {
	case *array.String:
		if t.Kind == pipeline.JSONText && !sameDocument(got, want) || t.Kind != pipeline.JSONText && got != want {
			return fmt.Errorf("%.200q, want %.200q", got, want)
		}
		return nil
	case *array.Binary:
		want = fmt.Sprintf("%x", a.Value(row))
	case *array.Float64:
		f, err := strconv.ParseFloat(got, 64)
		if v := a.Value(row); err != nil || f != v && (f == f || v == v) {
			return fmt.Errorf("%q, want %v", got, v)
		}
		return nil
	case *array.Decimal128:
		want = decimalText(a, row, t)
	case *array.Timestamp:
		want = a.Value(row).ToTime(arrow.Microsecond).Format("2006-01-02 15:04:05.999999")
	}
	if got != want {
		return fmt.Errorf("%.200q, want %.200q", got, want)
	}
	return nil
}

// sameDocument tells whether two documents have the same values, numbers by their digits.
func sameDocument(one, other string) bool {
	decode := func(doc string) (v any) {
		d := json.NewDecoder(strings.NewReader(doc))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			return err
		}
		return v
	}
	return reflect.DeepEqual(decode(one), decode(other))
}
