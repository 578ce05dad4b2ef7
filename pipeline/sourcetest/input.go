package sourcetest

import (
	"math/rand/v2"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// Input is what sources under test read.
type Input interface {
	// Source returns a new source, as a new process makes it.
	Source(t testing.TB) pipeline.Source
	// Want returns all that the input holds or ever held.
	Want() []Partition
}

// Partition is what an Input knows of one.
type Partition struct {
	Name    string   // as people call it
	Parents []string // whose records come before its own
	Records []string // in order; no two of an Input are the same
}

// Grower is an Input of a source without end: it gets more, in partitions that are there
// or appear, and some may end. It ends all that waits for more when there is nothing to
// come.
type Grower interface {
	Grow(r *rand.Rand)
}

// Trimmer is an Input that can lose what was not read.
type Trimmer interface {
	// Trim takes out some records behind those that were read, and returns them; a gap has
	// to be told of whoever read them in part.
	Trim(t testing.TB, read map[string]int) (lost []string)
}
