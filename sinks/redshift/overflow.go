package redshift

import (
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow/go/v14/arrow/array"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/gather"
	"github.com/starlift-etl/starlift/sinks/internal/values"
)

// adapt returns rows that are valid as they are stored: without U+0000 and cut, where the
// configuration says so. Rows that are deleted have their key only, for a file is loaded
// with all of its columns, and nobody has looked at what the others hold.
func (r valueRules) adapt(rows *pipeline.Rows) (_ *pipeline.Rows, release func()) {
	keys, releaseKeys := keysOfDeletes(rows)
	if !r.truncate && !r.stripNUL {
		return keys, releaseKeys
	}
	texts, releaseTexts := values.AdaptTexts(keys, r.adaptColumn)
	return texts, func() { releaseTexts(); releaseKeys() }
}

// adaptColumn is the of of values.AdaptTexts.
func (r valueRules) adaptColumn(t pipeline.Type, a *array.String) func(text string) string {
	var strip func(string) string
	if r.stripNUL {
		strip = values.StripNULs(t, a)
	}
	if !r.truncate || t.Base() == pipeline.JSONText {
		return strip
	}
	most := textMax(t)
	return func(text string) string {
		if strip != nil {
			text = strip(text)
		}
		return truncate(text, most)
	}
}

// truncate cuts a text to the bytes that a VARCHAR holds, between two characters.
func truncate(text string, most int) string {
	if len(text) <= most {
		return text
	}
	n := most
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// keysOfDeletes returns the rows with nulls for what rows that are deleted have besides their key.
func keysOfDeletes(rows *pipeline.Rows) (_ *pipeline.Rows, release func()) {
	var deleted []int
	for row, op := range rows.Ops {
		if op == pipeline.OpDelete {
			deleted = append(deleted, row)
		}
	}
	nulls := map[int][]int{}
	for i := range rows.Table.Columns {
		if deleted != nil && !slices.Contains(rows.Table.Key, i) {
			nulls[i] = deleted
		}
	}
	if len(nulls) == 0 {
		return rows, func() {}
	}
	out := *rows
	out.Record = gather.WithNulls(rows.Record, nulls)
	return &out, out.Record.Release
}
