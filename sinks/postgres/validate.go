package postgres

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decimal"
	"github.com/starlift-etl/starlift/pipeline/decode"
)

const (
	// rowBytesMax keeps a row within a message of the protocol and a tuple in memory,
	// which take 1 GiB.
	rowBytesMax = 1<<30 - 1<<20
	// keyBytesMax keeps a key within an entry of a B-tree, of which three have to
	// fit on a page of 8 KiB.
	keyBytesMax = 2600
	// The days and microseconds since 1970 that PostgreSQL's types hold.
	minDay, maxDay       = -2440588, 2145042905
	minMicros, maxMicros = minDay * 86_400_000_000, 9223371331200000000 - 1
	// shownBytesMax is how much of a value a message shows.
	shownBytesMax = 80
)

var _ pipeline.ValueValidator = (*Sink)(nil)

// InvalidValues implements pipeline.ValueValidator.
func (s *Sink) InvalidValues(columns []pipeline.StoredColumn, rows int) []pipeline.InvalidValue {
	return invalidValues(columns, rows, s.stripNUL)
}

// invalidValues returns what PostgreSQL can't store. With stripNUL, that is not U+0000
// but in what identifies rows, which would be others without it.
func invalidValues(columns []pipeline.StoredColumn, rows int, stripNUL bool) (all []pipeline.InvalidValue) {
	indexed, bytes := false, 0
	for i := range columns {
		c := &columns[i]
		checkValues(c.Type, c.Values, stripNUL && !c.Key, func(row int, value, why string) {
			all = append(all, pipeline.InvalidValue{Row: row, Column: i, Value: value, Why: why})
		})
		indexed = indexed || c.Indexed
		bytes += dataBytes(c.Values)
	}
	if bytes > rowBytesMax {
		all = append(all, longRows(columns, rows)...)
	}
	if !indexed {
		return all
	}
	for row := range rows {
		size := 0
		for i := range columns {
			if c := &columns[i]; c.Indexed && c.Values.IsValid(row) {
				size += valueBytes(c.Values, row)
			}
		}
		if size > keyBytesMax {
			all = append(all, pipeline.InvalidValue{Row: row, Column: -1, Why: fmt.Sprintf("the key has %d bytes, and an index of PostgreSQL takes %d", size, keyBytesMax)})
		}
	}
	return all
}

// longRows returns the rows that are longer than the server takes a message.
func longRows(columns []pipeline.StoredColumn, rows int) (all []pipeline.InvalidValue) {
	for row := range rows {
		size := 0
		for i := range columns {
			size += valueBytes(columns[i].Values, row)
		}
		if size > rowBytesMax {
			all = append(all, pipeline.InvalidValue{Row: row, Column: -1, Why: fmt.Sprintf("the row has %d bytes, and PostgreSQL takes %d", size, rowBytesMax)})
		}
	}
	return all
}

// dataBytes returns about what the values of a column take.
func dataBytes(a arrow.Array) int {
	switch a := a.(type) {
	case *array.String:
		return len(a.ValueBytes())
	case *array.Binary:
		return len(a.ValueBytes())
	}
	return 0
}

// validate returns an error for what PostgreSQL would refuse after the epoch is saved.
// Where a change can be blamed for it, it does not come here.
func validate(rows *pipeline.Rows, stripNUL bool) error {
	columns := make([]pipeline.StoredColumn, len(rows.Table.Columns))
	for i, c := range rows.Table.Columns {
		key := slices.Contains(rows.Table.Key, i)
		columns[i] = pipeline.StoredColumn{Type: c.Type, Values: rows.Record.Column(i), Key: key, Indexed: key}
		for row := 0; key && row < len(rows.Ops); row++ {
			if columns[i].Values.IsNull(row) {
				return fmt.Errorf("table %q, column %q: a null in a key", rows.Table.Name, c.Name)
			}
		}
	}
	for _, u := range invalidValues(columns, len(rows.Ops), stripNUL) {
		if u.Column < 0 {
			return fmt.Errorf("table %q, row with key %s: %s", rows.Table.Name, keyText(rows, u.Row), u.Why)
		}
		if c := rows.Table.Columns[u.Column]; rows.Ops[u.Row] != pipeline.OpDelete || columns[u.Column].Key {
			value := u.Value
			if c.Masked {
				value = ""
			}
			return fmt.Errorf("table %q, column %q, row with key %s: %s%s", rows.Table.Name, c.Name, keyText(rows, u.Row), value, u.Why)
		}
	}
	return nil
}

