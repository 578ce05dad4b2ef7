package settle

import (
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestCut: times are as coarse as the coarsest of their table so far, also after a
// restart; other tables and times that are none of a clock are left alone.
func TestCut(t *testing.T) {
	tables, err := newLogicalTables(nil)
	if err != nil {
		t.Fatal(err)
	}
	const at = 1_709_294_400_123_456
	for i, c := range []struct {
		table        string
		unit, before int32
		want         int64
	}{
		{"t", 1, 0, at}, {"t", 1000, 1, at - 456}, {"t", 1, 1000, at - 456}, {"u", 1, 0, at}, {"t", 0, 0, at},
		{"t", 1_000_000, 1000, at - 123_456}, {"t", 1, 1_000_000, at - 123_456}, {"u", 1, 1, at}, {"u", 1, 1, at},
	} {
		change := pipeline.Change{Table: c.table, Unit: c.unit, Version: pipeline.Version{Time: at}}
		before, now, err := tables.Cut("s", &change)
		if err != nil || before != c.before || now < c.unit || change.Version.Time != c.want {
			t.Errorf("%d: cut to %d, before %d, now %d, %v", i, change.Version.Time, before, now, err)
		}
		if tables, err = newLogicalTables(tables.save()); err != nil {
			t.Fatal(err)
		}
	}
	early := pipeline.Change{Table: "t", Unit: 1, Version: pipeline.Version{Time: -1}}
	if _, _, err := tables.Cut("s", &early); err != nil || early.Version.Time != -1_000_000 {
		t.Errorf("%d, %v", early.Version.Time, err)
	}
}

// TestCutByDigits: of times of which only the digits tell how fine they are, the
// finest of a source tells, whichever comes first; a source whose times are all coarse
// is coarse.
func TestCutByDigits(t *testing.T) {
	tables, err := newLogicalTables(nil)
	if err != nil {
		t.Fatal(err)
	}
	const whole = 1_709_294_400_000_000
	for i, c := range []struct {
		source   string
		unit     int32
		byDigits bool
		at, want int64
		now      int32
	}{
		{"java", 1_000_000, true, whole, whole, 1_000_000},
		{"kinesis", 1, false, whole + 5, whole, 1_000_000},
		{"java", 1, true, whole + 5, whole + 5, 1},
		{"java", 1_000_000, true, whole, whole, 1},
		{"java", 1000, true, whole + 5000, whole + 5000, 1},
		{"kinesis", 1, false, whole + 5, whole + 5, 1},
		{"python", 1000, true, whole + 5000, whole + 5000, 1000},
		{"kinesis", 1, false, whole + 5, whole, 1000},
		{"streams", 1_000_000, true, whole, whole, 1_000_000},
		{"java", 1, true, whole + 5, whole, 1_000_000},
		{"streams", 1000, true, whole + 5000, whole + 5000, 1000},
		{"kinesis", 1000, false, whole + 5000, whole + 5000, 1000},
		{"streams", 1, true, whole + 5001, whole + 5000, 1000},
		{"python", 1, true, whole + 5001, whole + 5000, 1000},
	} {
		change := pipeline.Change{Table: "t", Unit: c.unit, ByDigits: c.byDigits, Version: pipeline.Version{Time: c.at}}
		_, now, err := tables.Cut(c.source, &change)
		if err != nil || now != c.now || change.Version.Time != c.want {
			t.Errorf("%d: cut to %d, now %d, %v", i, change.Version.Time, now, err)
		}
		if tables, err = newLogicalTables(tables.save()); err != nil {
			t.Fatal(err)
		}
	}
}
