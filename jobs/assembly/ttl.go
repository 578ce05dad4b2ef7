package assembly

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// ttlSource is a source with ttl_deletes: what becomes of the rows of items that DynamoDB's
// time to live removes.
type ttlSource interface {
	// TTLDeletes returns the value in the file; empty = none.
	TTLDeletes() string
}

// ttlTables is the configuration of a transform whose tables inherit ttl_deletes of the source,
// unless they have their own.
type ttlTables interface {
	// InheritTTLDeletes sets the value of the tables without one, and reports whether there
	// are any.
	InheritTTLDeletes(value string) bool
}

// inheritTTLDeletes sets ttl_deletes of the tables of a transform to that of the sources that
// it reads. Sources that differ are a mistake.
func (p *Pipeline) inheritTTLDeletes(sources []graph.SourceDeclaration, c *spec.NodeConfig, read []string) {
	tables, ok := c.Config.(ttlTables)
	if !ok {
		return
	}
	var values, texts []string
	for _, name := range read {
		for _, d := range sources {
			s, ok := d.Source.(ttlSource)
			if d.Name != name || !ok || s.TTLDeletes() == "" {
				continue
			}
			texts = append(texts, fmt.Sprintf("%s says %s", name, s.TTLDeletes()))
			if !slices.Contains(values, s.TTLDeletes()) {
				values = append(values, s.TTLDeletes())
			}
		}
	}
	switch {
	case len(values) == 1:
		tables.InheritTTLDeletes(values[0])
	case len(values) > 1 && tables.InheritTTLDeletes(values[0]):
		p.File.Report("transforms", c.Name, fmt.Errorf("its sources say different things of ttl_deletes (%s), and a row may come from either: give each table one of its own",
			strings.Join(texts, ", ")))
	}
}
