package telemetry

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// warningInterval is how long nobody is told of dead letters of a node and reason
// after they were told.
const warningInterval = time.Hour

// letterWarnings says which dead letters are worth a line of the log: the first of
// a node and reason, and the next after a while.
type letterWarnings struct {
	mu     sync.Mutex
	told   map[LetterKind]time.Time
	untold map[LetterKind]int64 // since they were told
}

// letterWarning says how many dead letters of a kind there are since people were
// last told, with the first of the epoch.
type letterWarning struct {
	kind    LetterKind
	records int64
	example Example
}

// warn returns what people are to be told of an epoch.
func (w *letterWarnings) warn(t *Tally, c clock) []letterWarning {
	if len(t.DeadLetters) == 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.told == nil {
		w.told, w.untold = map[LetterKind]time.Time{}, map[LetterKind]int64{}
	}
	var tell []letterWarning
	for kind, n := range t.DeadLetters {
		w.untold[kind] += n
		if at, known := w.told[kind]; known && c.since(at) < warningInterval {
			continue
		}
		tell = append(tell, letterWarning{kind, w.untold[kind], t.Examples[kind]})
		w.told[kind], w.untold[kind] = c(), 0
	}
	slices.SortFunc(tell, func(x, y letterWarning) int {
		return cmp.Or(cmp.Compare(x.kind.Node, y.kind.Node), cmp.Compare(x.kind.Reason, y.kind.Reason))
	})
	return tell
}
