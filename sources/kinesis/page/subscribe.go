package page

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream/eventstreamapi"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// MaxFrame is the most bytes that a message of an event stream may have: 10 MiB of data in
// base64, and what goes with it. The protocol allows 16 MiB of payload
// (smithy.io, Amazon Event Stream Specification).
const MaxFrame = 24 << 20

const (
	preludeBytes = 12 // lengths of the message and its headers, and a checksum of them
	emptyFrame   = preludeBytes + 4
)

// Subscriber is what of the SDK's client is needed to subscribe.
type Subscriber interface {
	SubscribeToShard(ctx context.Context, in *kinesis.SubscribeToShardInput, options ...func(*kinesis.Options)) (*kinesis.SubscribeToShardOutput, error)
}

// Subscription is an answer to SubscribeToShard: a stream of events, which the service ends after
// some minutes. Its methods are called by one goroutine at a time.
type Subscription struct {
	body    io.ReadCloser
	frames  *bufio.Reader
	decoder *eventstream.Decoder
}

// FrameError says that what came is no event stream, or is damaged: where the next event
// begins can't be known.
type FrameError struct{ Err error }

func (e *FrameError) Error() string { return fmt.Sprintf("damaged event stream: %v", e.Err) }

// Unwrap returns what is wrong.
func (e *FrameError) Unwrap() error { return e.Err }

// Subscribe makes a call of SubscribeToShard, and returns when the service has accepted it. ctx
// ends the subscription, too.
func Subscribe(ctx context.Context, c Subscriber, in *kinesis.SubscribeToShardInput) (*Subscription, error) {
	s := &Subscription{decoder: eventstream.NewDecoder()}
	raw := awsapi.RawAnswer{Result: &kinesis.SubscribeToShardOutput{}, Stream: func(body io.ReadCloser) { s.body = body }}
	_, err := c.SubscribeToShard(ctx, in, func(o *kinesis.Options) { o.APIOptions = append(raw.Append(o.APIOptions), keepEvents) })
	switch {
	case err == nil:
		s.frames = bufio.NewReader(s.body)
		return s, nil
	case s.body != nil:
		_ = s.body.Close() // an interceptor has failed: nothing of it is of use
	}
	return nil, err
}

// keepEvents leaves out the step of the SDK that makes objects of events.
func keepEvents(stack *middleware.Stack) error {
	_, err := stack.Deserialize.Remove("OperationEventStreamDeserializer")
	return err
}

// Wait waits until there is something of the next event. io.EOF says that the subscription has
// ended behind a whole one.
func (s *Subscription) Wait() error {
	_, err := s.frames.Peek(1)
	return err
}

// Size returns how many bytes the next event has on the wire, once its first bytes have come.
func (s *Subscription) Size() (int, error) {
	prelude, err := s.frames.Peek(preludeBytes)
	switch {
	case errors.Is(err, io.EOF) && len(prelude) > 0:
		return 0, io.ErrUnexpectedEOF
	case err != nil:
		return 0, err
	}
	size, headers := binary.BigEndian.Uint32(prelude), binary.BigEndian.Uint32(prelude[4:])
	if size > MaxFrame || size < emptyFrame || headers > size-emptyFrame {
		return 0, &FrameError{fmt.Errorf("a message of %d bytes with headers of %d", size, headers)}
	}
	return int(size), nil
}

// Next returns the next event; nil = it was a message that brings nothing, as the first one. An
// error that the service sends is a smithy.APIError with its code.
func (s *Subscription) Next() (*Page, error) {
	size, err := s.Size()
	if err != nil {
		return nil, err
	}
	payload := reuse.Bytes(size + bytesMinRead)
	defer func() { reuse.ReleaseBytes(payload) }()
	m, err := s.decoder.Decode(s.frames, payload[:0])
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, io.ErrUnexpectedEOF
	case errors.As(err, new(eventstream.ChecksumError)), errors.As(err, new(eventstream.LengthError)):
		return nil, &FrameError{err}
	case err != nil:
		return nil, err
	}
	switch kind := header(m, eventstreamapi.MessageTypeHeader); kind {
	case eventstreamapi.EventMessageType:
		return event(m)
	case eventstreamapi.ExceptionMessageType:
		return nil, exception(m)
	case eventstreamapi.ErrorMessageType:
		return nil, &smithy.GenericAPIError{Code: header(m, eventstreamapi.ErrorCodeHeader), Message: header(m, eventstreamapi.ErrorMessageHeader)}
	default:
		return nil, &FrameError{fmt.Errorf("a message of type %q", kind)}
	}
}

// bytesMinRead is what the decoder's buffer wants to have free before it reads.
const bytesMinRead = 512

func header(m eventstream.Message, name string) string {
	if v, ok := m.Headers.Get(name).(eventstream.StringValue); ok {
		return string(v)
	}
	return ""
}

// event reads an event. Of those that are no SubscribeToShardEvent, the first is the answer's own
// members, of which there are none.
func event(m eventstream.Message) (*Page, error) {
	if header(m, eventstreamapi.EventTypeHeader) != "SubscribeToShardEvent" {
		return nil, nil //nolint:nilnil // see Next
	}
	p := &Page{}
	if err := p.parse(m.Payload); err != nil {
		return nil, &smithy.DeserializationError{Err: fmt.Errorf("event of SubscribeToShard: %w", err)}
	}
	return p, nil
}

// exception reads an error of the service.
func exception(m eventstream.Message) error {
	var text struct{ Message string }
	if err := json.Unmarshal(m.Payload, &text); err != nil {
		text.Message = string(m.Payload)
	}
	return &smithy.GenericAPIError{Code: header(m, eventstreamapi.ExceptionTypeHeader), Message: text.Message}
}

// Close ends the subscription. A read that waits is ended by the context of Subscribe, not by this.
func (s *Subscription) Close() error { return s.body.Close() }
