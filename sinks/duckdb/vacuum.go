//go:build cgo

package duckdb

import "fmt"

// vacuumPace says whether a checkpoint merges row groups that are not full, which reads and
// compresses their rows again. While many rows come and few go, there is little to merge and much
// to compress; small epochs leave small row groups behind, and rows that go leave holes. It
// halves what it knows with each commit, so that the last ones decide.
type vacuumPace struct {
	inserted, deleted int64 // rows
	off               bool
}

const (
	// rowGroupRows is how many rows DuckDB has in a row group.
	rowGroupRows = 122_880
	// vacuumTasks is how many merges a checkpoint makes at most, of itself.
	vacuumTasks = 100
)

// add counts a commit's rows, and reports whether DuckDB has to be told something else.
func (p *vacuumPace) add(inserted, deleted int64) bool {
	p.inserted, p.deleted = p.inserted/2+inserted, p.deleted/2+deleted
	was := p.off
	p.off = p.inserted >= rowGroupRows && p.deleted <= p.inserted/2
	return p.off != was
}

// statement tells it.
func (p *vacuumPace) statement() string {
	tasks := vacuumTasks
	if p.off {
		tasks = 0
	}
	return fmt.Sprintf("SET max_vacuum_tasks = %d", tasks)
}
