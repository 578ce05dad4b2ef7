//go:build cgo

package duckdb

import "testing"

// TestVacuumPace: large epochs of new rows turn merging off, and whatever leaves holes or small
// row groups turns it on again.
func TestVacuumPace(t *testing.T) {
	var p vacuumPace
	for i, c := range []struct {
		inserted, deleted int64
		told, off         bool
	}{
		{100, 0, false, false},
		{100_000, 0, false, false},
		{100_000, 10_000, true, true},
		{100_000, 20_000, false, true},
		{200_000, 180_000, true, false},
		{500_000, 0, true, true},
		{10, 10, false, true},
		{10, 10, false, true},
		{10, 10, true, false},
	} {
		if told := p.add(c.inserted, c.deleted); told != c.told || p.off != c.off {
			t.Errorf("commit %d: told %v, off %v", i, told, p.off)
		}
	}
}

// TestVacuumSetting: DuckDB is told.
func TestVacuumSetting(t *testing.T) {
	table := wideTable(t)
	h := newHarness(t, table)
	h.want("SELECT current_setting('max_vacuum_tasks')", "100")
	h.Prepare(wideRows(table, insert, 0, 150_000, 1)...)
	h.Commit()
	h.want("SELECT current_setting('max_vacuum_tasks')", "0")
	for range 2 {
		h.Prepare(wideRows(table, update, 0, 10, 1)...)
		h.Commit()
	}
	h.want("SELECT current_setting('max_vacuum_tasks')", "100")
}
