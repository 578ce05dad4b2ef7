package assembly

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/graph"
)

// hider is a node whose messages may have values of items.
type hider interface {
	// Mask masks what reads these attributes.
	Mask(paths []decode.Path)
}

// masker is a transform of changes with columns that may be masked.
type masker interface {
	hider
	// Masked returns the attributes that its masked columns read.
	Masked() []decode.Path
}

// shareMasks lets all transforms of the same items, and the filters before them, mask the
// attributes that one of them masks. It is called before the transforms of their rows are built, which see the masked columns in
// the tables.
func shareMasks(sources []graph.SourceDeclaration, all []graph.ChangeNode) {
	masked := make([][]decode.Path, len(all))
	for i, t := range all {
		if m, ok := t.Transform.(masker); ok {
			masked[i] = m.Masked()
		}
	}
	for i, t := range all {
		var hiders []hider
		if m, ok := t.Transform.(hider); ok {
			hiders = append(hiders, m)
		}
		for _, filters := range t.Filters {
			for _, f := range filters {
				if m, ok := f.(hider); ok {
					hiders = append(hiders, m)
				}
			}
		}
		for k, other := range all {
			if len(masked[k]) > 0 && (k == i || sameItems(sources, t.Sources, other.Sources)) {
				for _, m := range hiders {
					m.Mask(masked[k])
				}
			}
		}
	}
}

// sameItems reports whether some of the sources are of one logical table.
func sameItems(sources []graph.SourceDeclaration, some, others []string) bool {
	tableOf := func(name string) string {
		for _, s := range sources {
			if r, ok := s.Source.(pipeline.FormatReporter); ok && s.Name == name {
				return r.Format().Table
			}
		}
		return ""
	}
	return slices.ContainsFunc(some, func(x string) bool {
		return slices.ContainsFunc(others, func(y string) bool { return x == y || tableOf(x) != "" && tableOf(x) == tableOf(y) })
	})
}
