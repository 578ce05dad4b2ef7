package kinesis

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/sources/internal/awscall"
)

// errNothingLeft says that a shard is gone, with nothing that was to be read.
var errNothingLeft = errors.New("nothing is left of the shard")

// seek takes an iterator for where the reader is.
func (r *reader) seek(ctx context.Context) error {
	in := &sdk.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
	r.passing = false
	switch r.at.kind {
	case atTime:
		in.ShardIteratorType, in.Timestamp = types.ShardIteratorTypeAtTimestamp, aws.Time(r.at.time)
		r.passing = true // some servers begin with the first record of all when none is as new
	case behindRecord, behindGap:
		in.ShardIteratorType, in.StartingSequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &r.at.sequence
		if r.at.user != wholeRecord {
			in.ShardIteratorType, r.passing = types.ShardIteratorTypeAtSequenceNumber, true
		}
	}
	err := r.takeIterator(ctx, in)
	var invalid *types.InvalidArgumentException
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		return r.missing(ctx, err)
	case errors.As(err, &invalid):
		return r.refused(ctx, err)
	}
	return err
}

func (r *reader) takeIterator(ctx context.Context, in *sdk.GetShardIteratorInput) error {
	in.ShardId, in.StreamName, in.StreamARN = &r.shard, r.stream.name(), r.stream.arn()
	out, err := awscall.Do(ctx, awscall.Timeout, func(ctx context.Context) (*sdk.GetShardIteratorOutput, error) {
		return r.stream.api.GetShardIterator(ctx, in)
	})
	if err != nil {
		return err
	}
	if r.iterator = aws.ToString(out.ShardIterator); r.iterator == "" {
		return pipeline.TransientFor(awsapi.Unavailable, errors.New("the service gave no iterator"))
	}
	return nil
}

// seekHorizon takes an iterator for the oldest record there is, and passes over what was read.
func (r *reader) seekHorizon(ctx context.Context) error {
	r.at.kind, r.passing = behindGap, true
	return r.takeIterator(ctx, &sdk.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
}

// refused decides what it means that the service does not take the place where the reader is.
func (r *reader) refused(ctx context.Context, err error) error {
	switch r.at.kind {
	case atTrimHorizon:
		return err
	case atTime: // which is one that the service told itself: its servers need not agree
		return pipeline.TransientFor(awsapi.Clock, err)
	case behindGap:
		return r.seekHorizon(ctx)
	}
	d, describeErr := r.stream.describe(ctx, 0)
	if describeErr != nil {
		return describeErr
	}
	if !r.created.Equal(d.created) {
		return r.madeAgain(d.created)
	}
	oldest := r.stream.clock.Now().Add(-d.retention)
	if gap := r.trimmed(d.retention, r.stream.clock.Now()); gap != nil {
		return gap
	}
	if !r.at.time.IsZero() && r.at.time.Before(oldest) {
		// The record is dropped, and the shard was read until later: it was quiet.
		return r.seekHorizon(ctx)
	}
	return r.unknownPlace(err)
}

// missing decides what it means that the service does not know the stream, the shard or, as
// some servers have it, the sequence number. found is the error where it knows the shard.
func (r *reader) missing(ctx context.Context, found error) error {
	d, err := r.stream.describe(ctx, 0)
	if err != nil {
		return err
	}
	if !r.created.Equal(d.created) {
		return r.madeAgain(d.created)
	}
	there, err := r.stream.hasShard(ctx, r.shard)
	switch {
	case err != nil:
		return err
	case there && r.at.kind >= behindRecord && !pipeline.Retryable(found):
		return r.refused(ctx, found)
	case there:
		return found
	case r.at.kind == atTime && !r.readUntil.Before(r.stream.clock.Now().Add(-d.retention)):
		// It was closed before that time, or it would be there.
		return errNothingLeft
	}
	return r.vanished()
}