func valueBytes(a arrow.Array, row int) int {
	switch a := a.(type) {
	case *array.String:
		return a.ValueLen(row)
	case *array.Binary:
		return a.ValueLen(row)
	}
	return 8
}

func keyText(rows *pipeline.Rows, row int) string {
	var text []byte
	for i, k := range rows.Table.Key {
		if i > 0 {
			text = append(text, ", "...)
		}
		value := shorten(rows.Record.Column(k).ValueStr(row))
		if rows.Table.Columns[k].Masked {
			value = decode.Hidden
		}
		text = append(text, value...)
	}
	return "(" + string(text) + ")"
}

func shorten(s string) string {
	if len(s) > shownBytesMax {
		return fmt.Sprintf("%q…", s[:shownBytesMax])
	}
	return fmt.Sprintf("%q", s)
}

// checkValues finds the values that PostgreSQL does not take, and says why.
func checkValues(t pipeline.Type, column arrow.Array, stripNUL bool, report func(row int, value, why string)) {
	switch a := column.(type) {
	case *array.String:
		if t.Kind == pipeline.JSONText {
			checkDocuments(a, stripNUL, report)
		} else if !isASCII(a) {
			checkTexts(a, stripNUL, report)
		}
	case *array.Date32:
		checkRange(a, a.Date32Values(), minDay, maxDay, report)
	case *array.Timestamp:
		checkRange(a, a.TimestampValues(), minMicros, maxMicros, report)
	case *array.Decimal128:
		for i, v := range a.Values() {
			if a.IsValid(i) && !v.FitsInPrecision(t.Precision) {
				report(i, string(decimal.FromTwos(v.HighBits(), v.LowBits()).Append(nil, int(t.Scale)))+" ", fmt.Sprintf("does not fit %s", t))
			}
		}
	}
}

func checkRange[T ~int32 | ~int64](a arrow.Array, values []T, least, most T, report func(row int, value, why string)) {
	for i, v := range values {
		if (v < least || v > most) && a.IsValid(i) {
			report(i, a.ValueStr(i)+" ", "is out of PostgreSQL's range")
		}
	}
}

const (
	notUTF8  = "is not UTF-8"
	holdsNUL = "holds the character U+0000, which PostgreSQL cannot store"
)

func checkTexts(a *array.String, stripNUL bool, report func(row int, value, why string)) {
	for i := range a.Len() {
		if a.IsNull(i) {
			continue
		}
		switch text := a.Value(i); {
		case !utf8.ValidString(text):
			report(i, shorten(text)+" ", notUTF8)
		case !stripNUL && strings.IndexByte(text, 0) >= 0:
			report(i, shorten(text)+" ", holdsNUL)
		}
	}
}

// isASCII tells that all texts are ASCII without U+0000, by one look at all of them:
// they can be taken, and most columns are.
func isASCII(a *array.String) bool {
	b := a.ValueBytes()
	// Eight at a time: a byte has its highest bit set here if it is 0 or that of a
	// rune of more than one byte.
	for ; len(b) >= 8; b = b[8:] {
		w := binary.LittleEndian.Uint64(b)
		if (w|(w-0x0101010101010101))&0x8080808080808080 != 0 {
			return false
		}
	}
	for _, c := range b {
		if c == 0 || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func checkDocuments(a *array.String, stripNUL bool, report func(row int, value, why string)) {
	for i := range a.Len() {
		if a.IsNull(i) {
			continue
		}
		text := a.Value(i)
		if !utf8.ValidString(text) {
			report(i, shorten(text)+" ", notUTF8)
		} else if why := documentProblem(text, stripNUL); why != "" {
			report(i, shorten(text)+" ", why)
		}
	}
}
