package redshift

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/decimal128"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// textsTable is a table with a key and a column of each type that may be too long.
func textsTable(t testing.TB) *pipeline.Table {
	return pipelinetest.TableOf(t, "t", []string{"k"}, pipelinetest.Column("k", pipeline.String), pipelinetest.Column("s", pipeline.String),
		pipelinetest.Column("doc", pipeline.JSONText), pipelinetest.Column("bin", pipeline.Binary))
}

// textRow is a row of textsTable.
type textRow struct {
	op           pipeline.Op
	key, s, doc  string
	bin          []byte
	withoutTexts bool
}

func textRows(t testing.TB, table *pipeline.Table, rows ...textRow) *pipeline.Rows {
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
	defer b.Release()
	out := &pipeline.Rows{Table: table, Versions: make([]pipeline.Version, len(rows))}
	for _, r := range rows {
		out.Ops = append(out.Ops, r.op)
		b.Field(0).(*array.StringBuilder).Append(r.key)
		if r.withoutTexts {
			for _, f := range b.Fields()[1:] {
				f.AppendNull()
			}
			continue
		}
		b.Field(1).(*array.StringBuilder).Append(r.s)
		b.Field(2).(*array.StringBuilder).Append(r.doc)
		b.Field(3).(*array.BinaryBuilder).Append(r.bin)
	}
	out.Record = b.NewRecord()
	t.Cleanup(out.Record.Release)
	return out
}

// invalidTexts returns what the engine hears of rows: columns and reasons.
func invalidTexts(r valueRules, rows *pipeline.Rows) (all []string) {
	columns := make([]pipeline.StoredColumn, len(rows.Table.Columns))
	for i, c := range rows.Table.Columns {
		columns[i] = pipeline.StoredColumn{Type: c.Type, Values: rows.Record.Column(i), Key: i == 0, Indexed: i == 0}
	}
	for _, v := range (&Sink{rules: r}).InvalidValues(columns, len(rows.Ops)) {
		name := "row"
		if v.Column >= 0 {
			name = rows.Table.Columns[v.Column].Name
		}
		all = append(all, name+" "+v.Why)
	}
	return all
}

// TestOverflow: what each on_overflow makes of values at the edge, and one byte beyond it.
func TestOverflow(t *testing.T) {
	edge := strings.Repeat("é", varcharMax/2) + "x"
	for _, c := range []struct {
		name  string
		row   textRow
		rules map[string]string // by on_overflow: what is told, what ends the run, or the text as it is stored
	}{
		{"at the edge", textRow{key: edge, s: edge, doc: `"` + edge[:varcharMax-3] + `"`, bin: make([]byte, varbyteBytes)}, map[string]string{"dead_letter": "stored " + edge, "truncate": "stored " + edge, "fail": "stored " + edge}},
		{"a text", textRow{key: "k", s: edge + "é", doc: `1`}, map[string]string{"dead_letter": "told s has 65537 bytes, and Redshift takes 65535", "truncate": "stored " + edge,
			"fail": `fails table "t", column "s", row with key ("k"): has 65537 bytes, and Redshift takes 65535` + overflowHint}},
		{"a character across the edge", textRow{key: "k", s: edge[:varcharMax-1] + "é", doc: `1`}, map[string]string{"truncate": "stored " + edge[:varcharMax-1]}},
		{"a character of four bytes", textRow{key: "k", s: "a" + strings.Repeat("😀", varcharMax/4+1), doc: `1`}, map[string]string{"truncate": "stored a" + strings.Repeat("😀", varcharMax/4)}},
		{"a key", textRow{key: edge + "é", s: "s", doc: `1`}, map[string]string{"dead_letter": "told k has 65537 bytes, and Redshift takes 65535", "truncate": "told k has 65537 bytes, and Redshift takes 65535",
			"fail": `fails table "t", column "k", row with key ("` + edge[:80] + `"…): has 65537 bytes, and Redshift takes 65535` + overflowHint}},
		{"a document", textRow{key: "k", s: "s", doc: `"` + edge + `"`}, map[string]string{"dead_letter": "told doc as text has 65537 bytes, and Redshift takes 65535", "truncate": "told doc as text has 65537 bytes, and Redshift takes 65535",
			"fail": "fails "}},
		{"bytes", textRow{key: "k", s: "s", doc: `1`, bin: make([]byte, varbyteBytes+1)}, map[string]string{"dead_letter": "told bin has 64001 bytes, and Redshift takes 64000", "truncate": "told bin has 64001 bytes, and Redshift takes 64000",
			"fail": "fails "}},
		{"deleted", textRow{op: pipeline.OpDelete, key: "k", s: edge + edge, doc: `{"a":1,"a":1}`, bin: make([]byte, varbyteBytes+1)}, map[string]string{"fail": "stored (null)"}},
	} {
		table := textsTable(t)
		rows := textRows(t, table, c.row)
		for overflow, want := range c.rules {
			rules := (&Config{OnOverflow: overflow}).valueRules()
			told, err := invalidTexts(rules, rows), rules.validate(rows)
			got := ""
			switch {
			case len(told) > 0 && c.row.op != pipeline.OpDelete:
				got = "told " + strings.Join(told, "; ")
				if err == nil {
					t.Errorf("%s, %s: what is told, %s, is written even so", c.name, overflow, got)
				}
			case err != nil:
				got = "fails " + err.Error()
			default:
				adapted, release := rules.adapt(rows)
				got = "stored " + adapted.Record.Column(1).ValueStr(0)
				release()
			}
			if got != want && (want != "fails " || !strings.HasPrefix(got, want)) {
				t.Errorf("%s, %s: %.200s, want %.200s", c.name, overflow, got, want)
			}
		}
	}
}

