package kinesis

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
)

// errNothingLeft says that a shard is gone, with nothing that was to be read.
var errNothingLeft = errors.New("nothing is left of the shard")

// seek has the pager begin where the reader is.
func (r *reader) seek(ctx context.Context) error {
	at := startingPosition{kind: types.ShardIteratorTypeTrimHorizon}
	switch r.at.kind {
	case atTime:
		at.kind, at.time = types.ShardIteratorTypeAtTimestamp, aws.Time(r.at.time)
	case behindRecord, behindGap:
		at.kind, at.sequence = types.ShardIteratorTypeAfterSequenceNumber, &r.at.sequence
		if r.at.user != wholeRecord {
			at.kind = types.ShardIteratorTypeAtSequenceNumber
		}
	}
	// Some servers begin with the first record of all when none is as new as a time, and a
	// subscription may be continued before it.
	r.passing = r.at.kind != atTrimHorizon
	err := r.pager.seek(ctx, at)
	var invalid *types.InvalidArgumentException
	switch {
	case isCode(err, codeNotFound):
		return r.missing(ctx, err)
	case errors.As(err, &invalid):
		return r.refused(ctx, err)
	}
	return err
}

// seekHorizon goes to the oldest record there is, and passes over what was read.
func (r *reader) seekHorizon(ctx context.Context) error {
	r.at.kind, r.passing = behindGap, true
	return r.pager.seek(ctx, startingPosition{kind: types.ShardIteratorTypeTrimHorizon})
}

// codeNotFound is that of a stream, a shard or a consumer that is not there: in an answer, or in a stream of events.
const codeNotFound = "ResourceNotFoundException"

// isCode reports whether an error is one of the service with that code.
func isCode(err error, code string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == code
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
	case there && r.stream.consumer != nil:
		return r.stream.consumerLost(ctx, found)
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
