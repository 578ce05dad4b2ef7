package star

import (
	"iter"

	"github.com/starlift-etl/starlift/pipeline"
)

// What an entry of an epoch refers to (a row, a message's body, a slot of the state) is anywhere
// in memory, and a loop that followed the references of one entry after the other would wait for
// the memory each time. So the long loops of this package read ahead: they go over their entries
// in batches, first read some bytes of all that a batch refers to, so that the waits overlap, and
// then do the work of the batch. The bytes are added to scratch.sum, whose value nothing needs: the
// compiler would leave out a read whose result is not used.

// batchEntries is the number of entries of a batch.
const batchEntries = 32

// batches yields the bounds of the batches of n entries.
func batches(n int) iter.Seq2[int, int] {
	return func(yield func(from, to int) bool) {
		for from := 0; from < n; from += batchEntries {
			if !yield(from, min(from+batchEntries, n)) {
				return
			}
		}
	}
}

// readAhead reads the ends of b.
func (w *scratch) readAhead(b []byte) {
	if len(b) > 0 {
		w.sum += b[0] + b[len(b)-1]
	}
}

// readBodies reads the bodies of the next batch of messages when the first of them, at a
// place, is not read yet. It returns the place up to which they are.
func (w *scratch) readBodies(messages []pipeline.Message, at, read int) int {
	if at < read {
		return read
	}
	read = min(at+batchEntries, len(messages))
	for i := at; i < read; i++ {
		w.readAhead(messages[i].Body)
	}
	return read
}

// prefetchPuts reads where the keys of a batch of entries are that are about to be put.
func prefetchPuts[T any](w *scratch, state pipeline.Keyspace, batch []T, key func(*T) (h pipeline.Hash, wanted bool)) {
	w.batch = w.batch[:0]
	for i := range batch {
		if h, wanted := key(&batch[i]); wanted {
			w.batch = append(w.batch, h)
		}
	}
	state.Prefetch(w.batch)
}
