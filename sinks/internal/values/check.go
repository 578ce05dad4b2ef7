package values

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

// shownBytesMax is how much of a value a message shows.
const shownBytesMax = 80

// Report is told of a value of a column that can't be stored: the value as people may see
// it, and why, in words that follow it.
type Report func(row int, value, why string)

// NotUTF8 is why a text can't be stored.
const NotUTF8 = "is not UTF-8"

// HoldsNUL is why a text with U+0000 can't be stored.
func HoldsNUL(database string) string {
	return "holds the character U+0000, which " + database + " cannot store"
}

// Check returns an error for the first value that invalid finds in rows, or a null in
// a key. Where a change can be blamed for it, it does not come here. Rows that are deleted
// need no more than a key that is valid.
func Check(rows *pipeline.Rows, invalid func(columns []pipeline.StoredColumn, rows int) []pipeline.InvalidValue) error {
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
	for _, u := range invalid(columns, len(rows.Ops)) {
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

func keyText(rows *pipeline.Rows, row int) string {
	var text []byte
	for i, k := range rows.Table.Key {
		if i > 0 {
			text = append(text, ", "...)
		}
		value := Shorten(rows.Record.Column(k).ValueStr(row))
		if rows.Table.Columns[k].Masked {
			value = decode.Hidden
		}
		text = append(text, value...)
	}
	return "(" + string(text) + ")"
}

// Shorten returns a value, quoted, as a message shows it.
func Shorten(s string) string {
	if len(s) > shownBytesMax {
		return fmt.Sprintf("%q…", s[:shownBytesMax])
	}
	return fmt.Sprintf("%q", s)
}

// Bytes returns about what a value takes.
func Bytes(a arrow.Array, row int) int {
	switch a := a.(type) {
	case *array.String:
		return a.ValueLen(row)
	case *array.Binary:
		return a.ValueLen(row)
	}
	return 8
}

// dataBytes returns about what all values of a column take that have no fixed length.
func dataBytes(a arrow.Array) int {
	switch a := a.(type) {
	case *array.String:
		return len(a.ValueBytes())
	case *array.Binary:
		return len(a.ValueBytes())
	}
	return 0
}

// LongRows returns the rows that take more bytes than a database takes a row. of says what a value
// takes, which is Bytes or less; most is at least what the columns' values of fixed length take.
func LongRows(database string, columns []pipeline.StoredColumn, rows, most int, of func(c *pipeline.StoredColumn, row int) int) (all []pipeline.InvalidValue) {
	bytes := 0
	for i := range columns {
		bytes += dataBytes(columns[i].Values)
	}
	if bytes <= most {
		return nil
	}
	for row := range rows {
		size := 0
		for i := range columns {
			size += of(&columns[i], row)
		}
		if size > most {
			all = append(all, pipeline.InvalidValue{Row: row, Column: -1, Why: fmt.Sprintf("the row has %d bytes, and %s takes %d", size, database, most)})
		}
	}
	return all
}

// CheckDecimals reports decimals that have more digits than their type.
func CheckDecimals(t pipeline.Type, a *array.Decimal128, report Report) {
	for i, v := range a.Values() {
		if a.IsValid(i) && !v.FitsInPrecision(t.Precision) {
			report(i, string(decimal.FromTwos(v.HighBits(), v.LowBits()).Append(nil, int(t.Scale)))+" ", fmt.Sprintf("does not fit %s", t))
		}
	}
}

// CheckRange reports dates or times that are not within a database's.
func CheckRange[T ~int32 | ~int64](database string, a arrow.Array, values []T, least, most T, report Report) {
	for i, v := range values {
		if (v < least || v > most) && a.IsValid(i) {
			report(i, a.ValueStr(i)+" ", "is out of "+database+"'s range")
		}
	}
}

// CheckTexts reports texts that are not UTF-8 and, unless it is taken out of them, those
// with U+0000.
func CheckTexts(database string, a *array.String, stripNUL bool, report Report) {
	for i := range a.Len() {
		if a.IsNull(i) {
			continue
		}
		switch text := a.Value(i); {
		case !utf8.ValidString(text):
			report(i, Shorten(text)+" ", NotUTF8)
		case !stripNUL && strings.IndexByte(text, 0) >= 0:
			report(i, Shorten(text)+" ", HoldsNUL(database))
		}
	}
}

// CheckDocuments reports JSON texts that are not UTF-8, and those of which problem says why
// they can't be stored, as the end of a sentence.
func CheckDocuments(a *array.String, problem func(doc string) string, report Report) {
	for i := range a.Len() {
		if a.IsNull(i) {
			continue
		}
		text := a.Value(i)
		if !utf8.ValidString(text) {
			report(i, Shorten(text)+" ", NotUTF8)
		} else if why := problem(text); why != "" {
			report(i, Shorten(text)+" ", why)
		}
	}
}

// IsASCII tells that all texts are ASCII without U+0000, by one look at all of them:
// they can be taken, and most columns are.
func IsASCII(a *array.String) bool {
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
