package dynamodbstreams

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/aws/smithy-go"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/sources/internal/awscall"
)

// seek takes an iterator for where the reader is.
func (r *reader) seek(ctx context.Context) error {
	if r.at.kind == atTrimHorizon {
		r.passing = false
		return r.takeIterator(ctx, &sdk.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	}
	r.passing = false
	err := r.takeIterator(ctx, &sdk.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAfterSequenceNumber, SequenceNumber: &r.at.sequence})
	var trimmed *types.TrimmedDataAccessException
	var api smithy.APIError
	switch {
	case errors.As(err, &trimmed):
		if err := r.trimmedAway(); err != nil {
			return err
		}
	case errors.As(err, &api) && api.ErrorCode() == "ValidationException" && !pipeline.Retryable(err):
		if r.at.kind != behindGap {
			return r.unknownPlace(err)
		}
	default:
		return err
	}
	return r.seekHorizon(ctx)
}

// seekHorizon takes an iterator for the oldest record there is, and passes over what was read.
func (r *reader) seekHorizon(ctx context.Context) error {
	r.passing = r.at.kind != atTrimHorizon
	return r.takeIterator(ctx, &sdk.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
}

func (r *reader) takeIterator(ctx context.Context, in *sdk.GetShardIteratorInput) error {
	in.ShardId, in.StreamArn = &r.shard, &r.stream.arn
	out, err := awscall.Do(ctx, awscall.Timeout, func(ctx context.Context) (*sdk.GetShardIteratorOutput, error) {
		return r.table.api.GetShardIterator(ctx, in)
	})
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		return r.missing(ctx, pipeline.TransientFor(awsapi.Unavailable, err))
	case err != nil:
		return err
	}
	if r.iterator = aws.ToString(out.ShardIterator); r.iterator == "" {
		return pipeline.TransientFor(awsapi.Unavailable, errors.New("the service gave no iterator"))
	}
	return nil
}

// missing decides what it means that the service does not know the stream or the shard. found is the error where it
// lists the shard.
func (r *reader) missing(ctx context.Context, found error) error {
	l, err := r.table.list(ctx, r.stream, 0)
	switch {
	case err != nil:
		return err
	case l.has(r.shard):
		return found
	}
	return r.vanished(l.gone)
}
