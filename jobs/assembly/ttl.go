package assembly

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// ttlSource is a source that may say what becomes of the rows of items that TTL
// removes.
type ttlSource interface {
	// TTLDeletes returns it as the file has it; empty = the source says nothing.
	TTLDeletes() string
}

// ttlTables is the configuration of a transform whose tables follow the source
// where they do not say themselves what becomes of such rows.
type ttlTables interface {
	// InheritTTLDeletes gives it to those tables, and reports whether there are any.
	InheritTTLDeletes(fate string) bool
}

// inheritTTLDeletes gives the tables of a transform what the sources that it reads say.
func (a *Pipeline) inheritTTLDeletes(sources []graph.SourceDeclaration, c *spec.NodeConfig, read []string) {
	tables, ok := c.Config.(ttlTables)
	if !ok {
		return
	}
	var fates, said []string
	for _, name := range read {
		for _, d := range sources {
			s, ok := d.Source.(ttlSource)
			if d.Name != name || !ok || s.TTLDeletes() == "" {
				continue
			}
			said = append(said, fmt.Sprintf("%s says %s", name, s.TTLDeletes()))
			if !slices.Contains(fates, s.TTLDeletes()) {
				fates = append(fates, s.TTLDeletes())
			}
		}
	}
	switch {
	case len(fates) == 1:
		tables.InheritTTLDeletes(fates[0])
	case len(fates) > 1 && tables.InheritTTLDeletes(fates[0]):
		a.File.Report("transforms", c.Name, fmt.Errorf("its sources say different things of ttl_deletes (%s), and a row may come from either: give each table one of its own",
			strings.Join(said, ", ")))
	}
}
