package parquet

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// BenchmarkSink takes a million rows through epochs of 200,000 to a file.
func BenchmarkSink(b *testing.B) {
	for _, mode := range []string{"append", "changes"} {
		b.Run(mode, func(b *testing.B) {
			table := orders()
			type batch struct {
				changes []pipeline.Change
				rows    *pipeline.Rows
			}
			var batches []batch
			for i := range 125 {
				var in []order
				for j := range 8000 {
					in = append(in, order{id: int64(i*8000 + j), country: fmt.Sprint("country ", j%50), at: day})
				}
				c, r := orderRows(table, in)
				batches = append(batches, batch{c, r})
			}
			for b.Loop() {
				h := newHarness(b, Config{Mode: mode, URL: filepath.Join(b.TempDir(), "lake")}, table)
				for epoch := range 5 {
					e, err := h.sink.Begin(int64(epoch + 1))
					if err != nil {
						b.Fatal(err)
					}
					for _, x := range batches[25*epoch : 25*epoch+25] {
						if err := e.Write(x.changes, x.rows); err != nil {
							b.Fatal(err)
						}
					}
					r, err := e.Prepare(context.Background(), epoch == 4)
					if err != nil {
						b.Fatal(err)
					}
					h.save(r)
					h.commit()
				}
			}
			b.ReportMetric(1e6*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
