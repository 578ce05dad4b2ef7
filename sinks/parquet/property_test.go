package parquet

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// orderRowsOf returns one row of nulls.
func orderRowsOf(table *pipeline.Table) ([]pipeline.Change, *pipeline.Rows) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
	defer b.Release()
	for i := range table.Columns {
		b.Field(i).AppendNull()
	}
	return nil, &pipeline.Rows{Table: table, Record: b.NewRecord(), Ops: []pipeline.Op{pipeline.OpUpsert}, Change: []int32{0}}
}

// Whatever the epochs, partitions, rolls and restarts, each saved row is in the
// files once.
func TestEveryRowOnce(t *testing.T) {
	countries := []string{"", "DE", "FR", "a/b", "ü"}
	rapid.Check(t, func(rt *rapid.T) {
		cfg := Config{Mode: "append", Roll: Roll{Size: spec.Bytes(rapid.SampledFrom([]int{500, 5000, 1 << 20}).Draw(rt, "size")), Age: spec.Duration(20 * time.Second)}}
		if rapid.Bool().Draw(rt, "partitioned") {
			cfg.PartitionBy = byDay()
		}
		h := newHarness(t, cfg, orders())
		// Where few bytes are many, all sizes of segments come up within a few epochs.
		h.gather = &gatherLimits{spareMax: rapid.SampledFrom([]int{0, 2000, 1 << 20}).Draw(rt, "spared"), sparedEpochs: rapid.IntRange(0, 2).Draw(rt, "spared epochs"), spared: 10_000,
			looseEpochs: rapid.IntRange(0, 2).Draw(rt, "loose epochs"), loose: 20_000, encodedEpochs: rapid.IntRange(0, 2).Draw(rt, "encoded epochs"),
			groupRows: rapid.Int64Range(1, 60).Draw(rt, "rows of a group")}
		h.restart(h.sink.cfg)
		if err := h.open(); err != nil {
			rt.Fatal(err)
		}
		var want []string
		id := int64(0)
		epochs := rapid.IntRange(1, 8).Draw(rt, "epochs")
		for i := range epochs {
			h.clock = h.clock.Add(time.Duration(rapid.IntRange(0, 15).Draw(rt, "seconds")) * time.Second)
			var in [][]order
			for range rapid.IntRange(0, 3).Draw(rt, "batches") {
				var batch []order
				for range rapid.IntRange(1, 40).Draw(rt, "rows") {
					id++
					batch = append(batch, order{id: id, country: rapid.SampledFrom(countries).Draw(rt, "country"), at: day.AddDate(0, 0, rapid.IntRange(0, 3).Draw(rt, "day"))})
				}
				in = append(in, batch)
			}
			for rapid.IntRange(0, 3).Draw(rt, "fails before save") == 0 {
				if _, err := h.tryPrepare(i == epochs-1, in...); err != nil {
					rt.Fatal(err)
				}
				if err := h.open(); err != nil {
					rt.Fatal(err)
				}
			}
			h.prepare(i == epochs-1, in...)
			for _, batch := range in {
				for _, o := range batch {
					want = append(want, fmt.Sprintf("%d|%s|%d", o.id, orNull(o.country), o.at.UnixMicro()))
				}
			}
			if rapid.Bool().Draw(rt, "restart") {
				h.restart(h.sink.cfg)
				if err := h.open(); err != nil {
					rt.Fatal(err)
				}
			}
			h.commit()
		}
		var got []string
		for _, f := range h.files() {
			got = append(got, readFile(t, h.sink.cfg.URL+"/"+f)...)
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("-want +got\n%s", diff)
		}
	})
}

func orNull(s string) string {
	if s == "" {
		return "<null>"
	}
	return s
}
