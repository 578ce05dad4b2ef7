package conformance

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/decimal128"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// RunGathered holds a sink that gathers epochs against one that publishes each:
// whatever the epochs, restarts, limits and changes of columns, the tables are the
// same at each publication. open returns an empty database whose sinks gather.
func RunGathered(t *testing.T, cases string, open func(t testing.TB, g warehouse.Gather) Database) {
	RunGatheredTarget(t, cases, Target{}, open)
}

// RunGatheredTarget is RunGathered for a warehouse with peculiarities.
func RunGatheredTarget(t *testing.T, cases string, target Target, open func(t testing.TB, g warehouse.Gather) Database) {
	Fewer(t, cases)
	rapid.Check(t, func(rt *rapid.T) {
		clock := time.Unix(1e9, 0)
		g := warehouse.Gather{Interval: time.Minute, RowsMax: rapid.SampledFrom([]int64{0, 10, 40}).Draw(rt, "most rows"),
			SegmentsMax: rapid.SampledFrom([]int{0, 1, 3}).Draw(rt, "most segments"), Now: func() time.Time { return clock }}
		tables := drawTables(rt, target)
		plain := another(t, target, open(t, warehouse.Gather{}), "shop", tables.all()...)
		gathered := another(t, target, open(t, g), "shop", tables.all()...)
		both := []*harness{plain, gathered}
		for _, h := range both {
			h.Must(h.restart())
			defer func() {
				h.Close()
				h.Must(os.RemoveAll(h.Dir))
			}()
		}
		epochs := rapid.IntRange(1, 12).Draw(rt, "epochs")
		for n := range epochs {
			if rapid.IntRange(0, 4).Draw(rt, "restart") == 0 {
				tables.alter(rt)
				for _, h := range both {
					h.Tables = tables.all()
					h.Must(h.restart())
				}
			}
			rows, last := tables.drawEpoch(rt), n == epochs-1
			plain.PrepareEpoch(last, rows...)
			plain.Commit()
			waited := gathered.SinkState != nil
			c := gathered.PrepareEpoch(last, rows...)
			if (c.SinkState != nil) != (len(c.RetainEpochs) > 0) || (c.SinkState != nil) != !c.FlushBy.IsZero() || c.SinkState != nil && (c.Payload != nil || last) {
				rt.Fatalf("committable %+v", c)
			}
			if limit := int(cmp.Or(g.SegmentsMax, 100)); len(c.RetainEpochs) > max(limit, 1) {
				rt.Fatalf("%d epochs are retained", len(c.RetainEpochs))
			}
			if rapid.IntRange(0, 4).Draw(rt, "crash") == 0 {
				if gathered.Pending != nil && rapid.Bool().Draw(rt, "after the commit") {
					gathered.Must(gathered.Sink.Commit(context.Background(), gathered.Pending))
				}
				gathered.Must(gathered.restart())
			}
			gathered.Commit()
			if c.SinkState == nil && (waited || c.Payload != nil) {
				tables.same(rt, plain, gathered)
			}
			clock = clock.Add(time.Duration(rapid.IntRange(-1, 40).Draw(rt, "seconds")) * time.Second)
		}
		tables.same(rt, plain, gathered)
	})
}

// drawnTables are tables with keys of every type, with what is in them.
type drawnTables []*drawnTable

type drawnTable struct {
	table  *pipeline.Table
	others int // columns that it has had besides the key
	exists map[string]bool
}

// drawTables draws tables whose keys have one or two columns.
func drawTables(rt *rapid.T, target Target) (all drawnTables) {
	types := []pipeline.Type{{Kind: pipeline.String}, {Kind: pipeline.Bool}, {Kind: pipeline.Int64}, {Kind: pipeline.Double}, {Kind: pipeline.Date},
		{Kind: pipeline.Timestamp}, {Kind: pipeline.Binary}, decimalType(9, 2), decimalType(38, 5)}
	if !target.NoDocumentKeys {
		types = append(types, pipeline.Type{Kind: pipeline.JSONText})
	}
	for n := range rapid.IntRange(1, 3).Draw(rt, "tables") {
		var columns []pipeline.Column
		var key []string
		for i, k := range rapid.SliceOfN(rapid.SampledFrom(types), 1, 2).Draw(rt, "key") {
			columns = append(columns, pipeline.Column{Name: fmt.Sprint("key", i), Type: k})
			key = append(key, columns[i].Name)
		}
		columns = append(columns, pipelinetest.Column("other0", pipeline.String), pipelinetest.Column("other1", pipeline.Int64))
		table, err := pipeline.NewTable(fmt.Sprint("table", n), columns, key)
		if err != nil {
			rt.Fatal(err)
		}
		all = append(all, &drawnTable{table: table, others: 2, exists: map[string]bool{}})
	}
	return all
}

