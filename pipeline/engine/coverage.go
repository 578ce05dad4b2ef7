package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// coverageRecordsMin is how many records a path has to be looked for in before it is said
// that it leads to nothing; at the end of bounded sources any number is enough.
const coverageRecordsMin = 1000

// pathCount is what is known of a path.
type pathCount struct {
	Found   bool   `json:"found,omitempty"`
	Records int64  `json:"records,omitempty"` // without it
	Near    string `json:"near,omitempty"`
	// Reported says that the path was looked for in so many records, or to the end of the
	// sources, that people are told.
	Reported bool `json:"told,omitempty"`

	recent bool // it was looked for in this process
}

// coverage says of each path of the transforms whether it was found. It is saved
// with each epoch, so that a restart does not forget what was found before it.
// The epoch builder owns it.
type coverage struct {
	paths  map[string][]pipeline.PathUse // by transform
	counts map[string][]pathCount        // by transform, as in paths
}

// pathName names a path in the checkpoint.
func pathName(p *pipeline.PathUse) string {
	return p.Table + "/" + string(p.Scope) + "/" + p.Path
}

// restoreCoverage returns what a checkpoint knows of the paths of today's
// transforms; others are forgotten.
func restoreCoverage(transforms []graph.ChangeNode, raw json.RawMessage) (*coverage, error) {
	saved := map[string]map[string]pathCount{}
	if raw != nil {
		if err := json.Unmarshal(raw, &saved); err != nil {
			return nil, fmt.Errorf("coverage of the paths in the checkpoint: %w", err)
		}
	}
	c := &coverage{map[string][]pipeline.PathUse{}, map[string][]pathCount{}}
	for _, n := range transforms {
		covering, ok := n.Transform.(pipeline.PathReporter)
		if !ok {
			continue
		}
		paths := covering.Paths()
		counts := make([]pathCount, len(paths))
		for i := range paths {
			counts[i] = saved[n.Name][pathName(&paths[i])]
		}
		c.paths[n.Name], c.counts[n.Name] = paths, counts
	}
	return c, nil
}

// restart forgets what is known of the transforms that read one of the sources.
func (c *coverage) restart(transforms []graph.ChangeNode, sources []string) {
	for _, n := range transforms {
		if slices.ContainsFunc(n.Sources, func(in string) bool { return slices.Contains(sources, in) }) {
			clear(c.counts[n.Name])
		}
	}
}

// add adds the counts of a batch. Replayed dead letters don't count as records, but what is
// found in them is found.
func (c *coverage) add(transform string, b *pipeline.Batch) {
	counts := c.counts[transform]
	for _, more := range b.Coverage {
		n := &counts[more.Path]
		switch {
		case more.Found:
			*n = pathCount{Found: true}
		case !n.Found && b.Records.Replays == nil:
			n.Records, n.recent = n.Records+more.Records, true
			n.Near = cmp.Or(n.Near, more.Near)
		}
	}
}

// save decides which paths are reported, and returns what the checkpoint keeps of all.
func (c *coverage) save(last bool) (json.RawMessage, error) {
	saved := map[string]map[string]pathCount{}
	for node, paths := range c.paths {
		saved[node] = map[string]pathCount{}
		for i := range paths {
			n := &c.counts[node][i]
			if enough := n.Records >= coverageRecordsMin && paths[i].Path != ""; n.Records > 0 && n.recent && (last || enough) {
				n.Reported = true
			}
			if n.Found || n.Records > 0 {
				saved[node][pathName(&paths[i])] = *n
			}
		}
	}
	return json.Marshal(saved)
}

// unmatched lists the reported paths, in a fixed order.
func (c *coverage) unmatched() (all []telemetry.UnmatchedPath) {
	for node, paths := range c.paths {
		for i, p := range paths {
			if n := &c.counts[node][i]; n.Reported {
				all = append(all, telemetry.UnmatchedPath{Node: node, Table: p.Table, Path: p.Path, Use: p.Use, Records: n.Records, Near: n.Near, Recent: n.recent})
			}
		}
	}
	slices.SortFunc(all, func(x, y telemetry.UnmatchedPath) int {
		return cmp.Or(cmp.Compare(x.Node, y.Node), cmp.Compare(x.Table, y.Table), cmp.Compare(x.Path, y.Path), cmp.Compare(x.Use, y.Use))
	})
	return all
}

// Unmatched lists the paths of the transforms that a checkpoint knows to match
// nothing.
func Unmatched(transforms []graph.ChangeNode, cp *state.Checkpoint) ([]telemetry.UnmatchedPath, error) {
	c, err := restoreCoverage(transforms, cp.Coverage)
	if err != nil {
		return nil, err
	}
	return c.unmatched(), nil
}
