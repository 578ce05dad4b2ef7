package exchange

import (
	"bytes"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// Inbox is the memory in which one goroutine receives messages. Its zero value is ready, and
// it is worth keeping: what it needed for one part is there for the next.
type Inbox struct {
	read, sorted []pipeline.Message
	sorter       byhash.Sorter
}

// begin makes room for n messages.
func (in *Inbox) begin(n int) {
	in.read = slices.Grow(in.read[:0], n)
	in.sorted = slices.Grow(reuse.Emptied(in.sorted), n)
}

// sort returns the messages in order of their hashes, and of their bytes where those are equal.
func (in *Inbox) sort() []pipeline.Message {
	first := 0 // of those at the end that have one hash
	for _, e := range in.sorter.Sort(len(in.read), func(i int32) pipeline.Hash { return in.read[i].To }) {
		if n := len(in.sorted); n > 0 && in.sorted[n-1].To != e.Hash {
			sortBodies(in.sorted[first:])
			first = n
		}
		in.sorted = append(in.sorted, in.read[e.Index])
	}
	sortBodies(in.sorted[first:])
	in.read = reuse.Emptied(in.read)
	return in.sorted
}

func sortBodies(messages []pipeline.Message) {
	if len(messages) > 1 {
		slices.SortFunc(messages, func(a, b pipeline.Message) int { return bytes.Compare(a.Body, b.Body) })
	}
}
