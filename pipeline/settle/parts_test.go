package settle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// divided settles epochs with parts and goroutines of its own.
type divided struct {
	t       *testing.T
	options Options
	s       *Settler
}

func newDivided(t *testing.T, retention int64) *divided {
	space := func() State { return State{pipelinetest.NewKeyspace(), pipelinetest.NewKeyspace()} }
	d := &divided{t: t, options: Options{Node: "n", Sources: []string{"s"}, Tables: []Table{{wide, "wide"}}, Retention: retention, State: space()}}
	for _, p := range []PolicyTable{
		{Policy: pipeline.Policy{OnDelete: pipeline.Flag}, ExtraKey: []string{"a", "c"}},
		{Policy: pipeline.Policy{Merge: pipeline.LatestNonNull}},
		{Policy: pipeline.Policy{Merge: pipeline.First, OnDelete: pipeline.Keep}},
	} {
		p.Table, p.StateName, p.State = wide, "wide", space()
		d.options.Policies = append(d.options.Policies, p)
	}
	d.open()
	return d
}

func (d *divided) check(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// open opens the Settler as after a restart.
func (d *divided) open() {
	var err error
	if d.s != nil {
		d.options.Saved, err = d.s.Save()
		d.check(err)
		for i := range d.options.Policies {
			d.options.Policies[i].Saved = d.options.Saved.Policies[i]
		}
	}
	d.s, err = New(d.options)
	d.check(err)
	d.s.small()
	for _, p := range d.s.policies {
		p.inlineBytes, p.scannedChanges = 150, 3
	}
}

// epoch settles changes in batches of a size, and returns all that comes of them as texts.
func (d *divided) epoch(runner *exchange.Runner, header *pipeline.EpochHeader, parts []part, size int) (lines []string) {
	d.s.Begin(header)
	ordinal := int64(0)
	for some := range slices.Chunk(parts, size) {
		b := partsOf(some)
		d.check(d.s.add(b, ordinal))
		ordinal += int64(len(some))
		b.Release()
	}
	r, err := d.s.Settle(runner)
	d.check(err)
	var last *SettledRows
	for _, rows := range r.Rows {
		if last != nil && last.Output == rows.Output && !last.Keys[len(last.Keys)-1].Less(rows.Keys[0]) {
			d.t.Errorf("a part of output %d begins with key %x, after %x", rows.Output, rows.Keys[0], last.Keys[len(last.Keys)-1])
		}
		if !slices.IsSortedFunc(rows.Keys, pipeline.Hash.Compare) {
			d.t.Errorf("the keys of output %d are not sorted", rows.Output)
		}
		last = rows
		for i := range rows.Rows {
			lines = append(lines, fmt.Sprintf("%d %x %v %q %+v", rows.Output, rows.Keys[i], rows.Ops[i], rows.Rows[i], rows.Versions[i]))
		}
	}
	for _, l := range r.DeadLetters {
		lines = append(lines, fmt.Sprintf("%q %v %s", l.Record, l.Pos, l.Message))
	}
	lines = append(lines, fmt.Sprint(r.Rejected, r.Reread, r.Missing))
	d.s.Release()
	return lines
}

// entries returns all that is in the state.
func (d *divided) entries() (lines []string) {
	states := []State{d.options.State}
	for _, p := range d.options.Policies {
		states = append(states, p.State)
	}
	for i, s := range states {
		for k, space := range []*pipelinetest.Keyspace{s.Items.(*pipelinetest.Keyspace), s.Keys.(*pipelinetest.Keyspace)} {
			d.check(space.Range(pipeline.Hash{}, pipeline.Hash{}, func(h pipeline.Hash, v []byte) error {
				lines = append(lines, fmt.Sprintf("%d %d %x %x", i, k, h, v))
				return nil
			}))
		}
	}
	return lines
}

// TestPartsDoNotShow: rows, their keys, order and versions, dead letters, and what is in the
// state are the same for any number of parts and goroutines, and any order of messages.
func TestPartsDoNotShow(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	rejected, missing := false, false
	for n := 0; n < 6 || n < 50 && !(rejected && missing); n++ {
		retention := int64(1 << 40)
		if n%2 == 0 {
			retention = 60 // what is swept depends on the parts, and with it the state
		}
		all := []*divided{newDivided(t, retention), newDivided(t, retention), newDivided(t, retention)}
		at, seen := int64(1000), map[string]bool{}
		for range 3 + r.IntN(6) {
			items := []int{3, 12, 1000, 1000}[r.IntN(4)]
			late := int64(r.IntN(2) * 150)
			parts := drawParts(r, seen, at-late, 1+r.IntN(120), items, r.IntN(6))
			at += int64(r.IntN(60))
			header := readSoFar("s")
			if r.IntN(5) == 0 {
				parts = nil
				header.Sources["s"] = pipeline.SourceProgress{State: pipeline.SourceEnded, SnapshotEnd: &pipeline.SnapshotEnd{Time: at - 20, Parts: 1}}
			}
			size, restart := 1+r.IntN(50), r.IntN(3) == 0
			var want, wantState []string
			for i, d := range all {
				runner := &exchange.Runner{Workers: 1, ForceParts: 1}
				if i > 0 {
					runner = runnerOf(r.Uint64())
				}
				got, state := d.epoch(runner, header, parts, size), d.entries()
				if i == 0 {
					want, wantState = got, state
				}
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Fatalf("seed %d: with %+v:\n%s", seed, runner, diff)
				}
				if diff := gocmp.Diff(wantState, state); diff != "" && n%2 > 0 {
					t.Fatalf("seed %d: with %+v, the state:\n%s", seed, runner, diff)
				}
				if restart {
					d.open()
				}
			}
			end := want[len(want)-1]
			rejected, missing = rejected || end[:2] != "[]", missing || end[len(end)-1] != '0'
		}
	}
	if !rejected || !missing {
		t.Errorf("seed %d: changes were rejected: %v; items were missing in snapshots: %v", seed, rejected, missing)
	}
}

// TestExtraKeyOfNull: a column that tells rows apart besides the key does so where it is null,
// too: that is no empty text.
func TestExtraKeyOfNull(t *testing.T) {
	d := newDivided(t, 1<<40)
	runner := &exchange.Runner{Workers: 1}
	flagged := func(time int64, a string) (ops []pipeline.Op, keys []pipeline.Hash) {
		d.s.Begin(readSoFar("s"))
		b := partsOf([]part{{time: time, row: `{"k":1,"a":` + a + `,"b":1,"c":2}`}})
		defer b.Release()
		d.check(d.s.add(b, 0))
		r, err := d.s.Settle(runner)
		d.check(err)
		for _, rows := range r.Rows {
			if rows.Output == 1 {
				ops, keys = append(ops, rows.Ops...), append(keys, rows.Keys...)
			}
		}
		return ops, keys
	}
	flagged(1, `null`)
	ops, keys := flagged(2, `""`)
	if len(ops) != 2 || keys[0] == keys[1] || keys[0].KeyGroup() != keys[1].KeyGroup() {
		t.Errorf("null has become an empty text, and the operations are %v of rows %x", ops, keys)
	}
}
