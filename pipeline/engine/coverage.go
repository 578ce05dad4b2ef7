package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
)

// coverageRecordsMin is how many records a path has to be looked for in before it is said
// that it leads to nothing; at the end of bounded sources any number is enough.
const coverageRecordsMin = 1000

// UnmatchedPath is a path of the pipeline file that led to nothing in all records
// that it was looked for in, or, without a Path, a table whose where took none.
type UnmatchedPath struct {
	Node    string // the transform
	Table   string
	Path    string // empty = the where as a whole
	Use     string // what reads it, for people
	Records int64  // over restarts, since it is in the pipeline file or a source is read again
	Near    string // a path of the records that is like it; empty = none is known

	recent bool // it was looked for in this process
}

// String says it for people.
func (u *UnmatchedPath) String() string {
	if u.Path == "" {
		return fmt.Sprintf("%s.%s: its where took none of %d records", u.Node, u.Table, u.Records)
	}
	text := fmt.Sprintf("%s.%s: path %s (%s) matched in none of %d records", u.Node, u.Table, u.Path, u.Use, u.Records)
	if u.Near != "" {
		text += fmt.Sprintf("; did you mean %s?", u.Near)
	}
	return text
}

// pathCount is what is known of a path.
type pathCount struct {
	Found   bool   `json:"found,omitempty"`
	Records int64  `json:"records,omitempty"` // without it
	Near    string `json:"near,omitempty"`
	// Told says that so many records, or the end of the sources, make it worth telling.
	Told bool `json:"told,omitempty"`

	recent bool // it was looked for in this process
}

// coverage knows of each path of the transforms whether it was found. It is saved
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
func restoreCoverage(transforms []TransformNode, raw json.RawMessage) (*coverage, error) {
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
func (c *coverage) restart(transforms []TransformNode, sources []string) {
	for _, n := range transforms {
		if slices.ContainsFunc(n.Inputs, func(in string) bool { return slices.Contains(sources, in) }) {
			clear(c.counts[n.Name])
		}
	}
}

// add takes what a batch says. Dead letters that are read again say what was
// found, and count as no records.
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

// save judges the paths and returns what the checkpoint keeps of them.
func (c *coverage) save(last bool) (json.RawMessage, error) {
	saved := map[string]map[string]pathCount{}
	for node, paths := range c.paths {
		saved[node] = map[string]pathCount{}
		for i := range paths {
			n := &c.counts[node][i]
			if enough := n.Records >= coverageRecordsMin && paths[i].Path != ""; n.Records > 0 && n.recent && (last || enough) {
				n.Told = true
			}
			if n.Found || n.Records > 0 {
				saved[node][pathName(&paths[i])] = *n
			}
		}
	}
	return json.Marshal(saved)
}

// unmatched lists the paths that are worth telling, in a fixed order.
func (c *coverage) unmatched() (all []UnmatchedPath) {
	for node, paths := range c.paths {
		for i, p := range paths {
			if n := &c.counts[node][i]; n.Told {
				all = append(all, UnmatchedPath{node, p.Table, p.Path, p.Use, n.Records, n.Near, n.recent})
			}
		}
	}
	slices.SortFunc(all, func(x, y UnmatchedPath) int {
		return cmp.Or(cmp.Compare(x.Node, y.Node), cmp.Compare(x.Table, y.Table), cmp.Compare(x.Path, y.Path), cmp.Compare(x.Use, y.Use))
	})
	return all
}

// Unmatched lists the paths of the transforms that a checkpoint knows to match
// nothing.
func Unmatched(transforms []TransformNode, cp *state.Checkpoint) ([]UnmatchedPath, error) {
	c, err := restoreCoverage(transforms, cp.Coverage)
	if err != nil {
		return nil, err
	}
	return c.unmatched(), nil
}

// unmatchedPaths holds what a running pipeline says of its paths.
type unmatchedPaths struct {
	mu   sync.Mutex
	now  []UnmatchedPath
	told map[string]bool // in this process
}

var unmatchedRecords = prometheus.NewDesc("starlift_unmatched_path_records",
	"Records in which a path of the pipeline file was looked for and matched in none; without a path, those of which a where took none. Gone when something matches.",
	[]string{"node", "table", "path", "use"}, nil)

// Describe implements prometheus.Collector.
func (u *unmatchedPaths) Describe(ch chan<- *prometheus.Desc) { ch <- unmatchedRecords }

// Collect implements prometheus.Collector.
func (u *unmatchedPaths) Collect(ch chan<- prometheus.Metric) {
	for _, p := range u.all() {
		ch <- prometheus.MustNewConstMetric(unmatchedRecords, prometheus.GaugeValue, float64(p.Records), p.Node, p.Table, p.Path, p.Use)
	}
}

func (u *unmatchedPaths) all() []UnmatchedPath {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.now
}

// set replaces the paths, and returns those that people have not been told of in
// this process.
func (u *unmatchedPaths) set(all []UnmatchedPath) (tell []UnmatchedPath) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.now = all
	for _, p := range all {
		name := p.Node + "/" + p.Table + "/" + p.Use + "/" + p.Path
		if u.told[name] || !p.recent {
			continue
		}
		if u.told == nil {
			u.told = map[string]bool{}
		}
		u.told[name] = true
		tell = append(tell, p)
	}
	return tell
}
