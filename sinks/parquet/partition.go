package parquet

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decimal"
	"github.com/starlift-etl/starlift/pipeline/gather"
)

// level writes the folder names of one partition.
type level struct {
	column int // in the file
	typ    pipeline.Type
	name   string // escaped, with =
	layout string // of a time; empty = the value itself
}

var layouts = map[string]string{"year": "2006", "month": "2006-01", "day": "2006-01-02", "hour": "2006-01-02T15"}

// levels finds the partitions' columns in a file whose table's columns begin at skip.
func levels(t *pipeline.Table, parts []partition, skip int) []level {
	out := make([]level, len(parts))
	for i, p := range parts {
		at := t.Column(p.column)
		out[i] = level{column: skip + at, typ: t.Columns[at].Type, name: escape(p.name()) + "=", layout: layouts[p.unit]}
	}
	return out
}

// append appends the folder of row i, without a slash.
func (l *level) append(dst []byte, a arrow.Array, i int) []byte {
	dst = append(dst, l.name...)
	if a.IsNull(i) {
		return append(dst, nullFolder...)
	}
	switch a := a.(type) {
	case *array.String:
		return append(dst, escape(a.Value(i))...)
	case *array.Boolean:
		return strconv.AppendBool(dst, a.Value(i))
	case *array.Int64:
		return strconv.AppendInt(dst, a.Value(i), 10)
	case *array.Decimal128:
		v := a.Value(i)
		return decimal.FromTwos(v.HighBits(), v.LowBits()).Append(dst, int(l.typ.Scale))
	case *array.Date32:
		return l.appendTime(dst, time.Unix(int64(a.Value(i))*86400, 0).UTC(), "2006-01-02")
	case *array.Timestamp:
		t := time.UnixMicro(int64(a.Value(i))).UTC()
		if l.layout == "" {
			return append(dst, escape(t.Format("2006-01-02T15:04:05.999999"))...)
		}
		return l.appendTime(dst, t, "")
	default:
		panic(fmt.Sprintf("parquet: partition of arrow type %s", a.DataType()))
	}
}

func (l *level) appendTime(dst []byte, t time.Time, layout string) []byte {
	if l.layout != "" {
		layout = l.layout
	}
	return t.AppendFormat(dst, layout)
}

// partitionRows are rows of one partition.
type partitionRows struct {
	folder  string
	records []arrow.Record
	rows    int64
}

// byPartition sorts the rows of the records by their partitions, in the order of the
// folders' names; inside a partition they stay in their order. The caller releases
// the records that it returns.
func byPartition(schema *arrow.Schema, lv []level, records []arrow.Record) ([]partitionRows, error) {
	if len(lv) == 0 {
		return []partitionRows{allRows("", records)}, nil
	}
	folders, of := assign(lv, records)
	if len(folders) == 1 {
		return []partitionRows{allRows(folders[0], records)}, nil
	}
	sorted := make([]int, len(folders))
	for i := range sorted {
		sorted[i] = i
	}
	slices.SortFunc(sorted, func(a, b int) int { return strings.Compare(folders[a], folders[b]) })
	// A counting sort by folder: next holds where each folder's next row goes.
	next := make([]int64, len(folders))
	for _, f := range of {
		next[f]++
	}
	parts := make([]partitionRows, len(folders))
	at := int64(0)
	for i, f := range sorted {
		parts[i] = partitionRows{folder: folders[f], rows: next[f]}
		at, next[f] = at+next[f], at
	}
	rows := make([]int32, len(of))
	for row, f := range of {
		rows[next[f]] = int32(row)
		next[f]++
	}
	all, err := reorder(schema, records, rows)
	if err != nil {
		return nil, err
	}
	defer all.Release()
	at = 0
	for i := range parts {
		parts[i].records = []arrow.Record{all.NewSlice(at, at+parts[i].rows)}
		at += parts[i].rows
	}
	return parts, nil
}

func allRows(folder string, records []arrow.Record) partitionRows {
	p := partitionRows{folder: folder, records: records}
	for _, rec := range records {
		rec.Retain()
		p.rows += rec.NumRows()
	}
	return p
}

// assign numbers the folders and tells the folder of each row.
func assign(lv []level, records []arrow.Record) (folders []string, of []int32) {
	numbers := map[string]int32{}
	var key []byte
	for _, rec := range records {
		for i := range int(rec.NumRows()) {
			key = key[:0]
			for j := range lv {
				if j > 0 {
					key = append(key, '/')
				}
				key = lv[j].append(key, rec.Column(lv[j].column), i)
			}
			n, ok := numbers[string(key)]
			if !ok {
				n = int32(len(folders))
				folders = append(folders, string(key))
				numbers[string(key)] = n
			}
			of = append(of, n)
		}
	}
	return folders, of
}

// reorder returns the rows of the records in another order, column by column
// so that only one column is there a third time.
func reorder(schema *arrow.Schema, records []arrow.Record, rows []int32) (arrow.Record, error) {
	columns := make([]arrow.Array, schema.NumFields())
	defer func() {
		for _, c := range columns {
			if c != nil {
				c.Release()
			}
		}
	}()
	parts := make([]arrow.Array, len(records))
	for i := range columns {
		for j, r := range records {
			parts[j] = r.Column(i)
		}
		whole, err := array.Concatenate(parts, memory.DefaultAllocator)
		if err != nil {
			return nil, fmt.Errorf("partition: %w", err)
		}
		columns[i] = gather.Column(whole, rows)
		whole.Release()
	}
	return array.NewRecord(schema, columns, int64(len(rows))), nil
}
