package postgres

import (
	"slices"
	"strings"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
)

// withoutNULs returns the rows without U+0000 in texts and JSON, but for keys. release
// gives back what it took.
func withoutNULs(rows *pipeline.Rows) (_ *pipeline.Rows, release func()) {
	var arrays []arrow.Array
	for i, c := range rows.Table.Columns {
		a, ok := rows.Record.Column(i).(*array.String)
		isJSON := c.Type.Kind == pipeline.JSONText
		if !ok || slices.Contains(rows.Table.Key, i) || !isJSON && isASCII(a) {
			continue
		}
		if s := stripColumn(a, isJSON); s != nil {
			if arrays == nil {
				arrays = slices.Clone(rows.Record.Columns())
			}
			arrays[i] = s
			defer s.Release()
		}
	}
	if arrays == nil {
		return rows, func() {}
	}
	out := *rows
	out.Record = array.NewRecord(rows.Record.Schema(), arrays, rows.Record.NumRows())
	return &out, out.Record.Release
}

// stripColumn returns the texts without U+0000; nil = none has it.
func stripColumn(a *array.String, isJSON bool) arrow.Array {
	clean := func(text string) string { return strings.ReplaceAll(text, "\x00", "") }
	if isJSON {
		clean = withoutNUL
	}
	changed := false
	for i := 0; i < a.Len() && !changed; i++ {
		changed = a.IsValid(i) && len(clean(a.Value(i))) < a.ValueLen(i)
	}
	if !changed {
		return nil
	}
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(a.Len())
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
		} else {
			b.Append(clean(a.Value(i)))
		}
	}
	return b.NewArray()
}