// TestLongRow: a row has at most 4 MB, also of values that are each short enough.
func TestLongRow(t *testing.T) {
	var columns []pipeline.Column
	for i := range 70 {
		columns = append(columns, pipelinetest.Column(fmt.Sprint("c", i), pipeline.String))
	}
	table := pipelinetest.TableOf(t, "t", []string{"c0"}, columns...)
	for n, want := range map[int]bool{61: true, 62: false} {
		b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
		for i := range columns {
			text := "x"
			if i > 0 && i <= n {
				text = strings.Repeat("x", varcharMax)
			}
			b.Field(i).(*array.StringBuilder).Append(text)
		}
		rows := &pipeline.Rows{Table: table, Record: b.NewRecord(), Ops: []pipeline.Op{pipeline.OpInsert}}
		err := valueRules{}.validate(rows)
		if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "the row has") {
			t.Errorf("%d long texts: %v", n, err)
		}
		rows.Record.Release()
		b.Release()
	}
}

// TestTruncate: a cut text is the longest beginning that fits and is UTF-8.
func TestTruncate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		runes := rapid.SliceOfN(rapid.SampledFrom([]rune("aé漢😀")), 1, 8).Draw(rt, "runes")
		text := strings.Repeat("x", rapid.IntRange(0, 8).Draw(rt, "before")) + strings.Repeat(string(runes), varcharMax/len(string(runes))+2)
		text = text[:rapid.IntRange(0, len(text)).Draw(rt, "length")]
		text = strings.ToValidUTF8(text, "")
		got := truncate(text, varcharMax)
		rest := text[len(got):]
		_, next := utf8.DecodeRuneInString(rest)
		if !strings.HasPrefix(text, got) || !utf8.ValidString(got) || len(got) > varcharMax || rest != "" && len(got)+next <= varcharMax {
			rt.Fatalf("%d bytes are cut to %d, and %d would follow", len(text), len(got), next)
		}
	})
}

