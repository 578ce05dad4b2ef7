package jobs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/engine"
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

// inheritTTLDeletes gives the tables of a transform what its sources say.
func (a *assembly) inheritTTLDeletes(c *spec.NodeConfig) {
	tables, ok := c.Config.(ttlTables)
	if !ok {
		return
	}
	var fates, said []string
	for _, in := range c.Inputs {
		for _, name := range a.sourcesOf(in.Node) {
			i := slices.IndexFunc(a.config.Sources, func(s engine.SourceNode) bool { return s.Name == name })
			if i < 0 {
				continue
			}
			s, ok := a.config.Sources[i].Source.(ttlSource)
			if !ok || s.TTLDeletes() == "" {
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
		a.file.Report("transforms", c.Name, fmt.Errorf("its sources say different things of ttl_deletes (%s), and a row may come from either: give each table one of its own",
			strings.Join(said, ", ")))
	}
}
