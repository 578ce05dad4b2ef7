package values

import (
	"slices"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
)

// AdaptTexts returns rows with shorter texts, or the rows themselves where none is. of returns
// what becomes of a column's texts and documents, which must not be longer than they were;
// nil = they stay. Keys stay always: without some of their characters, they would be those
// of other rows. release gives back what it took.
func AdaptTexts(rows *pipeline.Rows, of func(t pipeline.Type, a *array.String) func(text string) string) (_ *pipeline.Rows, release func()) {
	var arrays []arrow.Array
	for i, c := range rows.Table.Columns {
		a, ok := rows.Record.Column(i).(*array.String)
		if !ok || slices.Contains(rows.Table.Key, i) {
			continue
		}
		adapt := of(c.Type, a)
		if adapt == nil {
			continue
		}
		if changed := adaptColumn(a, adapt); changed != nil {
			if arrays == nil {
				arrays = slices.Clone(rows.Record.Columns())
			}
			arrays[i] = changed
			defer changed.Release()
		}
	}
	if arrays == nil {
		return rows, func() {}
	}
	out := *rows
	out.Record = array.NewRecord(rows.Record.Schema(), arrays, rows.Record.NumRows())
	return &out, out.Record.Release
}

// StripNULs is what becomes of texts and documents where U+0000 is taken out: the of of
// AdaptTexts.
func StripNULs(t pipeline.Type, a *array.String) func(text string) string {
	switch {
	case t.Base() == pipeline.JSONText:
		return StripJSON
	case IsASCII(a):
		return nil
	}
	return StripText
}

// adaptColumn returns the texts as they become; nil = all stay.
func adaptColumn(a *array.String, adapt func(string) string) arrow.Array {
	changed := false
	for i := 0; i < a.Len() && !changed; i++ {
		changed = a.IsValid(i) && len(adapt(a.Value(i))) < a.ValueLen(i)
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
			b.Append(adapt(a.Value(i)))
		}
	}
	return b.NewArray()
}
