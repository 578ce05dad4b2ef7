package assembly

import (
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/jobs/usage"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
)

// ReplaceSources puts other sources in the place of the named ones, or, without names, of all that
// have one, and removes the rest, as BoundedOnly does. replace returns the source to run; false = the kind of
// this one has none. what is the flag, for messages.
func (p *Pipeline) ReplaceSources(names []string, what string, replace func(pipeline.Source) (pipeline.Source, bool, error)) error {
	var sources []graph.SourceNode
	for _, s := range p.Config.Sources {
		named := slices.Contains(names, s.Name)
		if !named && len(names) > 0 {
			continue
		}
		other, ok, err := replace(s.Source)
		switch {
		case err != nil:
			p.File.Report("sources", s.Name, err)
		case ok:
			s.Source = other
			sources = append(sources, s)
		case named:
			return usage.Wrap(fmt.Errorf("%s --source %q: a source of this type can't do that", what, s.Name))
		}
	}
	if err := p.File.Err(); err != nil {
		return usage.Wrap(err)
	}
	for _, n := range names {
		if !slices.ContainsFunc(p.Config.Sources, func(s graph.SourceNode) bool { return s.Name == n }) {
			return usage.Wrap(fmt.Errorf("--source %q: the pipeline file has no such source", n))
		}
	}
	if len(sources) == 0 {
		return usage.Wrap(fmt.Errorf("%s: the pipeline file has no source that can do that: --repair takes one of type dynamodb, --request-export one of type dynamodb_export or dynamodb", what))
	}
	return p.only(sources)
}

// WithRequestedExports lets the named sources, or all that can, ask DynamoDB for an export and read that.
func (p *Pipeline) WithRequestedExports(names []string) error {
	return p.ReplaceSources(names, "--request-export", func(s pipeline.Source) (pipeline.Source, bool, error) {
		asks, ok := s.(pipeline.ExportRequester)
		if !ok {
			return nil, false, nil
		}
		other, err := asks.WithRequestedExport()
		return other, true, err
	})
}

// WithRepairs lets the named sources, or all that can, read an export of their table again, to mend
// what a gap has left.
func (p *Pipeline) WithRepairs(names []string) error {
	return p.ReplaceSources(names, "--repair", func(s pipeline.Source) (pipeline.Source, bool, error) {
		repairs, ok := s.(pipeline.Repairer)
		if !ok {
			return nil, false, nil
		}
		other, err := repairs.WithRepair()
		return other, true, err
	})
}

// only leaves these bounded sources.
func (p *Pipeline) only(sources []graph.SourceNode) error {
	plan, err := p.Config.With(func(n *graph.Nodes) { n.Sources = sources })
	if err != nil {
		return err
	}
	p.Config.Plan, p.Config.Bounded = plan, true
	p.setInbox()
	return nil
}
