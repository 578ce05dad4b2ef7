package postgres

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decimal"
	"github.com/starlift-etl/starlift/pipeline/decode"
)

const (
	// maxKeyBytes keeps a key within an entry of a B-tree, of which three have to
	// fit on a page of 8 KiB.
	maxKeyBytes = 2600
	// The days and microseconds since 1970 that PostgreSQL's types hold.
	minDay, maxDay       = -2440588, 2145042905
	minMicros, maxMicros = minDay * 86_400_000_000, 9223371331200000000 - 1
	// valueShown is how much of a value a message shows.
	valueShown = 80
)

// refuse returns an error for what PostgreSQL would refuse after the epoch is saved.
func refuse(rows *pipeline.Rows) error {
	for i, c := range rows.Table.Columns {
		if row, why := wrong(c.Type, rows.Record.Column(i)); why != "" {
			if c.Masked {
				why, _, _ = strings.Cut(why, ": ") // the value follows
			}
			return fmt.Errorf("table %q, column %q, row with key %s: %s", rows.Table.Name, c.Name, keyText(rows, row), why)
		}
	}
	for row := range int(rows.Record.NumRows()) {
		size := 0
		for _, k := range rows.Table.Key {
			if rows.Record.Column(k).IsNull(row) {
				return fmt.Errorf("table %q, column %q: a null in a key", rows.Table.Name, rows.Table.Columns[k].Name)
			}
			size += valueBytes(rows.Record.Column(k), row)
		}
		if size > maxKeyBytes {
			return fmt.Errorf("table %q: the key %s has %d bytes, and an index of PostgreSQL takes %d", rows.Table.Name, keyText(rows, row), size, maxKeyBytes)
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
		value := shown(rows.Record.Column(k).ValueStr(row))
		if rows.Table.Columns[k].Masked {
			value = decode.Hidden
		}
		text = append(text, value...)
	}
	return "(" + string(text) + ")"
}

func shown(s string) string {
	if len(s) > valueShown {
		return fmt.Sprintf("%q…", s[:valueShown])
	}
	return fmt.Sprintf("%q", s)
}

// wrong finds a value that PostgreSQL does not take, and says why; empty = none.
func wrong(t pipeline.Type, column arrow.Array) (row int, why string) {
	switch a := column.(type) {
	case *array.String:
		if t.Kind == pipeline.JSONText {
			return wrongJSON(a)
		}
		return wrongText(a)
	case *array.Date32:
		return outside(a, a.Date32Values(), minDay, maxDay, "the date")
	case *array.Timestamp:
		return outside(a, a.TimestampValues(), minMicros, maxMicros, "the time")
	case *array.Decimal128:
		for i, v := range a.Values() {
			if !v.FitsInPrecision(t.Precision) && a.IsValid(i) {
				return i, fmt.Sprintf("the number does not fit %s: %s", t, decimal.FromTwos(v.HighBits(), v.LowBits()).Append(nil, int(t.Scale)))
			}
		}
	}
	return 0, ""
}

func outside[T ~int32 | ~int64](a arrow.Array, values []T, least, most T, what string) (int, string) {
	for i, v := range values {
		if (v < least || v > most) && a.IsValid(i) {
			return i, what + " is out of PostgreSQL's range"
		}
	}
	return 0, ""
}

func wrongText(a *array.String) (int, string) {
	if plainText(a) {
		return 0, ""
	}
	for i := range a.Len() {
		if a.IsNull(i) {
			continue
		}
		switch text := a.Value(i); {
		case !utf8.ValidString(text):
			return i, "the text is not UTF-8: " + shown(text)
		case strings.IndexByte(text, 0) >= 0:
			return i, "the text holds the character U+0000, which PostgreSQL cannot store: " + shown(text)
		}
	}
	return 0, ""
}

// plainText tells that all texts can be taken, by one look at all of them: most
// columns are ASCII.
func plainText(a *array.String) bool {
	for _, b := range a.ValueBytes() {
		if b == 0 || b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func wrongJSON(a *array.String) (int, string) {
	for i := range a.Len() {
		if a.IsNull(i) {
			continue
		}
		text := a.Value(i)
		if !utf8.ValidString(text) {
			return i, "the JSON is not UTF-8: " + shown(text)
		}
		if why := wrongDocument(text); why != "" {
			return i, why + ": " + shown(text)
		}
	}
	return 0, ""
}
