package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// coveringTransform is a valueTransform whose paths are found in the records with
// an n of their own, or never.
type coveringTransform struct {
	valueTransform
	at []int64 // by path; 0 = nowhere
}

func (t coveringTransform) Paths() (all []pipeline.PathUse) {
	for i := range t.at {
		all = append(all, pipeline.PathUse{Table: "value", Scope: pipeline.ScopeItem, Path: fmt.Sprint("p", i), Use: "column c"})
	}
	return all
}

func (t coveringTransform) NewMapper(pipeline.Needs) pipeline.Mapper {
	return &coveringMapper{t: t, found: make([]bool, len(t.at))}
}

type coveringMapper struct {
	t     coveringTransform
	found []bool
}

func (m *coveringMapper) Map(ctx context.Context, r *pipeline.Records) (*pipeline.Batch, error) {
	b, err := m.t.Map(ctx, r)
	if err != nil {
		return nil, err
	}
	for path, at := range m.t.at {
		c := pipeline.Coverage{Path: path, Near: "q"}
		for i := 0; i < r.Len() && !m.found[path]; i++ {
			var one change
			if err := json.Unmarshal(r.Bytes(i), &one); err != nil {
				return nil, err
			}
			c.Records++
			c.Found = at > 0 && one.N == at
			m.found[path] = c.Found
		}
		if c.Records > 0 {
			b.Coverage = append(b.Coverage, c)
		}
	}
	return b, nil
}

// covering runs a pipeline over its records, at most until a step of an epoch,
// and returns what it said and what its checkpoint knows.
func covering(t *testing.T, w *world, at []int64, until Step, epoch int64) (said string, known []string) {
	t.Helper()
	var log bytes.Buffer
	c := w.config()
	observe(&c, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	c.edit(func(n *graph.Nodes) { n.Changes[0].Transform = coveringTransform{at: at} })
	c.Hook = func(s Step, e int64) error {
		if s == until && e == epoch {
			return errCrash
		}
		return nil
	}
	ctx := context.Background()
	if err := Run(ctx, ctx, c); err != nil && !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	for _, u := range recorder(&c).Health().Unmatched {
		known = append(known, u.String())
	}
	return log.String(), known
}

func growing(n int) (cs []change) {
	for i := range n {
		cs = append(cs, change{Item: "a", Time: int64(i), N: int64(i) + 101})
	}
	return cs
}

// TestUnmatchedPaths: a path that was found in no record is told at the end of the
// sources, over restarts and once in each run that looked for it; one that was
// found is not, whenever that was.
func TestUnmatchedPaths(t *testing.T) {
	at := []int64{102, 0, 109} // found in the first epoch, never, and in the third
	const line = `path p1 (column c) matched in none of %d records; did you mean q?`
	w := newWorld(t.TempDir(), growing(9))
	if said, known := covering(t, w, at, StepSave, 3); said != "" || known != nil {
		t.Errorf("before the end: %s %q", said, known)
	}
	said, known := covering(t, w, at, "", 0)
	if want := fmt.Sprintf("t.value: "+line, 9); len(known) != 1 || known[0] != want || strings.Count(said, want) != 1 || strings.Count(said, "matched") != 1 {
		t.Errorf("at the end: %s %q", said, known)
	}
	if said, known := covering(t, w, at, "", 0); said != "" || len(known) != 1 {
		t.Errorf("a run that read nothing: %s %q", said, known)
	}
	w.source.changes = growing(10)
	if said, _ := covering(t, w, at, "", 0); !strings.Contains(said, fmt.Sprintf(line, 10)) {
		t.Errorf("one record more: %s", said)
	}
	if said, known := covering(t, w, []int64{0, 111, 0}, "", 0); said != "" || len(known) != 1 {
		t.Errorf("other paths, and nothing read: %s %q", said, known)
	}
	w.source.changes = growing(11)
	if said, known := covering(t, w, []int64{0, 111, 0}, "", 0); said != "" || known != nil {
		t.Errorf("found at last: %s %q", said, known)
	}
	w.start = true
	if said, known := covering(t, w, []int64{102, 111, 0}, "", 0); len(known) != 1 || !strings.Contains(said, "path p2 (column c) matched in none of 11 records") {
		t.Errorf("read again: %s %q", said, known)
	}
}

// TestUnmatchedPathsOfFollowed: where there is no end, a thousand records tell.
func TestUnmatchedPathsOfFollowed(t *testing.T) {
	for _, n := range []int{coverageRecordsMin - 1, coverageRecordsMin} {
		w := newWorld(t.TempDir(), growing(n))
		w.source.endless, w.source.block, w.limits.Records = true, 100, 1<<30
		var log bytes.Buffer
		c := w.config()
		c.Limits.Interval = 1
		observe(&c, slog.New(slog.NewTextHandler(&log, nil)))
		c.edit(func(n *graph.Nodes) { n.Changes[0].Transform = coveringTransform{at: []int64{0, 103}} })
		stop, cancel := context.WithCancel(context.Background())
		recorder(&c).OnEpoch(func(p telemetry.Progress) {
			if p.Records == int64(n) {
				cancel()
			}
		})
		if err := Run(stop, context.Background(), c); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(log.String(), "matched in none"); got != n/coverageRecordsMin {
			t.Errorf("after %d records the log has %d lines about paths:\n%s", n, got, log.String())
		}
	}
}
