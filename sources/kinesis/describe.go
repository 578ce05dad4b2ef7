package kinesis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/starlift-etl/starlift/sources/internal/awscall"
)

// summary is what a stream says of itself.
type summary struct {
	// created tells streams apart that have, one after the other, the same name and ARN. Zero =
	// the server does not say it.
	created   time.Time
	arn       string
	retention time.Duration
	status    types.StreamStatus
}

// describe returns what the stream says of itself, as it was maxAge ago at most.
func (s *stream) describe(ctx context.Context, maxAge time.Duration) (summary, error) {
	return s.described.Get(ctx, s.clock.Local, maxAge, s.askSummary)
}

func (s *stream) askSummary(ctx context.Context) (summary, error) {
	in := &sdk.DescribeStreamSummaryInput{StreamName: s.name(), StreamARN: s.arn()}
	out, err := awscall.Do(ctx, awscall.Timeout, func(ctx context.Context) (*sdk.DescribeStreamSummaryOutput, error) {
		return s.api.DescribeStreamSummary(ctx, in)
	})
	if err != nil {
		return summary{}, s.streamError("description", err)
	}
	if out.StreamDescriptionSummary == nil {
		return summary{}, fmt.Errorf("description of stream %s: it is empty", s.cfg.streamText())
	}
	d := out.StreamDescriptionSummary
	found := summary{arn: aws.ToString(d.StreamARN), retention: time.Duration(aws.ToInt32(d.RetentionPeriodHours)) * time.Hour, status: d.StreamStatus}
	if d.StreamCreationTimestamp != nil {
		found.created = d.StreamCreationTimestamp.UTC().Truncate(time.Millisecond)
	}
	return found, nil
}

// streamError says of an error of a call about the stream as a whole which it is.
func (s *stream) streamError(what string, err error) error {
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return fmt.Errorf("stream %s is not there: check its name, the region and the account of the credentials; or it was deleted: %w", s.cfg.streamText(), err)
	}
	return fmt.Errorf("%s of stream %s: %w", what, s.cfg.streamText(), err)
}
