package engine

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
)

// rememberingSource keeps the number of its readings in a cursor of its own.
type rememberingSource struct {
	*memorySource
	opened []map[string][]byte
}

var _ pipeline.Rewinder = (*rememberingSource)(nil)

func (s *rememberingSource) Rewind(cursors map[string][]byte) (map[string][]byte, error) {
	n, _ := strconv.Atoi(string(cursors["readings"])) // none = 0
	return map[string][]byte{"p": []byte("0"), "readings": strconv.AppendInt(nil, int64(n+1), 10)}, nil
}

func (s *rememberingSource) Open(ctx context.Context, o pipeline.SourceOptions) error {
	s.opened = append(s.opened, maps.Clone(o.Cursors))
	return s.memorySource.Open(ctx, o)
}

func (s *rememberingSource) Committed(context.Context, map[string][]byte) error { return nil }

// TestRewinder: what a source keeps of a reading is saved with the first epoch of
// the next one, and not before.
func TestRewinder(t *testing.T) {
	w := newWorld(t.TempDir(), someChanges(14))
	s := &rememberingSource{memorySource: w.source}
	crashAt := int64(-1)
	run := func() error {
		c := w.config()
		c.FromStart = true
		c.edit(func(n *graph.Nodes) { n.Sources[0].Source = s })
		c.Hook = func(step Step, epoch int64) error {
			if step == StepSave && epoch == crashAt {
				return errCrash
			}
			return nil
		}
		err := Run(context.Background(), context.Background(), c)
		return err
	}
	if err := run(); err != nil {
		t.Fatal(err)
	}
	for _, crashAt = range []int64{5, 6} { // before and after the first epoch of the second reading is saved
		if err := run(); !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
	}
	crashAt = -1
	for range 2 {
		if err := run(); err != nil {
			t.Fatal(err)
		}
	}
	got := make([][2]string, len(s.opened))
	for i, cursors := range s.opened {
		got[i] = [2]string{string(cursors["p"]), string(cursors["readings"])}
	}
	want := [][2]string{{"", ""}, {"0", "1"}, {"0", "1"}, {"4", "1"}, {"0", "2"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("cursors that it was opened at (-want +got):\n%s", d)
	}
}