// TestAdapt: U+0000 is taken out before a text is cut, and not out of keys.
func TestAdapt(t *testing.T) {
	table := textsTable(t)
	nuls := strings.Repeat("\x00", 10)
	long := strings.Repeat("a", varcharMax)
	rows := textRows(t, table, textRow{key: "1", s: nuls + long, doc: `{"a\u0000":"` + strings.Repeat(`\u0000`, varcharMax/6) + `"}`, bin: []byte{0}},
		textRow{key: "2", s: "é\x00", doc: `1`}, textRow{key: "3", withoutTexts: true})
	rules := (&Config{OnOverflow: "truncate", NUL: "strip"}).valueRules()
	if told := invalidTexts(rules, rows); told != nil {
		t.Fatalf("told %q", told)
	}
	adapted, release := rules.adapt(rows)
	defer release()
	for row, want := range [][4]string{{"1", long, `{"a":""}`, "AA=="}, {"2", "é", "1", ""}, {"3", "(null)", "(null)", "(null)"}} {
		for i := range want {
			if got := adapted.Record.Column(i).ValueStr(row); got != want[i] {
				t.Errorf("row %d, column %d: %.100q, want %.100q", row, i, got, want[i])
			}
		}
	}
	if told := invalidTexts(rules, textRows(t, table, textRow{key: "a\x00", doc: `1`})); len(told) != 1 || told[0] != "k holds the character U+0000, which Redshift cannot store" {
		t.Errorf("of a key with U+0000 is told %q", told)
	}
	if told := invalidTexts(valueRules{}, rows); len(told) != 4 {
		t.Errorf("without nul and on_overflow is told %.300q", told)
	}
	// Names that differ by what is taken out.
	if told := invalidTexts(rules, textRows(t, table, textRow{key: "k", doc: `{"a\u0000":1,"a":2}`})); len(told) != 1 {
		t.Errorf("of names that become one is told %q", told)
	}
}

// TestKeys: what Redshift would not tell apart is no key.
func TestKeys(t *testing.T) {
	table := textsTable(t)
	if told := invalidTexts(valueRules{}, textRows(t, table, textRow{key: "a ", s: "a ", doc: `" "`})); len(told) != 1 || !strings.HasPrefix(told[0], "k ends with a space") {
		t.Errorf("of a key with a space at its end is told %q", told)
	}
}

// TestDoubleKeys: doubles that are not equal to themselves, or to others, are no keys, and are values.
func TestDoubleKeys(t *testing.T) {
	b := array.NewFloat64Builder(memory.DefaultAllocator)
	defer b.Release()
	b.AppendValues([]float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), -1, 0}, []bool{true, true, true, true, true, false})
	a := b.NewArray()
	defer a.Release()
	for key, want := range map[bool][]int{true: {1, 2}, false: nil} {
		var got []int
		for _, v := range (valueRules{}).invalidValues([]pipeline.StoredColumn{{Type: pipeline.Type{Kind: pipeline.Double}, Values: a, Key: key}}, a.Len(), true) {
			got = append(got, v.Row)
		}
		if !slices.Equal(got, want) {
			t.Errorf("key %v: rows %v are refused, want %v", key, got, want)
		}
	}
}

