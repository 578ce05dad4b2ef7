package dynamodb

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

// What stands before the names of the partitions of the two sources.
const (
	streamPrefix   = "stream/"
	snapshotPrefix = "snapshot/"
)

// within returns the cursors of one of the two sources, by its own names of the partitions.
func within(prefix string, cursors map[string][]byte) map[string][]byte {
	own := map[string][]byte{}
	for name, raw := range cursors {
		if inner, ok := strings.CutPrefix(name, prefix); ok {
			own[inner] = raw
		}
	}
	return own
}

func prefixed(prefix string, names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = prefix + name
	}
	return all
}

// router makes records of the source of those of the two that it is made of. Read owns it.
type router struct {
	source string
	// holds says that the snapshot is not committed, and unread how many partitions the stream has
	// that were not read.
	holds  bool
	unread int
	// snapshot are the partitions of the snapshot that have a cursor, by their names here.
	snapshot map[string]bool
}

func newRouter(source string, holds bool, cursors map[string][]byte) *router {
	t := &router{source: source, holds: holds, snapshot: map[string]bool{}}
	for name := range cursors {
		if strings.HasPrefix(name, snapshotPrefix) {
			t.snapshot[name] = true
		}
	}
	return t
}

// take returns records of one of the two sources as the source gives them.
func (t *router) take(prefix string, in *pipeline.Records) *pipeline.Records {
	r := *in
	r.Source = t.source
	if in.Len() > 0 {
		r.Partition, r.DisplayName = prefix+in.Partition, cmp.Or(in.DisplayName, in.Partition)
	}
	r.Positions = make(map[string][]byte, len(in.Positions))
	for name, raw := range in.Positions {
		r.Positions[prefix+name] = raw
	}
	r.Dropped = prefixed(prefix, in.Dropped)
	if prefix == snapshotPrefix {
		for name := range r.Positions {
			t.snapshot[name] = true
		}
		if in.Len() > 0 {
			t.snapshot[r.Partition] = true
		}
		for _, name := range r.Dropped {
			delete(t.snapshot, name)
		}
		r.Progress = nil // of what ends nobody asks how far behind it is
	}
	if in.Progress != nil && prefix == streamPrefix {
		t.unread = in.Progress.Unread
		r.Progress = &pipeline.Progress{CaughtUp: prefixed(prefix, in.Progress.CaughtUp), Behind: prefixed(prefix, in.Progress.Behind), Unread: t.unread}
	}
	return t.hold(&r)
}

// hold says, with whatever is handed over, that something was not read, as long as the snapshot is
// not committed: the engine knows nothing of an earlier process.
func (t *router) hold(r *pipeline.Records) *pipeline.Records {
	if !t.holds {
		return r
	}
	p := pipeline.Progress{Unread: t.unread}
	if r.Progress != nil {
		p = *r.Progress
	}
	p.Unread++
	r.Progress = &p
	return r
}

// position returns records that save the phase, and nothing else.
func (t *router) position(raw []byte) *pipeline.Records {
	return &pipeline.Records{Source: t.source, Format: &pipeline.Format{}, Positions: map[string][]byte{phasePartition: raw}, SaveNow: true}
}

// end adds to records that save the phase that the snapshot is done: its cursors are dropped, and
// nothing is held behind them, unless another snapshot follows.
func (t *router) end(r *pipeline.Records, another bool) *pipeline.Records {
	r.Dropped = append(r.Dropped, slices.Sorted(maps.Keys(t.snapshot))...)
	t.snapshot, t.holds = map[string]bool{}, another
	r.Progress = &pipeline.Progress{Unread: t.unread}
	return t.hold(r)
}
