package engine

import (
	"cmp"
	"slices"
	"time"
)

// warnAgain is how long nobody is told of dead letters of a node and reason
// after they were told.
const warnAgain = time.Hour

// warnings says which dead letters are worth a line of the log: the first of a
// node and reason, and the next after a while. The committer owns it.
type warnings struct {
	told   map[LetterKind]time.Time
	untold map[LetterKind]int64 // since they were told
}

// of returns, for each node and reason of an epoch of which people are to be told, how
// many dead letters there are since they were last told, with the first of the epoch.
func (w *warnings) of(t *tally) []letterCount {
	if len(t.dead) == 0 {
		return nil
	}
	if w.told == nil {
		w.told, w.untold = map[LetterKind]time.Time{}, map[LetterKind]int64{}
	}
	var tell []letterCount
	for kind, n := range t.dead {
		w.untold[kind] += n
		if at, known := w.told[kind]; known && since(at) < warnAgain {
			continue
		}
		c := t.first[kind]
		c.N = w.untold[kind]
		w.told[kind], w.untold[kind] = now(), 0
		tell = append(tell, c)
	}
	slices.SortFunc(tell, func(x, y letterCount) int {
		return cmp.Or(cmp.Compare(x.Node, y.Node), cmp.Compare(x.Reason, y.Reason))
	})
	return tell
}
