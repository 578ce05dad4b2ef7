package settle

import (
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/overflow"
)

// sweepEntriesMax returns the number of entries that an epoch checks for expired ones: some
// for each change, and more for each that may leave a tombstone, so that tombstones do not
// outgrow the rest of the state.
func sweepEntriesMax(changes, deletions int) int { return 64 + changes/4 + 4*deletions }

// sweep drops values that have expired, looking at some entries from a key on, and
// returns where to go on.
func sweep(entries Keyspace, long *overflow.Values, at pipeline.Hash, limit int,
	expired func(key pipeline.Hash, value []byte) bool, drop func(key pipeline.Hash, entry []byte) error,
) (next pipeline.Hash, err error) {
	var gone []pipeline.Hash
	next, end, err := entries.Scan(at, limit, func(h pipeline.Hash, v []byte) {
		if v[0] == overflow.Head || v[0] < overflow.Head && expired(h, v) { // of a long one, its pages tell
			gone = append(gone, h)
		}
	})
	if err != nil {
		return at, fmt.Errorf("sweeping tombstones: %w", err)
	}
	if end {
		next = pipeline.Hash{}
	}
	values := make([][]byte, len(gone))
	if err := entries.Lookup(gone, values); err != nil {
		return at, err
	}
	for i, h := range gone {
		if values[i] == nil {
			continue
		}
		value, err := long.Whole(h, values[i])
		if err != nil {
			return at, err
		}
		if !expired(h, value) {
			continue
		}
		if err := drop(h, values[i]); err != nil {
			return at, err
		}
	}
	return next, nil
}
