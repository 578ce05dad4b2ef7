package star

import (
	"iter"

	"github.com/starlift-etl/starlift/pipeline"
)

// What an entry of an epoch refers to (a row of the state, another entry, a slot of a hash
// table) is anywhere in memory, and a loop that followed the references of one entry after
// the other would wait for the memory each time. So the long loops of this package read
// ahead: they go over their entries in batches, first read one word of all that a batch
// refers to, so that the waits overlap, and then do the work of the batch. The words are
// added to a field prefetchSum, whose value nothing needs: the compiler would leave out a read
// whose result is not used.

// prefetchKeys is the number of entries of a batch.
const prefetchKeys = 32

// batches yields the bounds of the batches of n entries.
func batches(n int) iter.Seq2[int, int] {
	return func(yield func(from, to int) bool) {
		for from := 0; from < n; from += prefetchKeys {
			if !yield(from, min(from+prefetchKeys, n)) {
				return
			}
		}
	}
}

// keysOf appends the keys of a batch of entries to keys, but for those that are left out.
func keysOf[T any](keys []pipeline.Hash, batch []T, key func(*T) (h pipeline.Hash, wanted bool)) []pipeline.Hash {
	for i := range batch {
		if h, wanted := key(&batch[i]); wanted {
			keys = append(keys, h)
		}
	}
	return keys
}
