package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// listWriter notes what is written to it.
type listWriter struct {
	rows []string
	fail error
}

func (w *listWriter) Write(_ []pipeline.Change, rows *pipeline.Rows) error {
	for i := range rows.Ops {
		w.rows = append(w.rows, rows.Table.Name+" "+rows.Record.Column(0).ValueStr(i))
	}
	return w.fail
}

func (w *listWriter) Prepare(context.Context, bool) (*pipeline.Committable, error) {
	return &pipeline.Committable{}, nil
}

func (w *listWriter) Abort() {}

// TestEmitter: each sink gets the rows of the tables that it takes, in the order in which
// they were given, whatever runs side by side, and all memory is given back.
func TestEmitter(t *testing.T) {
	var tables []*pipeline.Table
	for n := range 3 {
		tables = append(tables, pipelinetest.TableOf(t, fmt.Sprint("t", n), []string{"n"}, pipelinetest.Column("n", pipeline.Int64)))
	}
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		runner := &exchange.Runner{Workers: rapid.SampledFrom([]int{1, 2, 7}).Draw(t, "workers"), ForceParts: rapid.SampledFrom([]int{1, 3}).Draw(t, "parts")}
		pool := memory.NewCheckedAllocator(memory.DefaultAllocator)
		e := &openEpoch{rows: map[string]map[string]int64{}, tally: telemetry.NewTally()}
		want := make([][]string, rapid.IntRange(0, 3).Draw(t, "sinks"))
		writers := make([]*listWriter, len(want))
		for i := range want {
			mode := []pipeline.Mode{pipeline.Settled, pipeline.Log}[r.IntN(2)]
			e.sinks = append(e.sinks, graph.SinkNode{Name: fmt.Sprint("sink ", i), Sink: pipelinetest.NewSink(mode)})
			writers[i] = &listWriter{}
			e.writers = append(e.writers, writers[i])
		}
		to := &emitter{epoch: e, runner: runner}
		counts := map[string]int64{}
		for n := range rapid.IntRange(0, 2*emissionsMax+3).Draw(t, "emissions") {
			table := tables[r.IntN(3)]
			taken := &graph.FanOut{}
			for i := range want {
				if r.IntN(2) == 0 {
					taken.Sinks = append(taken.Sinks, i)
				}
			}
			rows := numbered(pool, table, n*100, r.IntN(4))
			for _, i := range taken.Sinks {
				for k := range rows.Ops {
					want[i] = append(want[i], fmt.Sprint(table.Name, " ", n*100+k))
				}
			}
			if len(taken.Sinks) > 0 {
				counts[table.Name] += int64(len(rows.Ops))
			}
			if err := to.addRows("node", taken, rows); err != nil {
				t.Fatal(err)
			}
		}
		if err := to.flush(); err != nil {
			t.Fatal(err)
		}
		for i, w := range writers {
			if !slices.Equal(w.rows, want[i]) {
				t.Errorf("sink %d got %v, want %v", i, w.rows, want[i])
			}
		}
		for name, n := range counts {
			if got := e.rows[name][pipeline.OpInsert.String()]; got != n {
				t.Errorf("%d rows of %s are counted, want %d", got, name, n)
			}
		}
		if left := pool.CurrentAlloc(); left != 0 {
			t.Errorf("%d bytes are not given back", left)
		}
	})
}

// numbered returns rows of numbers from first on.
func numbered(pool memory.Allocator, table *pipeline.Table, first, n int) *pipeline.Rows {
	b := array.NewRecordBuilder(pool, table.Schema())
	defer b.Release()
	rows := &pipeline.Rows{Table: table, Ops: make([]pipeline.Op, n), Versions: make([]pipeline.Version, n)}
	for i := range n {
		b.Field(0).(*array.Int64Builder).Append(int64(first + i))
		rows.Ops[i] = pipeline.OpInsert
	}
	rows.Record = b.NewRecord()
	return rows
}

// TestEmitterFails: the error says which sink has failed, the first of several.
func TestEmitterFails(t *testing.T) {
	for _, parts := range []int{1, 3} {
		e := &openEpoch{rows: map[string]map[string]int64{}, tally: telemetry.NewTally()}
		for i, err := range []error{nil, errors.New("disk full"), errors.New("no such table")} {
			e.sinks = append(e.sinks, graph.SinkNode{Name: fmt.Sprint("s", i), Sink: pipelinetest.NewSink(pipeline.Settled)})
			e.writers = append(e.writers, &listWriter{fail: err})
		}
		pool := memory.NewCheckedAllocator(memory.DefaultAllocator)
		to := &emitter{epoch: e, runner: &exchange.Runner{Workers: 3, ForceParts: parts}}
		table := pipelinetest.TableOf(t, "t", []string{"n"}, pipelinetest.Column("n", pipeline.Int64))
		err := to.addRows("node", &graph.FanOut{Sinks: []int{0, 1, 2}}, numbered(pool, table, 0, 3))
		if err == nil {
			err = to.flush()
		}
		if err == nil || !strings.Contains(err.Error(), "sink s1: disk full") {
			t.Errorf("%d parts: error %v, want that of s1", parts, err)
		}
		if left := pool.CurrentAlloc(); left != 0 {
			t.Errorf("%d bytes are not given back", left)
		}
	}
}
