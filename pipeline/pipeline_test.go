package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestVersionText: the texts of versions sort by time and sequence number, and those
// of their positions by arrival.
func TestVersionText(t *testing.T) {
	draw := rapid.Custom(func(t *rapid.T) Version {
		v := Version{Time: rapid.Int64Range(-1<<50, 1<<60).Draw(t, "time"), Ordinal: rapid.Int64Range(0, 1<<60).Draw(t, "ordinal")}
		if rapid.Bool().Draw(t, "sequence") {
			v.Seq = rapid.StringMatching("[1-9][0-9]{0,39}").Draw(t, "seq")
		}
		return v
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		if rapid.Bool().Draw(t, "tie") {
			b.Time = a.Time
		}
		want := slices.Compare([]int64{a.Time, int64(len(a.Seq))}, []int64{b.Time, int64(len(b.Seq))})
		if want == 0 {
			want = strings.Compare(a.Seq, b.Seq)
		}
		one, other := string(a.AppendPosition(nil)), string(b.AppendPosition(nil))
		if got := strings.Compare(one, other); got != cmp.Compare(a.Ordinal, b.Ordinal) || len(one) != len(other) {
			t.Fatalf("%q and %q compare as %d", one, other, got)
		}
		if got := strings.Compare(a.String(), b.String()); got != want {
			t.Fatalf("%q and %q compare as %d, want %d", a, b, got, want)
		}
		if len(a.String()) != len(b.String()) {
			t.Fatalf("%q and %q differ in length", a, b)
		}
	})
}

// TestParseType: what is printed is read again, and what is wrong is refused.
func TestParseType(t *testing.T) {
	for _, s := range []string{"string", "bool", "int32", "int64", "double", "decimal(38,0)", "decimal(10,2)", "date", "time", "timestamp", "timestamptz",
		"uuid", "varchar(1)", "varchar(10485760)", "char(3)", "binary", "json"} {
		typ, err := ParseType(s)
		if err != nil || typ.String() != s || typ.Arrow() == nil {
			t.Errorf("%s is read as %s, %v", s, typ, err)
		}
	}
	for _, s := range []string{"text", "varchar", "varchar(0)", "varchar(10485761)", "varchar(3", "char()", "char(1,2)", "uuid(3)", "decimal", "decimal(39,0)", "decimal(3,4)", "decimal(0,0)", "decimal(1,2,3)", "decimal(a,b)", "decimal(10,2"} {
		if typ, err := ParseType(s); err == nil {
			t.Errorf("%s is read as %s", s, typ)
		}
	}
}

// TestNewTable: a table knows its columns and key, and refuses what is wrong.
func TestNewTable(t *testing.T) {
	text := Type{Kind: String}
	table, err := NewTable("t", []Column{{Name: "a", Type: text}, {Name: "b", Type: text}}, []string{"b", "a"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(table.Key, []int{1, 0}) || table.Column("b") != 1 || table.Column("c") != -1 || table.Schema().NumFields() != 2 {
		t.Errorf("table is %+v", table)
	}
	if _, err := NewTable("t", []Column{{Name: "a", Type: text}, {Name: "a", Type: text}}, nil); err == nil {
		t.Error("two columns of one name are accepted")
	}
	if _, err := NewTable("t", []Column{{Name: "a", Type: text}}, []string{"b"}); err == nil {
		t.Error("a key that is no column is accepted")
	}
}

// TestSlice: slices of records keep their bytes, ordinals, cursors and marks.
func TestSlice(t *testing.T) {
	r := &Records{Source: "s", Partition: "f", Data: []byte("abcdef"), First: 10, Arrived: []int64{1, 2, 3},
		Spans: []Span{{0, 1, 1, 0}, {1, 3, 2, 2}, {3, 6, 4, 5}}, CursorAfter: func(n int) []byte { return fmt.Append(nil, n) },
		Marks: []Mark{Refused, Passes, Refused}, Refusals: map[int]Refusal{0: {Message: "first"}, 2: {Message: "last"}}}
	s := r.Slice(1, 3)
	if len(s.Refusals) != 1 || s.MarkOf(0) != Passes || s.MarkOf(1) != Refused || s.Refusals[1].Message != "last" {
		t.Errorf("refusals of the slice are %v", s.Refusals)
	}
	if s.Len() != 2 || string(s.Bytes(1)) != "def" || s.First != 11 || s.Arrived[0] != 2 || s.Position(1).String() != "f:4" {
		t.Errorf("slice is %+v", s)
	}
	if got := string(s.Slice(1, 2).CursorAfter(1)); got != "3" {
		t.Errorf("the cursor after the last record is %s, want 3", got)
	}
}

// TestRetryable: only what was marked is retried, however it is wrapped.
func TestRetryable(t *testing.T) {
	base := errors.New("x")
	if Retryable(base) || !Retryable(fmt.Errorf("y: %w", Transient(base))) || !errors.Is(Transient(base), base) || Transient(nil) != nil {
		t.Error("marks of transient errors are wrong")
	}
}

// TestVersionTexts: they sort as times do, over all that 64 bits hold.
func TestVersionTexts(t *testing.T) {
	last := ""
	for _, at := range []int64{-1 << 63, -1<<63 + 1, -1<<62 - 1, -1<<61 - 1, -1 << 61, -1<<61 + 1, -1, 0, 1, 1709251200000000, 1 << 61, 1 << 62, 1<<63 - 1} {
		text := Version{Time: at}.String()
		if text <= last || len(text) != len(Version{}.String()) {
			t.Errorf("%d is %s, not behind %s", at, text, last)
		}
		last = text
	}
	if got := (Version{Time: 1709251200000000}).String(); !strings.HasPrefix(got, "02307552260413693952-") {
		t.Errorf("the text of a time has become %s", got)
	}
}
