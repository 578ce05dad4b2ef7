package jobs

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
)

// masker is a transform of changes with columns that may be masked.
type masker interface {
	Masked() []decode.Path
	Mask(paths []decode.Path)
}

// shareMasks hides an attribute that one transform masks in all that read the same
// items. It comes before what reads their rows: a masked column is one of its table.
func (a *assembly) shareMasks() {
	masked := make([][]decode.Path, len(a.config.Transforms))
	for i, t := range a.config.Transforms {
		if m, ok := t.Transform.(masker); ok {
			masked[i] = m.Masked()
		}
	}
	for i, t := range a.config.Transforms {
		m, ok := t.Transform.(masker)
		for k, other := range a.config.Transforms {
			if ok && k != i && len(masked[k]) > 0 && a.sameItems(t.Inputs, other.Inputs) {
				m.Mask(masked[k])
			}
		}
	}
}

// sameItems reports whether some of the sources are of one logical table.
func (a *assembly) sameItems(some, others []string) bool {
	return slices.ContainsFunc(some, func(x string) bool {
		return slices.ContainsFunc(others, func(y string) bool { return x == y || a.tableOf(x) != "" && a.tableOf(x) == a.tableOf(y) })
	})
}

// tableOf returns the name of the logical table that a source names; empty = none.
func (a *assembly) tableOf(source string) string {
	for _, s := range a.config.Sources {
		if r, ok := s.Source.(pipeline.Replayable); ok && s.Name == source {
			return r.Format().Table
		}
	}
	return ""
}
