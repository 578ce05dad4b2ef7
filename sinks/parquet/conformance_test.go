package parquet

import (
	"cmp"
	"errors"
	"io/fs"
	"math/big"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/decimal128"
	"github.com/apache/arrow/go/v14/arrow/memory"
	pq "github.com/parquet-go/parquet-go"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/conformance"
)

// TestConformance holds the files of mode latest against the cases of all sinks of
// settled rows: what they add up to is what a table of a warehouse has.
func TestConformance(t *testing.T) {
	conformance.RunRows(t, func(t testing.TB) conformance.Store { return folder(t.TempDir()) })
}

// folder is a conformance.Store.
type folder string

func (url folder) New(name string, _ *conformance.Faults) (pipeline.Sink, error) {
	s, err := New(name, Config{URL: string(url), Mode: "latest"})
	if err == nil {
		s.cfg.Roll.Age = 0 // each epoch becomes files
	}
	return s, err
}

// change is a row of a file.
type change struct {
	op    string
	epoch int64
	cells []string
}

func (url folder) Rows(t testing.TB, table *pipeline.Table) (lines []string) {
	t.Helper()
	changes := url.changes(t, table)
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(a.epoch, b.epoch) })
	rows := map[string]change{}
	for _, c := range changes {
		if key := keyOf(table, c.cells); c.op == "delete" {
			delete(rows, key)
		} else {
			rows[key] = c
		}
	}
	var last []change
	for _, c := range rows {
		last = append(last, c)
	}
	slices.SortFunc(last, func(a, b change) int { return compareKeys(table, a.cells, b.cells) })
	for _, c := range last {
		lines = append(lines, strings.Join(c.cells, "|"))
	}
	return lines
}

func keyOf(table *pipeline.Table, cells []string) string {
	var key []string
	for _, k := range table.Key {
		key = append(key, cells[k])
	}
	return strings.Join(key, "\x00")
}

func compareKeys(table *pipeline.Table, a, b []string) int {
	for _, k := range table.Key {
		x, xErr := strconv.Atoi(a[k])
		y, yErr := strconv.Atoi(b[k])
		order := strings.Compare(a[k], b[k])
		if xErr == nil && yErr == nil {
			order = cmp.Compare(x, y)
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

// changes reads all final files of a table.
func (url folder) changes(t testing.TB, table *pipeline.Table) (all []change) {
	t.Helper()
	dir := filepath.Join(string(url), escape(table.Name))
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, extension) {
			return err
		}
		lead := len(metadataColumns(pipeline.Settled))
		for _, row := range readRows(t, path) {
			c := change{op: row[0].String(), epoch: row[lead-1].Int64()}
			of := map[int][]pq.Value{}
			for _, v := range row {
				of[v.Column()] = append(of[v.Column()], v)
			}
			for i, column := range table.Columns {
				if column.Type.Kind == pipeline.List {
					c.cells = append(c.cells, listText(t, column.Type, of[lead+i]))
				} else {
					c.cells = append(c.cells, cellText(t, column.Type, of[lead+i][0]))
				}
			}
			all = append(all, c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// listText writes a list of a row as lists are written between nodes.
func listText(t testing.TB, list pipeline.Type, values []pq.Value) string {
	t.Helper()
	if values[0].DefinitionLevel() == 0 {
		return "null"
	}
	var all []string
	for _, v := range values {
		switch v.DefinitionLevel() {
		case 2:
			all = append(all, "null")
		case 3:
			all = append(all, conformance.ElementJSON(list.Element(), cellText(t, list.Element(), v)))
		}
	}
	return "[" + strings.Join(all, ",") + "]"
}

// cellText writes a value as pipelinetest.CellText does.
func cellText(t testing.TB, kind pipeline.Type, v pq.Value) string {
	t.Helper()
	b := array.NewBuilder(memory.DefaultAllocator, kind.Arrow())
	defer b.Release()
	if v.IsNull() {
		b.AppendNull()
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(string(v.ByteArray()))
	case *array.BinaryBuilder:
		b.Append(v.ByteArray())
	case *array.BooleanBuilder:
		b.Append(v.Boolean())
	case *array.Int64Builder:
		if kind.Kind == pipeline.Int32 {
			b.Append(int64(v.Int32()))
		} else {
			b.Append(v.Int64())
		}
	case *array.Float64Builder:
		b.Append(v.Double())
	case *array.Date32Builder:
		b.Append(arrow.Date32(v.Int32()))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.Int64()))
	case *array.Decimal128Builder:
		b.Append(decimalOf(v))
	}
	a := b.NewArray()
	defer a.Release()
	return pipelinetest.CellText(kind, a, 0)
}

// decimalOf reads a decimal, which has one of three types in a file.
func decimalOf(v pq.Value) decimal128.Num {
	switch v.Kind() {
	case pq.Int32:
		return decimal128.FromI64(int64(v.Int32()))
	case pq.Int64:
		return decimal128.FromI64(v.Int64())
	case pq.FixedLenByteArray:
		data := v.ByteArray()
		n := new(big.Int).SetBytes(data)
		if data[0]&0x80 != 0 { // it is negative, in two's complement
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(data))))
		}
		return decimal128.FromBigInt(n)
	}
	return decimal128.Num{} // null
}
