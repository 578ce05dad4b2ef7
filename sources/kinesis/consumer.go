package kinesis

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/sources/internal/awscall"
)

// consumersMax is how many consumers a stream may have, unless it has on-demand advantage mode
// (developer guide, Quotas and limits).
const consumersMax = 20

// consumer is what the service says of a registered one.
type consumer struct {
	arn    string
	status types.ConsumerStatus
}

// newPager returns what brings the pages of a shard.
func (s *stream) newPager(shard string) pager {
	if s.consumer == nil {
		return newPoller(s, shard)
	}
	return newSubscriber(s, shard)
}

// consumerARN returns the ARN of the consumer, as it was found last.
func (s *stream) consumerARN() string {
	if c := s.consumer.Known(); c != nil {
		return c.arn
	}
	return ""
}

// connectConsumer finds the consumer, or registers it where the configuration has its name. One that
// is not ready yet is an error that is Retryable: the opening tries again.
func (s *stream) connectConsumer(ctx context.Context) error {
	c, err := s.consumer.Get(ctx, s.clock.Local, 0, s.askConsumer)
	switch {
	case isCode(err, codeNotFound) && s.cfg.Consumer.Name != "":
		return s.register(ctx)
	case isCode(err, codeNotFound):
		return fmt.Errorf("consumer %s is not there: check its ARN, or give consumer.name, which is registered where it is not: %w", s.consumerText(), err)
	case err != nil:
		return fmt.Errorf("consumer %s: %w", s.consumerText(), err)
	case c.status != types.ConsumerStatusActive:
		return pipeline.TransientFor(awsapi.Unavailable, fmt.Errorf("consumer %s is %s", s.consumerText(), c.status))
	}
	return nil
}

func (s *stream) consumerText() string {
	if s.cfg.Consumer.ARN != "" {
		return s.cfg.Consumer.ARN
	}
	return s.cfg.Consumer.Name + " of stream " + s.cfg.streamText()
}

func (s *stream) askConsumer(ctx context.Context) (consumer, error) {
	in := &sdk.DescribeStreamConsumerInput{ConsumerARN: nonEmpty(s.cfg.Consumer.ARN)}
	if s.cfg.Consumer.ARN == "" {
		d, err := s.describe(ctx, summaryAge)
		if err != nil {
			return consumer{}, err
		}
		in.StreamARN, in.ConsumerName = &d.arn, &s.cfg.Consumer.Name
	}
	out, err := awscall.Do(ctx, awscall.Timeout, func(ctx context.Context) (*sdk.DescribeStreamConsumerOutput, error) {
		return s.api.DescribeStreamConsumer(ctx, in)
	})
	if err != nil {
		return consumer{}, err
	}
	if out.ConsumerDescription == nil {
		return consumer{}, errors.New("its description is empty")
	}
	return consumer{arn: aws.ToString(out.ConsumerDescription.ConsumerARN), status: out.ConsumerDescription.ConsumerStatus}, nil
}

// register registers the consumer, and returns an error in any case: it takes a while until it is ACTIVE.
func (s *stream) register(ctx context.Context) error {
	d, err := s.describe(ctx, summaryAge)
	if err != nil {
		return err
	}
	_, err = awscall.Do(ctx, awscall.Timeout, func(ctx context.Context) (*sdk.RegisterStreamConsumerOutput, error) {
		return s.api.RegisterStreamConsumer(ctx, &sdk.RegisterStreamConsumerInput{StreamARN: &d.arn, ConsumerName: &s.cfg.Consumer.Name})
	})
	switch {
	case isCode(err, "LimitExceededException"):
		return s.limitError(ctx, d.arn, err)
	case isCode(err, codeInUse): // another process has registered it just now
	case err != nil:
		return fmt.Errorf("registration of consumer %s: %w", s.consumerText(), err)
	default:
		s.env.Log.Info("registered a consumer: it is paid for by the hour until somebody deregisters it", "consumer", s.cfg.Consumer.Name, "stream", s.cfg.streamText())
	}
	return pipeline.TransientFor(awsapi.Unavailable, fmt.Errorf("consumer %s is being registered", s.consumerText()))
}

// limitError says which limit a registration has met: that of calls, which passes, or that of consumers.
func (s *stream) limitError(ctx context.Context, arn string, limit error) error {
	n := 0
	in := &sdk.ListStreamConsumersInput{StreamARN: &arn}
	for {
		out, err := awscall.Do(ctx, awscall.Timeout, func(ctx context.Context) (*sdk.ListStreamConsumersOutput, error) {
			return s.api.ListStreamConsumers(ctx, in)
		})
		if err != nil {
			return fmt.Errorf("registration of consumer %s: %w, and the consumers that there are can't be listed: %w", s.consumerText(), limit, err)
		}
		n += len(out.Consumers)
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			break
		}
	}
	if n < consumersMax {
		return fmt.Errorf("registration of consumer %s: %w", s.consumerText(), limit)
	}
	// Not wrapped: what it says of itself is that it passes.
	return fmt.Errorf("consumer %s can't be registered: the stream has %d, and may have no more (%v). Deregister one that nobody reads with, give the name of one that is free, or leave consumer out",
		s.consumerText(), n, limit)
}

// consumerLost says what it means that the service has not found something, where the shard is there: the
// consumer is not, or will not be soon, or has not been for long. found is the error.
func (s *stream) consumerLost(ctx context.Context, found error) error {
	before := s.consumerARN()
	c, err := s.consumer.Get(ctx, s.clock.Local, 0, s.askConsumer)
	switch {
	case isCode(err, codeNotFound):
		return fmt.Errorf("consumer %s was deregistered: register it again, or start anew, which does where consumer.name is given: %w", s.consumerText(), err)
	case err != nil:
		return err
	case c.status != types.ConsumerStatusActive, c.arn != before:
		return pipeline.TransientFor(awsapi.Unavailable, fmt.Errorf("consumer %s is %s", s.consumerText(), c.status))
	}
	// It is there as the one server says, and not as the other: servers of the service agree in time.
	return pipeline.TransientFor(awsapi.Unavailable, found)
}
