package kinesis

import (
	"context"
	"errors"
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

// poller is a pager that asks for each page, with what all readers of the shard share.
type poller struct {
	stream      *stream
	shard       string
	iterator    string // of the next page; empty = there is none
	recordBytes float64
	pace        awscall.Pace
}

func newPoller(s *stream, shard string) *poller {
	return &poller{stream: s, shard: shard, recordBytes: s.first, pace: awscall.NewPace()}
}

// seek takes an iterator.
func (p *poller) seek(ctx context.Context, at startingPosition) error {
	in := &sdk.GetShardIteratorInput{
		ShardId: &p.shard, StreamName: p.stream.name(), StreamARN: p.stream.arn(),
		ShardIteratorType: at.kind, StartingSequenceNumber: at.sequence, Timestamp: at.time,
	}
	out, err := awscall.Do(ctx, awscall.Timeout, func(ctx context.Context) (*sdk.GetShardIteratorOutput, error) {
		return p.stream.api.GetShardIterator(ctx, in)
	})
	if err != nil {
		return err
	}
	if p.iterator = aws.ToString(out.ShardIterator); p.iterator == "" {
		return pipeline.TransientFor(awsapi.Unavailable, errors.New("the service gave no iterator"))
	}
	return nil
}

// next asks for the next page.
func (p *poller) next(ctx context.Context, allowance int) (answer, error) {
	if p.iterator == "" {
		return answer{}, &lostPosition{}
	}
	made := p.stream.clock.Now()
	in := &sdk.GetRecordsInput{ShardIterator: &p.iterator, StreamARN: p.stream.arn(), Limit: aws.Int32(int32(p.limit(allowance)))}
	got, err := awscall.Do(ctx, pageTimeout, func(ctx context.Context) (*page.Page, error) { return page.Get(ctx, p.stream.api, in) })
	var expired *types.ExpiredIteratorException
	var invalid *types.InvalidArgumentException
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		p.iterator = ""
		return answer{}, err
	case errors.As(err, &expired), errors.As(err, &invalid): // one that is as old, or of another process of the service
		p.iterator = ""
		return answer{}, &lostPosition{err}
	case err != nil:
		return answer{}, err
	}
	p.iterator = got.Next
	return answer{page: got, made: made, ended: got.Next == ""}, nil
}

// limit returns how many records a page may have, to bring no more bytes than are allowed.
func (p *poller) limit(allowance int) int {
	return int(max(1, min(recordsPerPageMax, float64(allowance)/p.recordBytes)))
}

// took learns from a page. What is left of one is asked for again.
func (p *poller) took(_ answer, o outcome) time.Duration {
	if o.records > 0 {
		mean := float64(o.unpacked) / float64(o.records)
		p.recordBytes = max(1, mean, (p.recordBytes+3*mean)/4) // large ones are remembered for longer
	}
	if o.rest != nil {
		p.iterator = ""
		o.rest.Free()
	}
	return p.pace.After(o.began, p.stream.clock.Local(), o.bytes, o.caughtUp && o.bytes == 0)
}

func (p *poller) failed(err error) time.Duration {
	if pipeline.RetryReason(err) == awsapi.Throttled {
		return p.pace.Throttled()
	}
	return 0
}

func (p *poller) close() error { return nil }
