package exchange

import (
	"math/bits"

	"github.com/starlift-etl/starlift/pipeline"
)

// Parts is the number of parts that the key groups are divided into for an epoch, from 1 to
// pipeline.KeyGroups. Each is a range of key groups, and all are about as large.
type Parts int

// PartsFor returns the number of parts for an epoch with so many messages.
func PartsFor(r pipeline.Runner, messages int) Parts { return Parts(r.Parts(messages)) }

// messagesPerPart is the number of messages from which a part is worth a goroutine's turn: a
// phase takes some 300 ns for each, and a few µs for a part (BenchmarkExchange).
const messagesPerPart = 256

// partsBySize returns the number of parts that so many messages are worth: a power of two,
// so that all parts have as many key groups.
func partsBySize(messages int) int {
	n := min(messages/messagesPerPart, pipeline.KeyGroups)
	if n < 2 {
		return 1
	}
	return 1 << (bits.Len(uint(n)) - 1)
}

// Of returns the part that a hash lies in.
func (n Parts) Of(h pipeline.Hash) int { return h.KeyGroup() * int(n) / pipeline.KeyGroups }

// Range returns the key groups of a part.
func (n Parts) Range(part int) pipeline.KeyGroupRange {
	return pipeline.KeyGroupRange{First: n.first(part), End: n.first(part + 1)}
}

// first returns the first key group that Of puts into the part.
func (n Parts) first(part int) int { return (part*pipeline.KeyGroups + int(n) - 1) / int(n) }
