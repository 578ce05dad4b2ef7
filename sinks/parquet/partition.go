package parquet

import (
	"fmt"
	"slices"
	"strconv"
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

// levels places the partitions in a file whose table's columns begin at skip.
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
		return append(dst, unfolded...)
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

// run is the rows of one partition.
type run struct {
	folder  string
	records []arrow.Record
	rows    int64
}

// cluster puts the rows of the records into one run per partition, in the order
// of the folders' names; inside a run rows keep their order. The caller
// releases the runs' records.
func cluster(schema *arrow.Schema, lv []level, records []arrow.Record) ([]run, error) {
	if len(lv) == 0 {
		r := run{records: records}
		for _, rec := range records {
			rec.Retain()
			r.rows += rec.NumRows()
		}
		return []run{r}, nil
	}
	folders, of := assign(lv, records)
	if len(folders) == 1 {
		runs, err := cluster(schema, nil, records)
		runs[0].folder = folders[0]
		return runs, err
	}
	order := make([]int, len(folders))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if folders[a] < folders[b] {
			return -1
		}
		return 1
	})
	// A counting sort by folder: starts holds where each folder's rows go next.
	starts := make([]int64, len(folders))
	for _, f := range of {
		starts[f]++
	}
	runs := make([]run, len(folders))
	at := int64(0)
	for i, f := range order {
		runs[i] = run{folder: folders[f], rows: starts[f]}
		at, starts[f] = at+starts[f], at
	}
	places := make([]int32, len(of))
	for row, f := range of {
		places[starts[f]] = int32(row)
		starts[f]++
	}
	all, err := take(schema, records, places)
	if err != nil {
		return nil, err
	}
	defer all.Release()
	at = 0
	for i := range runs {
		runs[i].records = []arrow.Record{all.NewSlice(at, at+runs[i].rows)}
		at += runs[i].rows
	}
	return runs, nil
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

// take returns the rows of the records in the order of places, column by column
// so that only one column is there a third time.
func take(schema *arrow.Schema, records []arrow.Record, places []int32) (arrow.Record, error) {
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
		columns[i] = gather.Column(whole, places)
		whole.Release()
	}
	return array.NewRecord(schema, columns, int64(len(places))), nil
}
