package redshift

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/decimal128"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// everyType has a column of each type, and decimals of each width.
func everyType(t testing.TB) *pipeline.Table {
	columns := []pipeline.Column{
		pipelinetest.Column("id", pipeline.Int64), pipelinetest.Column("b", pipeline.Bool), pipelinetest.Column("n", pipeline.Int64), pipelinetest.Column("f", pipeline.Double),
		pipelinetest.Column("day", pipeline.Date), pipelinetest.Column("at", pipeline.Timestamp), pipelinetest.Column("bin", pipeline.Binary),
		pipelinetest.Column("text", pipeline.String), pipelinetest.Column("doc", pipeline.JSONText), pipelinetest.Column("nulls", pipeline.Timestamp),
	}
	for _, precision := range []int32{1, 2, 3, 5, 8, 10, 12, 16, 18, 19, 22, 25, 28, 30, 33, 35, 38} {
		columns = append(columns, pipeline.Column{Name: fmt.Sprint("d", precision), Type: pipeline.Type{Kind: pipeline.Decimal, Precision: precision, Scale: precision / 2}})
	}
	return pipelinetest.TableOf(t, "Every Type", []string{"id"}, columns...)
}

// appendAny appends a value that Redshift takes: an extreme, or anything.
func appendAny(r *rand.Rand, b array.Builder, t pipeline.Type, name string) {
	if name == "nulls" || name != "id" && r.IntN(8) == 0 {
		b.AppendNull()
		return
	}
	pick := func(extremes ...int64) int64 {
		if r.IntN(2) == 0 {
			return extremes[r.IntN(len(extremes))]
		}
		return extremes[0] + r.Int64N(extremes[1]/2-extremes[0]/2)
	}
	micros := func(year int) int64 { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro() }
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(r.IntN(2) == 0)
	case *array.Int64Builder:
		b.Append(pick(math.MinInt64, math.MaxInt64, 0, -1))
	case *array.Float64Builder:
		b.Append([]float64{0, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64 * 1e20, 0.1, 1e-300, r.NormFloat64(), math.Float64frombits(r.Uint64N(0x7fe) << 52)}[r.IntN(8)])
	case *array.Date32Builder:
		b.Append(arrow.Date32(pick(micros(1), micros(9999), 0, micros(2000)) / (86400 * 1e6)))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(pick(micros(1), micros(10000)-1, 0, -1, 1)))
	case *array.BinaryBuilder:
		value := make([]byte, []int{0, 1, 100, varbyteBytes}[r.IntN(4)])
		for i := range value {
			value[i] = byte(r.Uint32())
		}
		b.Append(value)
	case *array.Decimal128Builder:
		limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.Precision)), nil)
		if t.Precision == 19 {
			limit.SetInt64(math.MaxInt64) // what has 19 digits is kept in 64 bits
		}
		n := new(big.Int).Rem(new(big.Int).SetUint64(r.Uint64()), limit)
		if r.IntN(2) == 0 {
			n.Sub(limit, big.NewInt(1))
		}
		if r.IntN(2) == 0 {
			n.Neg(n)
		}
		b.Append(decimal128.FromBigInt(n))
	case *array.StringBuilder:
		text := []string{"", "a", `back\slash 'quote' "double" $1 \N NULL`, "ü→😀\t\n\r\x01", strings.Repeat("x", varcharMax), strings.Repeat("é", varcharMax/2), "null", " blanks "}[r.IntN(8)]
		if t.Kind == pipeline.JSONText {
			text = []string{"{}", "[]", `{"a":[1,2.5,null,true,"x\\y"]}`, `"ü😀"`, "1", `{"k":"` + strings.Repeat("v", 60000) + `"}`}[r.IntN(6)]
		}
		b.Append(text)
	}
}

// Any rows that are written are what a SELECT gives, through files, S3, COPY and the merge.
func TestCopyRoundTrip(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	table := everyType(t)
	d := newStageDriver(t, table)
	d.sizes = fileSizes{first: 100 << 10, firstFiles: 2, later: 400 << 10, least: 1 << 10, groupRows: 5}
	d.start()
	var want []string
	id := int64(0)
	for range 3 {
		var all []*pipeline.Rows
		for range 1 + r.IntN(3) {
			b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
			rows := &pipeline.Rows{Table: table}
			for range 1 + r.IntN(8) {
				for i, c := range table.Columns {
					if c.Name == "id" {
						b.Field(i).(*array.Int64Builder).Append(id)
						continue
					}
					appendAny(r, b.Field(i), c.Type, c.Name)
				}
				rows.Ops = append(rows.Ops, pipeline.OpInsert)
				id++
			}
			rows.Versions = make([]pipeline.Version, len(rows.Ops))
			rows.Record = b.NewRecord()
			b.Release()
			defer rows.Record.Release()
			for row := range len(rows.Ops) {
				want = append(want, lineOf(table, rows.Record, row))
			}
			all = append(all, rows)
		}
		d.Prepare(all...)
		d.Commit()
	}
	s := d.c.Connect()
	s.Exec("SET extra_float_digits TO 2")
	got := s.Query("SELECT " + textColumns(table) + " FROM " + d.in(table.Name) + " ORDER BY id")
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range got {
		cells := strings.Split(got[i], "|")
		if f, err := strconv.ParseFloat(cells[3], 64); err == nil {
			cells[3] = fmt.Sprintf("%x", math.Float64bits(f))
		}
		if got[i] = strings.Join(cells, "|"); got[i] != want[i] {
			t.Errorf("row %d:\n got %.500q\nwant %.500q", i, got[i], want[i])
		}
	}
}

func lineOf(table *pipeline.Table, rec arrow.Record, row int) string {
	cells := make([]string, len(table.Columns))
	for i, c := range table.Columns {
		cells[i] = pipelinetest.CellText(c.Type, rec.Column(i), row)
		if f, ok := rec.Column(i).(*array.Float64); ok && f.IsValid(row) {
			cells[i] = fmt.Sprintf("%x", math.Float64bits(f.Value(row)))
		}
	}
	return strings.Join(cells, "|")
}

// textColumns selects a table's columns as lineOf writes them: doubles by their bits.
func textColumns(table *pipeline.Table) string {
	columns := make([]string, len(table.Columns))
	for i, c := range table.Columns {
		name := `"` + c.Name + `"`
		switch c.Type.Kind {
		case pipeline.Bool:
			name = fmt.Sprintf("CASE WHEN %[1]s THEN 'true' WHEN NOT %[1]s THEN 'false' END", name)
		case pipeline.Binary:
			name = "lower(to_hex(" + name + "))"
		case pipeline.JSONText:
			name = "json_serialize(" + name + ")"
		}
		columns[i] = name
	}
	return strings.Join(slices.Clip(columns), ", ")
}