// TestFixedWidths: the edges of times and of decimals.
func TestFixedWidths(t *testing.T) {
	decimal := func(p int32) pipeline.Type { return pipeline.Type{Kind: pipeline.Decimal, Precision: p, Scale: 3} }
	number := func(text string) any {
		n, err := decimal128.FromString(text, 38, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, c := range []struct {
		typ   pipeline.Type
		value any
		want  string
	}{
		{pipeline.Type{Kind: pipeline.Date}, arrow.Date32(-719162), ""},
		{pipeline.Type{Kind: pipeline.Date}, arrow.Date32(-719163), "is out of Redshift's range"},
		{pipeline.Type{Kind: pipeline.Date}, arrow.Date32(2932896), ""},
		{pipeline.Type{Kind: pipeline.Date}, arrow.Date32(2932897), "is out of Redshift's range"},
		{pipeline.Type{Kind: pipeline.Timestamp}, arrow.Timestamp(-62135596800000000), ""},
		{pipeline.Type{Kind: pipeline.Timestamp}, arrow.Timestamp(-62135596800000001), "is out of Redshift's range"},
		{pipeline.Type{Kind: pipeline.Timestamp}, arrow.Timestamp(253402300799999999), ""},
		{pipeline.Type{Kind: pipeline.Timestamp}, arrow.Timestamp(253402300800000000), "is out of Redshift's range"},
		{decimal(18), number("999999999999999999"), ""},
		{decimal(18), number("1000000000000000000"), "does not fit decimal(18,3)"},
		{decimal(19), number("9223372036854775807"), ""},
		{decimal(19), number("-9223372036854775807"), ""},
		{decimal(19), number("9223372036854775808"), "does not fit into 64 bits, in which Redshift keeps decimals of 19 digits"},
		{decimal(19), number("-9223372036854775808"), "does not fit into 64 bits, in which Redshift keeps decimals of 19 digits"},
		{decimal(19), number("10000000000000000000"), "does not fit decimal(19,3)"},
		{decimal(20), number("9223372036854775808"), ""},
		{decimal(38), number("99999999999999999999999999999999999999"), ""},
	} {
		b := array.NewBuilder(memory.DefaultAllocator, c.typ.Arrow())
		switch v := c.value.(type) {
		case arrow.Date32:
			b.(*array.Date32Builder).Append(v)
		case arrow.Timestamp:
			b.(*array.TimestampBuilder).Append(v)
		case decimal128.Num:
			b.(*array.Decimal128Builder).Append(v)
		}
		a := b.NewArray()
		got := ""
		for _, v := range (valueRules{}).invalidValues([]pipeline.StoredColumn{{Type: c.typ, Values: a}}, 1, true) {
			got += v.Why
		}
		if got != c.want {
			t.Errorf("%s %v: %q, want %q", c.typ, a, got, c.want)
		}
		a.Release()
		b.Release()
	}
}

// TestLengths: the n of a varchar or char counts bytes, and a char takes ASCII only; what is cut is cut to n bytes.
func TestLengths(t *testing.T) {
	for _, c := range []struct {
		typ, text  string
		told, kept string // by truncate: what is told, or the text as it is stored
		overflow   string // what dead_letter tells
	}{
		{"varchar(4)", "äö", "", "äö", ""}, {"varchar(4)", "äöü", "", "äö", "has 6 bytes, and Redshift takes 4"}, {"varchar(3)", "äö", "", "ä", "has 4 bytes, and Redshift takes 3"},
		{"char(3)", "abc", "", "abc", ""}, {"char(3)", "ä", "has a character that is not ASCII, and a CHAR of Redshift takes no others: give the column type varchar", "", "has a character that is not ASCII, and a CHAR of Redshift takes no others: give the column type varchar"},
		{"uuid", "123e4567-e89b-12d3-a456-426614174000", "", "123e4567-e89b-12d3-a456-426614174000", ""},
	} {
		table := pipelinetest.Table("t", "k", "k int64", "v "+c.typ)
		rows := pipelinetest.JSONRows(t, table, []pipeline.Op{insertOp}, fmt.Sprintf(`{"k": 1, "v": %q}`, c.text))
		for overflow, want := range map[string]string{overflowTruncate: c.told, "dead_letter": c.overflow} {
			rules := (&Config{OnOverflow: overflow}).valueRules()
			told := strings.TrimPrefix(strings.Join(invalidTexts(rules, rows), "; "), "v ")
			if told != want {
				t.Errorf("%s %q, %s: told %q, want %q", c.typ, c.text, overflow, told, want)
			}
			if overflow == overflowTruncate && told == "" {
				adapted, release := rules.adapt(rows)
				if got := adapted.Record.Column(1).ValueStr(0); got != c.kept {
					t.Errorf("%s %q is stored as %q, want %q", c.typ, c.text, got, c.kept)
				}
				release()
			}
		}
	}
}

// TestTypesOfKeys: types are refused that Redshift has not, or has not in keys.
func TestTypesOfKeys(t *testing.T) {
	table := pipelinetest.Table("t", "o,u", "o time", "u uuid", "v varchar(65536)", "w varchar(65535)", "c char(4097)", "d char(4096)", "p time")
	var mistakes []string
	(&Config{}).checkTable(table, func(format string, args ...any) { mistakes = append(mistakes, fmt.Sprintf(format, args...)) })
	all := strings.Join(mistakes, "\n")
	for name, wrong := range map[string]bool{"o": true, "u": false, "v": true, "w": false, "c": true, "d": false, "p": false} {
		if got := strings.Contains(all, fmt.Sprintf("column %q", name)); got != wrong {
			t.Errorf("column %q is wrong: %t, want %t: %s", name, got, wrong, all)
		}
	}
}
