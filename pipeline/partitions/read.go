package partitions

import (
	"context"
	"io"

	"github.com/starlift-etl/starlift/pipeline"
)

// result is what became of a read of a partition; of none, of a discovery.
type result struct {
	of    *partition
	read  pipeline.PartitionRecords
	found []pipeline.Partition
	err   error
}

// start runs a read or a discovery, whose result comes back unless ctx ends before. The goroutines that
// have done one wait for the next, since a new one's stack has to grow for each: there
// are as many as there ever were reads at once.
func (d *dispatcher) start(ctx context.Context, f func() result) {
	select {
	case d.work <- f:
		return
	default: // none waits
	}
	d.running.Go(func() {
		for {
			select {
			case d.results <- f():
			case <-ctx.Done():
				return
			}
			select {
			case f = <-d.work:
			case <-ctx.Done():
				return
			}
		}
	})
}

// read opens a partition if it is not, and reads it once. A reader that has failed for good, or is
// at its end, is closed.
func (d *dispatcher) read(ctx context.Context, p *partition, info pipeline.Partition, at pipeline.PartitionPosition, allowance int) (r result) {
	r.of = p
	if p.reader == nil {
		if p.reader, r.err = d.input.OpenPartition(ctx, info, at); r.err != nil {
			p.reader = nil
			return r
		}
	}
	r.read, r.err = p.reader.Read(ctx, allowance)
	if r.err != nil && !pipeline.Retryable(r.err) {
		err := p.reader.Close()
		p.reader = nil
		if err != nil && ended(r.err) {
			r.read, r.err = pipeline.PartitionRecords{}, err // it is read to here once more, and ends then
		}
	}
	return r
}

// ended reports whether an error is only the end of a partition. One that wraps io.EOF is none: that is
// what a connection may end with as well.
func ended(err error) bool { return err == io.EOF } //nolint:errorlint // see above
