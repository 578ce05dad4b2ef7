package partitions

import (
	"context"
	"errors"

	"github.com/starlift-etl/starlift/pipeline"
)

// work does jobs until ctx ends.
func (d *dispatcher) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-d.jobs:
			r := d.do(ctx, j)
			select {
			case d.results <- r:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (d *dispatcher) do(ctx context.Context, j job) result {
	r := result{job: j}
	if j.of == nil {
		r.found, r.err = d.input.Discover(ctx, j.known)
		return r
	}
	p := j.of
	if p.reader == nil {
		if p.reader, r.err = d.input.OpenPartition(ctx, j.partition, pipeline.PartitionPosition{Cursor: j.at}); r.err != nil {
			p.reader = nil
			return r
		}
	}
	r.read, r.err = p.reader.Read(ctx, 8<<20)
	var gap *pipeline.GapError
	if ended(r.err) || errors.As(r.err, &gap) { // behind a gap it is opened again
		if err := p.reader.Close(); err != nil {
			r.err = err // it is read to here once more, and ends then
		}
		p.reader = nil
	}
	return r
}
