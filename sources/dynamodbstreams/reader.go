package dynamodbstreams

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/aws/smithy-go"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/sources/internal/awscall"
	"github.com/starlift-etl/starlift/sources/internal/jsonscan"
)

const (
	// firstRecordBytes is how large records are thought to be before any was read. A page has 1 MB at most
	// in any case.
	firstRecordBytes = 4 << 10
	pageTimeout      = time.Minute
	// tipPages is how many pages in a row without records mean that there are none for now: one may be empty
	// before more (API reference, GetRecords), and nothing in an answer tells which it is.
	tipPages = 3
	// nearTip is how new the last record has to be for one page without records to mean that.
	nearTip = time.Minute
)

// reader reads a shard.
type reader struct {
	table  *table
	stream *stream
	shard  string
	at     position // behind the last record that was read
	// readUntil is up to when the shard is known to be read, by the service's clock; zero = not
	// known.
	readUntil   time.Time
	iterator    string // of at; empty = there is none
	passing     bool   // what the iterator brings may lie before at: that is passed over
	empty       int    // pages in a row without records
	closed      bool   // all of it was read
	recordBytes float64
	pace        awscall.Pace
}

// OpenPartition implements pipeline.PartitionSource. Of the service it asks nothing.
func (t *table) OpenPartition(ctx context.Context, p pipeline.Partition, from pipeline.PartitionPosition) (pipeline.PartitionReader, error) {
	label, shard, err := parsePartitionName(p.Name)
	if err != nil {
		return nil, err
	}
	if shard == boundary {
		return emptyReader{from.ReadUntil}, nil
	}
	r := &reader{table: t, stream: t.stream(label), shard: shard, readUntil: from.ReadUntil, recordBytes: firstRecordBytes, pace: awscall.NewPace()}
	if len(from.Cursor) > 0 {
		if r.at, err = parsePosition(string(from.Cursor)); err != nil {
			return nil, err
		}
	}
	if !r.readUntil.IsZero() {
		r.know(t.created(label)) // nothing was in it before
	}
	return r, r.readableFrom(ctx)
}

// emptyReader reads the boundary between two streams.
type emptyReader struct{ readUntil time.Time }

// Read implements pipeline.PartitionReader.
func (e emptyReader) Read(context.Context, int) (pipeline.PartitionRecords, error) {
	return pipeline.PartitionRecords{ReadUntil: e.readUntil}, io.EOF
}

// Close implements pipeline.PartitionReader.
func (emptyReader) Close() error { return nil }

// know takes the time up to which the shard counts as read.
func (r *reader) know(until time.Time) {
	if until.After(r.readUntil) {
		r.readUntil = until
	}
}

// Close implements pipeline.PartitionReader.
func (r *reader) Close() error { return nil }

// Read implements pipeline.PartitionReader.
func (r *reader) Read(ctx context.Context, allowance int) (pipeline.PartitionRecords, error) {
	if r.closed {
		return r.end(ctx, pipeline.PartitionRecords{})
	}
	began, asked := r.table.clock.Local(), r.table.clock.Now()
	p, err := r.nextPage(ctx, allowance)
	switch {
	case pipeline.RetryReason(err) == awsapi.Throttled:
		return pipeline.PartitionRecords{Wait: r.pace.Throttled()}, err
	case err != nil:
		return pipeline.PartitionRecords{}, err
	}
	bytes, none := len(p.body), len(p.records) == 0
	r.iterator, r.closed = p.next, p.next == ""
	read := r.take(p, asked)
	if r.closed {
		if read.Records == nil {
			return r.end(ctx, read)
		}
		return read, nil
	}
	read.Wait = r.pace.After(began, r.table.clock.Local(), bytes, none)
	return read, nil
}

// end ends the partition, with its children. They come with the end: it is saved, and nobody asks it again.
func (r *reader) end(ctx context.Context, read pipeline.PartitionRecords) (pipeline.PartitionRecords, error) {
	children, err := r.table.children(ctx, r.stream, r.shard)
	if err != nil {
		return pipeline.PartitionRecords{}, err
	}
	read.Children = children
	return read, io.EOF
}

