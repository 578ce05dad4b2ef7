package telemetry

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// letterReportInterval is the least time between two reports of dead letters of one node
// and reason.
const letterReportInterval = time.Hour

// letterReports says which dead letters are worth a line of the log: the first of
// a node and reason, and the next after a while.
type letterReports struct {
	mu    sync.Mutex
	last  map[LetterKind]time.Time // the last report
	since map[LetterKind]int64     // dead letters since then
}

// letterReport counts the dead letters of a kind since its last report. The example is
// the first one of the epoch.
type letterReport struct {
	kind    LetterKind
	records int64
	example Example
}

// take counts the dead letters of an epoch, and returns the reports that are written to
// the log because of them.
func (r *letterReports) take(t *Tally, c clock) []letterReport {
	if len(t.DeadLetters) == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last, r.since = map[LetterKind]time.Time{}, map[LetterKind]int64{}
	}
	var all []letterReport
	for kind, n := range t.DeadLetters {
		r.since[kind] += n
		if at, known := r.last[kind]; known && c.since(at) < letterReportInterval {
			continue
		}
		all = append(all, letterReport{kind, r.since[kind], t.Examples[kind]})
		r.last[kind], r.since[kind] = c(), 0
	}
	slices.SortFunc(all, func(x, y letterReport) int {
		return cmp.Or(cmp.Compare(x.kind.Node, y.kind.Node), cmp.Compare(x.kind.Reason, y.kind.Reason))
	})
	return all
}
