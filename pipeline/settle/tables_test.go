package settle

import (
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestCut: times are as coarse as the coarsest of their table so far, also after a
// restart; other tables and times that are none of a clock are left alone.
func TestCut(t *testing.T) {
	tables, err := NewTables(nil)
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
		before, err := tables.Cut(&change)
		if err != nil || before != c.before || change.Version.Time != c.want {
			t.Errorf("%d: cut to %d, before %d, %v", i, change.Version.Time, before, err)
		}
		if tables, err = NewTables(tables.Save()); err != nil {
			t.Fatal(err)
		}
	}
	early := pipeline.Change{Table: "t", Unit: 1, Version: pipeline.Version{Time: -1}}
	if _, err := tables.Cut(&early); err != nil || early.Version.Time != -1_000_000 {
		t.Errorf("%d, %v", early.Version.Time, err)
	}
}
