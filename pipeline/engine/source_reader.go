package engine

import (
	"context"
	"io"

	"github.com/starlift-etl/starlift/pipeline"
)

// readResult is what a Read of a source returned.
type readResult struct {
	source  int // index of the source
	records *pipeline.Records
	err     error
}

// sourceReader reads one source.
type sourceReader struct {
	index    int
	name     string
	source   pipeline.Source
	first    *readResult // what lookAhead has read already; nil = nothing
	observer SourceObserver
}

// run brings the source's records to the splitter until the source or ctx ends, or
// Read fails.
func (r *sourceReader) run(ctx context.Context, to chan<- readResult) {
	for {
		in := r.read(ctx)
		select {
		case to <- in:
		case <-ctx.Done():
			return
		}
		if in.err != nil {
			return
		}
	}
}

func (r *sourceReader) read(ctx context.Context) (in readResult) {
	r.observer.SourceWaits(r.name)
	if r.first != nil {
		in, r.first = *r.first, nil
	} else {
		in.records, in.err = r.source.Read(ctx)
	}
	in.source = r.index
	if in.err == nil {
		r.observer.SourceProgressed(r.name, in.records)
	}
	if !ended(in.err) {
		r.observer.SourceAnswered(r.name)
	}
	return in
}

// ended reports whether an error is only the end of a source. One that wraps io.EOF is none: that is
// what a connection may end with as well.
func ended(err error) bool { return err == io.EOF } //nolint:errorlint // see above
