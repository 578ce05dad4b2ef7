package conformance

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// ElementJSON writes an element of a list as lists have it between nodes, of the text that is compared of a value of
// its type.
func ElementJSON(t pipeline.Type, text string) string {
	switch t.Base() {
	case pipeline.Bool, pipeline.Int64, pipeline.Double, pipeline.Decimal:
		return text
	case pipeline.Timestamp:
		return `"` + strings.Replace(text, " ", "T", 1) + `Z"`
	}
	return string(decode.AppendQuoted(nil, []byte(text)))
}

// lists are columns of lists of every type, and one list of each.
var lists = [][2]string{
	{"list(string)", `["","a\"\\\\ü",null,"null","{1,2}","NULL"," "]`}, {"list(int32)", `[-2147483648,2147483647]`}, {"list(int64)", `[9223372036854775807,null,-9223372036854775808]`}, {"list(double)", `[0.5,-1.25]`},
	{"list(bool)", `[true,false,null]`}, {"list(decimal(10,2))", `[-0.50,99999999.99,0.00]`}, {"list(decimal(38,10))", `[1234567890123456789012345678.0123456789,0.0000000001,null,-1.0000000000]`}, {"list(date)", `["0001-01-01","9999-12-31"]`},
	{"list(timestamp)", `["2024-02-29T10:00:00.000001Z",null]`}, {"list(timestamptz)", `["1969-12-31T23:59:59.999999Z"]`}, {"list(uuid)", `["123e4567-e89b-12d3-a456-426614174000",null]`}, {"list(time)", `["23:59:59.999999","09:30:00"]`},
	{"list(varchar(3))", `["äöü","a"]`}, {"list(char(2))", `["NZ"]`},
}

// listsCase is about columns of lists: of every type, with nulls and none, that come, change and go.
func listsCase(t *testing.T, target Target) {
	columns := []string{"id int64"}
	var full, empty, none, nulls []string
	for i, l := range lists {
		columns = append(columns, fmt.Sprintf("l%d %s", i, l[0]))
		full, empty, none, nulls = append(full, l[1]), append(empty, "[]"), append(none, "null"), append(nulls, "[null]")
	}
	table := pipelinetest.Table("listed", "id", columns...)
	h := newHarness(t, target, table)
	object := func(id int, cells []string) string {
		all := []string{fmt.Sprintf(`"id": %d`, id)}
		for i, c := range cells {
			if c != "null" {
				all = append(all, fmt.Sprintf("%q: %s", fmt.Sprint("l", i), decode.AppendQuoted(nil, []byte(c))))
			}
		}
		return "{" + strings.Join(all, ", ") + "}"
	}
	put := func(op pipeline.Op, rows ...[]string) (want []string) {
		t.Helper()
		ops, objects := make([]pipeline.Op, len(rows)), make([]string, len(rows))
		for i, cells := range rows {
			ops[i], objects[i] = op, object(i+1, cells)
			want = append(want, fmt.Sprintf("%d|%s", i+1, strings.Join(cells, "|")))
		}
		h.Prepare(pipelinetest.JSONRows(t, table, ops, objects...))
		h.Commit()
		return want
	}
	h.want(put(insert, full, empty, none, nulls)...)
	h.want(put(update, empty, none, nulls, full)...)
	h.want(put(update, nulls, full, full, none)...)
	put(remove, none, none, none, none)
	h.want()
}

// drawList draws a list of a column, and returns its text.
func (target *Target) drawList(rt *rapid.T, c pipeline.Column) string {
	element := pipeline.Column{Name: c.Name, Type: c.Type.Element()}
	b := array.NewBuilder(memory.DefaultAllocator, element.Type.Arrow())
	defer b.Release()
	var all []string
	for range rapid.IntRange(0, 5).Draw(rt, "elements") {
		if element.Type.Kind == pipeline.String { // of characters that all databases write alike in JSON
			text := rapid.StringOf(rapid.RuneFrom([]rune(`"\\{},'`), unicode.L, unicode.N, unicode.P)).Draw(rt, c.Name)
			all = append(all, ElementJSON(element.Type, text))
			continue
		}
		text := target.drawValue(rt, b, element)
		if text != "null" {
			text = ElementJSON(element.Type, text)
		}
		all = append(all, text)
	}
	return "[" + strings.Join(all, ",") + "]"
}