// nextPage returns the next page.
func (r *reader) nextPage(ctx context.Context, allowance int) (*page, error) {
	for again := r.iterator != ""; ; again = false {
		if r.iterator == "" {
			if err := r.seek(ctx); err != nil {
				return nil, err
			}
		}
		in := &sdk.GetRecordsInput{ShardIterator: &r.iterator, Limit: aws.Int32(int32(r.limit(allowance)))}
		p, err := awscall.Do(ctx, pageTimeout, func(ctx context.Context) (*page, error) { return getPage(ctx, r.table.api, in) })
		var expired *types.ExpiredIteratorException
		var trimmed *types.TrimmedDataAccessException
		var missing *types.ResourceNotFoundException
		var api smithy.APIError
		switch {
		case err == nil:
			return p, nil
		case errors.As(err, &missing):
			r.iterator = ""
			return nil, r.missing(ctx, pipeline.TransientFor(awsapi.Unavailable, err))
		case errors.As(err, &trimmed):
			r.iterator = ""
			if err := r.trimmedAway(); err != nil {
				return nil, err
			}
			return nil, pipeline.TransientFor(awsapi.Unavailable, err) // and the next read begins at the trim horizon
		case errors.As(err, &expired), errors.As(err, &api) && api.ErrorCode() == "ValidationException":
			if r.iterator = ""; again { // than one that is as old, or of another process of the service
				continue
			}
		}
		return nil, err
	}
}

// limit returns how many records a page may have, to bring no more bytes than are allowed.
func (r *reader) limit(allowance int) int {
	return int(max(1, min(recordsPerPageMax, float64(allowance)/r.recordBytes)))
}

// take makes records of a page that was asked for at that time, by the service's clock.
func (r *reader) take(p *page, asked time.Time) (read pipeline.PartitionRecords) {
	before, until := r.at, time.Time{}
	if n := len(p.records); n > 0 {
		r.empty = 0
		bytes := float64(len(p.body)) / float64(n)
		r.recordBytes = max(1, bytes, (r.recordBytes+3*bytes)/4) // large ones are remembered for longer
		read.Records = r.records(p)
		until = r.at.time
	} else if r.empty++; r.empty >= r.table.tip || !r.at.time.IsZero() && asked.Sub(r.at.time) < nearTip {
		read.CaughtUp = !r.closed
		if !r.closed {
			until = asked
		}
	}
	if read.Records == nil {
		p.free()
		if r.at != before {
			read.Cursor = []byte(r.at.String())
		}
	}
	switch {
	case read.CaughtUp:
		read.LagKnown = true
	case !r.at.time.IsZero():
		read.Lag, read.LagKnown = asked.Sub(r.at.time), true
	}
	r.know(until)
	read.ReadUntil = r.readUntil
	return read
}

// records returns what of a page was not read yet and has an effect, and moves the reader behind all of it; nil =
// that is nothing.
func (r *reader) records(p *page) *pipeline.Records {
	// The creation is told in whole seconds.
	from := r.at.from.Truncate(time.Second).UnixMicro()
	spans, places := make([]pipeline.Span, 0, len(p.records)), make([]int32, 0, len(p.records))
	at := r.at
	for i := range p.records {
		one := &p.records[i]
		if r.passing {
			if compareSequence(p.sequence(i), r.at.sequence) <= 0 {
				continue
			}
			r.passing = false
		}
		at = position{kind: behindRecord, from: at.from}
		if !at.from.IsZero() && one.made != jsonscan.NoTime && one.made < from {
			continue
		}
		spans = append(spans, pipeline.Span{Start: one.Start, End: one.End})
		places = append(places, int32(i))
	}
	if at.kind == behindRecord && !r.passing {
		r.at = behind(p, len(p.records)-1, at.from)
	}
	if len(spans) == 0 {
		return nil
	}
	end := r.at
	return &pipeline.Records{
		Format: &r.table.format, Data: p.body, Spans: spans, Free: p.free,
		CursorAfter: func(n int) []byte {
			if n == len(places) {
				return []byte(end.String())
			}
			return []byte(behind(p, int(places[n-1]), end.from).String())
		},
		PositionText: func(i int) string { return p.sequence(int(places[i])) },
	}
}

// behind returns the position behind record i of a page.
func behind(p *page, i int, from time.Time) position {
	return position{kind: behindRecord, sequence: p.sequence(i), time: p.made(i), from: from}
}
