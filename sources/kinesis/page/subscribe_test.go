package page

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
)

// frame encodes a message with headers, given as name, value.
func frame(t testing.TB, payload string, headers ...string) []byte {
	t.Helper()
	m := eventstream.Message{Payload: []byte(payload)}
	for i := 0; i < len(headers); i += 2 {
		m.Headers.Set(headers[i], eventstream.StringValue(headers[i+1]))
	}
	var b bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func eventFrame(t testing.TB, payload string) []byte {
	return frame(t, payload, ":message-type", "event", ":event-type", "SubscribeToShardEvent")
}

func initialFrame(t testing.TB) []byte {
	return frame(t, "{}", ":message-type", "event", ":event-type", "initial-response")
}

// subscribe returns the subscription whose answer is a body.
func subscribe(t testing.TB, body []byte) *Subscription {
	t.Helper()
	s, err := Subscribe(t.Context(), of(200, body, -1), subscribeInput)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

var subscribeInput = &kinesis.SubscribeToShardInput{
	ConsumerARN: aws.String("arn:aws:kinesis:us-east-1:123456789012:stream/s/consumer/c:1"), ShardId: aws.String("shardId-000000000000"),
	StartingPosition: &types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon},
}

// TestEvents: what a subscription brings, message by message, and what it ends with.
func TestEvents(t *testing.T) {
	event := func(n int) string {
		return fmt.Sprintf(`{"Records":[{"SequenceNumber":"%d","PartitionKey":"a","Data":"aGk="}],"ContinuationSequenceNumber":"%d","MillisBehindLatest":0}`, n, n)
	}
	whole := bytes.Join([][]byte{initialFrame(t), eventFrame(t, event(1)), eventFrame(t, event(2))}, nil)
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-30] ^= 1
	prelude := bytes.Clone(whole)
	prelude[len(initialFrame(t))+1] ^= 1
	huge := append(bytes.Clone(initialFrame(t)), 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0)
	headers := append(bytes.Clone(initialFrame(t)), 0, 0, 0, 20, 0, 0, 0, 5, 0, 0, 0, 0)
	exception := append(bytes.Clone(whole), frame(t, `{"message":"taken"}`, ":message-type", "exception", ":exception-type", "ResourceInUseException")...)
	failure := append(bytes.Clone(whole), frame(t, "", ":message-type", "error", ":error-code", "InternalFailure", ":error-message", "oops")...)
	strange := append(bytes.Clone(whole), frame(t, "", ":message-type", "letter")...)
	for _, c := range []struct {
		name   string
		body   []byte
		events string
		end    func(error) bool
	}{
		{"to its end", whole, "1 2", func(err error) bool { return err == io.EOF }}, //nolint:errorlint // itself
		{"without the first message", eventFrame(t, event(7)), "7", func(err error) bool { return errors.Is(err, io.EOF) }},
		{"unknown events", append(frame(t, "x", ":message-type", "event", ":event-type", "Weather"), whole...), "1 2", func(err error) bool { return errors.Is(err, io.EOF) }},
		{"cut in a message", whole[:len(whole)-5], "1", func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		{"cut in a prelude", append(bytes.Clone(whole), 0, 0, 1), "1 2", func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		{"damaged", damaged, "1", isFrameError},
		{"damaged lengths", prelude, "", isFrameError},
		{"too long", huge, "", isFrameError},
		{"headers beyond the message", headers, "", isFrameError},
		{"no event stream", []byte("<html><body>moved</body></html>"), "", isFrameError},
		{"a message of no type", strange, "1 2", isFrameError},
		{"an exception", exception, "1 2", isAPIError("ResourceInUseException", "taken")},
		{"an error", failure, "1 2", isAPIError("InternalFailure", "oops")},
		{"no JSON", append(bytes.Clone(whole), eventFrame(t, `{"Records":[`)...), "1 2", func(err error) bool { return errors.As(err, new(*smithy.DeserializationError)) }},
		{"no records", append(bytes.Clone(whole), eventFrame(t, `{}`)...), "1 2", func(err error) bool { return errors.As(err, new(*smithy.DeserializationError)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := subscribe(t, c.body)
			var got []string
			var err error
			for err == nil {
				if err = s.Wait(); err != nil {
					break
				}
				var p *Page
				if p, err = s.Next(); p != nil {
					got = append(got, p.Continuation)
					p.Free()
				}
			}
			if events := strings.Join(got, " "); events != c.events || !c.end(err) {
				t.Errorf("events %q, then %v; want %q", events, err, c.events)
			}
		})
	}
}

func isFrameError(err error) bool { return errors.As(err, new(*FrameError)) }

func isAPIError(code, message string) func(error) bool {
	return func(err error) bool {
		var api smithy.APIError
		return errors.As(err, &api) && api.ErrorCode() == code && api.ErrorMessage() == message
	}
}

// TestRefusedSubscription: errors of the call are the SDK's to read, and leave no body open.
func TestRefusedSubscription(t *testing.T) {
	body := []byte(`{"__type":"ResourceInUseException","message":"busy"}`)
	_, err := Subscribe(t.Context(), of(http.StatusBadRequest, body, int64(len(body))), subscribeInput)
	var inUse *types.ResourceInUseException
	if !errors.As(err, &inUse) || inUse.ErrorMessage() != "busy" {
		t.Errorf("got %v", err)
	}
}

// TestSplit: two parts of a page hold its memory until both are freed, and what is appended to one does not
// touch the other.
func TestSplit(t *testing.T) {
	p, err := get(t, `{"Records":[{"SequenceNumber":"1","Data":"YQ=="},{"SequenceNumber":"2","Data":"Yg=="},{"SequenceNumber":"3","Data":"Yw=="}],"NextShardIterator":"n"}`)
	if err != nil {
		t.Fatal(err)
	}
	freed := 0
	p.OnFree(func() { freed++ })
	rest := p.Split(1)
	if len(p.Records) != 1 || len(rest.Records) != 2 || p.Next != "" || rest.Next != "n" || rest.Sequence(0) != "2" {
		t.Errorf("%d and %d records, then %q and %q", len(p.Records), len(rest.Records), p.Next, rest.Next)
	}
	first := append(p.Data, "first"...)
	second := append(rest.Data, "other"...)
	if string(first) != "abcfirst" || string(second) != "abcother" {
		t.Errorf("the data are %q and %q", first, second)
	}
	last := rest.Split(1)
	p.Free()
	p.Free()
	last.Free()
	if freed != 0 || string(rest.Data[rest.Records[0].Start:rest.Records[0].End]) != "b" {
		t.Errorf("freed %d times while a part is held: %q", freed, rest.Data)
	}
	rest.Free()
	if freed != 1 {
		t.Errorf("freed %d times", freed)
	}
}