func (d drawnTables) all() (tables []*pipeline.Table) {
	for _, t := range d {
		tables = append(tables, t.table)
	}
	return tables
}

// alter gives some tables another column, or takes one.
func (d drawnTables) alter(rt *rapid.T) {
	for _, t := range d {
		columns := slices.Clone(t.table.Columns)
		switch rapid.IntRange(0, 3).Draw(rt, "alter") {
		case 0:
			columns = append(columns, pipelinetest.Column(fmt.Sprint("other", t.others), pipeline.String))
			t.others++
		case 1:
			if len(columns) > len(t.table.Key) {
				columns = slices.Delete(columns, len(t.table.Key), len(t.table.Key)+1)
			}
		}
		table, err := pipeline.NewTable(t.table.Name, columns, warehouse.KeyOf(t.table))
		if err != nil {
			rt.Fatal(err)
		}
		t.table = table
	}
}

// drawEpoch draws rows of some tables, which follow those of the epochs before. The
// tables come in any order, and so do the rows of each.
func (d drawnTables) drawEpoch(rt *rapid.T) (all []*pipeline.Rows) {
	for _, t := range rapid.Permutation(d).Draw(rt, "order") {
		if rapid.IntRange(0, 3).Draw(rt, "none") > 0 {
			all = append(all, t.draw(rt))
		}
	}
	return all
}

func (t *drawnTable) draw(rt *rapid.T) *pipeline.Rows {
	b := array.NewRecordBuilder(memory.DefaultAllocator, t.table.Schema())
	defer b.Release()
	rows := &pipeline.Rows{Table: t.table}
	written := map[string]bool{}
	for _, id := range rapid.SliceOfNDistinct(rapid.IntRange(0, 8), 0, 6, rapid.ID).Draw(rt, "rows") {
		values := [2]int{id % 3, id / 3}
		key := ""
		for i, k := range t.table.Key {
			if t.table.Columns[k].Type.Kind == pipeline.Bool {
				values[i] %= 2
			}
			key += fmt.Sprint(values[i], " ")
		}
		if written[key] {
			continue
		}
		written[key] = true
		op := insert
		if t.exists[key] {
			op = rapid.SampledFrom([]pipeline.Op{update, remove}).Draw(rt, "operation")
		}
		t.exists[key] = op != remove
		for i, c := range t.table.Columns {
			if slices.Contains(t.table.Key, i) {
				appendValue(b.Field(i), values[i])
			} else if n := rapid.IntRange(0, 9).Draw(rt, c.Name); n == 0 {
				b.Field(i).AppendNull()
			} else {
				appendValue(b.Field(i), n)
			}
		}
		rows.Ops = append(rows.Ops, op)
	}
	rows.Record = b.NewRecord()
	rows.Versions = make([]pipeline.Version, len(rows.Ops))
	return rows
}

// appendValue appends one of ten values, which are others for other numbers, but for
// booleans.
func appendValue(b array.Builder, n int) {
	switch b := b.(type) {
	case *array.StringBuilder: // of JSON documents, too
		b.Append([]string{`""`, `"a"`, `"ab"`, `"b"`, `"\\"`, `1`, `10`, `null`, `[]`, `{}`}[n])
	case *array.BooleanBuilder:
		b.Append(n%2 == 1)
	case *array.Int64Builder:
		b.Append([]int64{0, -1, 1, math.MaxInt64, math.MinInt64, 5, 6, 7, 8, 9}[n])
	case *array.Float64Builder:
		b.Append(float64(n-4) / 8)
	case *array.Date32Builder:
		b.Append(arrow.Date32(1000 * (n - 4)))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(1_234_567_890 * (n - 4)))
	case *array.BinaryBuilder:
		b.Append(bytes.Repeat([]byte{byte(n)}, n))
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(int64(123 * (n - 4))))
	}
}

// same compares the tables of both.
func (d drawnTables) same(rt *rapid.T, plain, gathered *harness) {
	for _, t := range d {
		want, got := plain.rows(t.table), gathered.rows(t.table)
		if !slices.Equal(want, got) {
			rt.Fatalf("table %s\nwant %q\ngot  %q", t.table.Name, want, got)
		}
	}
}
