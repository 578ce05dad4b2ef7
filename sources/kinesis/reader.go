package kinesis

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/sources/internal/awscall"
	"github.com/starlift-etl/starlift/sources/kinesis/page"
)

const (
	// firstRecordBytes is how large records are thought to be before any was read: larger than nearly all
	// are, since many shards are read for the first time together, and pages of 10 MB from each
	// would fill any memory.
	firstRecordBytes = 1 << 20
	// recordsPerPageMax is the service's.
	recordsPerPageMax = 10_000
	// pageTimeout bounds a call of GetRecords whose answer comes slowly; see awscall.Transport for one that stops.
	pageTimeout = time.Minute
)

// reader reads a shard.
type reader struct {
	stream  *stream
	shard   string
	created time.Time // of the stream
	at      position  // behind the last record that was handed over
	// readUntil is up to when the shard is known to be read, by the service's clock; zero = not
	// known.
	readUntil time.Time
	iterator  string // of at; empty = there is none
	passing   bool   // what the iterator brings may lie before at: that is passed over
	// atHorizon says that reading begins at the trim horizon, because a first start, or a gap that
	// was accepted, has it so, and nothing was read yet.
	atHorizon   bool
	recordBytes float64
	pace        awscall.Pace
}

// OpenPartition implements pipeline.PartitionSource. Of the service it asks nothing, but now
// and then what the stream says of itself.
func (s *stream) OpenPartition(ctx context.Context, p pipeline.Partition, from pipeline.PartitionPosition) (pipeline.PartitionReader, error) {
	shard, created, err := parsePartitionName(p.Name)
	if err != nil {
		return nil, err
	}
	r := &reader{stream: s, shard: shard, created: created, readUntil: from.ReadUntil, recordBytes: s.first, pace: awscall.NewPace()}
	if len(from.Cursor) > 0 {
		if r.at, err = parsePosition(string(from.Cursor)); err != nil {
			return nil, err
		}
		r.atHorizon = r.at.kind == atTrimHorizon || r.at.kind == behindGap
	}
	d, err := s.describe(ctx, summaryAge)
	if err != nil {
		return nil, err
	}
	if !created.Equal(d.created) {
		return nil, r.madeAgain(d.created)
	}
	now := s.clock.Now()
	if gap := r.trimmed(d.retention, now); gap != nil {
		there, err := s.hasShard(ctx, shard)
		if err != nil {
			return nil, err
		}
		if !there {
			gap.Resume = nil
		}
		return nil, gap
	}
	if r.atHorizon {
		r.know(away(now, d.retention))
	}
	return r, nil
}

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
	start, asked := r.stream.clock.Local(), r.stream.clock.Now()
	p, err := r.nextPage(ctx, allowance)
	switch {
	case errors.Is(err, errNothingLeft):
		return pipeline.PartitionRecords{ReadUntil: r.readUntil}, io.EOF
	case pipeline.RetryReason(err) == awsapi.Throttled:
		return pipeline.PartitionRecords{Wait: r.pace.Throttled()}, err
	case err != nil:
		return pipeline.PartitionRecords{}, err
	}
	if gap := r.lost(); gap != nil {
		p.Free()
		return pipeline.PartitionRecords{}, gap
	}
	bytes := len(p.Data)
	for i := range p.Records {
		bytes += len(p.PartitionKey(i)) // the service counts them too
	}
	read, whole := r.take(p, asked, allowance)
	switch {
	case !whole:
		r.iterator = ""
	case p.Next == "":
		read.Children = children(p.Children, r.created)
		return read, io.EOF
	default:
		r.iterator = p.Next
	}
	read.Wait = r.pace.After(start, r.stream.clock.Local(), bytes, read.CaughtUp && len(p.Records) == 0)
	return read, nil
}

// lost returns what became of the shard that makes a page of it something else than what was to
// come next: other records were, or it is a shard of another stream; nil = nothing did. What the
// stream says of itself is as old as the last discovery.
func (r *reader) lost() *pipeline.GapError {
	d := r.stream.described.Known()
	if !r.created.Equal(d.created) {
		return r.madeAgain(d.created)
	}
	return r.trimmed(d.retention, r.stream.clock.Now())
}

// nextPage returns the next page.
func (r *reader) nextPage(ctx context.Context, allowance int) (*page.Page, error) {
	for again := r.iterator != ""; ; again = false {
		if r.iterator == "" {
			if err := r.seek(ctx); err != nil {
				return nil, err
			}
		}
		in := &sdk.GetRecordsInput{ShardIterator: &r.iterator, StreamARN: r.stream.arn(), Limit: aws.Int32(int32(r.limit(allowance)))}
		p, err := awscall.Do(ctx, pageTimeout, func(ctx context.Context) (*page.Page, error) { return page.Get(ctx, r.stream.api, in) })
		var expired *types.ExpiredIteratorException
		var invalid *types.InvalidArgumentException
		var missing *types.ResourceNotFoundException
		switch {
		case errors.As(err, &missing):
			r.iterator = ""
			return nil, r.missing(ctx, pipeline.TransientFor(awsapi.Unavailable, err))
		case errors.As(err, &expired), errors.As(err, &invalid):
			if r.iterator = ""; again { // than one that is as old, or of another process of the service
				continue
			}
			return nil, err
		}
		return p, err
	}
}

// limit returns how many records a page may have, to bring no more bytes than are allowed.
func (r *reader) limit(allowance int) int {
	return int(max(1, min(recordsPerPageMax, float64(allowance)/r.recordBytes)))
}

// take makes records of a page that was asked for at that time, by the service's clock; whole =
// false says that they were only the first of it, since they take much more memory than allowed.
func (r *reader) take(p *page.Page, asked time.Time, allowance int) (read pipeline.PartitionRecords, whole bool) {
	read = pipeline.PartitionRecords{Lag: p.Behind, LagKnown: p.BehindKnown, CaughtUp: p.Behind == 0 && (p.BehindKnown || len(p.Records) == 0)}
	before := r.at
	until := asked.Add(-p.Behind)
	whole = true
	if len(p.Records) > 0 {
		u := unpacker{format: &r.stream.format, page: p, passing: r.passing, passed: before, inflatedMax: max(2*allowance, inflatedPerPage)}
		n := u.unpack()
		last := behind(p, n-1)
		until = last.time
		if !u.passing {
			r.at, r.atHorizon, r.passing = last, false, false
		}
		if whole = n == len(p.Records); !whole {
			read.CaughtUp = false
		}
		read.Records = u.records(r.at)
		r.learn(u.bytes, n)
	} else if !p.BehindKnown || p.Next == "" {
		until = time.Time{} // how far a shard that has ended is behind says nothing
	}
	if read.Records == nil {
		p.Free()
	}
	r.know(until)
	if read.Records == nil && r.at != before {
		read.Cursor = []byte(r.at.String())
	}
	if read.Records == nil || !r.readUntil.Equal(until) {
		read.ReadUntil = r.readUntil
	}
	return read, whole
}

// learn takes how many bytes n records of the stream had.
func (r *reader) learn(bytes, n int) {
	mean := float64(bytes) / float64(n)
	r.recordBytes = max(1, mean, (r.recordBytes+3*mean)/4) // large ones are remembered for longer
}
