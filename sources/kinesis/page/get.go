package page

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// MaxBody is the most bytes that an answer may have. The service gives up to 10 MiB of
// data, which is 14 MB in base64, and up to 10,000 records, of which each may take 1.8 kB
// beside its data: most of it for a key of 256 control characters, as escapes.
const MaxBody = 48 << 20

// Client is what of the SDK's client is needed.
type Client interface {
	GetRecords(ctx context.Context, in *kinesis.GetRecordsInput, options ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error)
}

// Get makes a call of GetRecords. Errors are those of the SDK; an answer that can't be read is a
// *smithy.DeserializationError. ctx bounds the reading of the body too.
func Get(ctx context.Context, c Client, in *kinesis.GetRecordsInput) (*Page, error) {
	r := &reader{page: &Page{}}
	_, err := c.GetRecords(ctx, in, func(o *kinesis.Options) {
		// The options are a copy, but may share the list.
		o.APIOptions = append(o.APIOptions[:len(o.APIOptions):len(o.APIOptions)], r.install)
	})
	if err != nil {
		r.page.Free() // an interceptor may fail after the body was read
		return nil, err
	}
	return r.page, nil
}

// operationDeserializer is the step of the SDK that reads answers.
const operationDeserializer = "OperationDeserializer"

// reader reads the body of an answer in the place of the SDK.
type reader struct {
	page *Page
	sdk  middleware.DeserializeMiddleware
}

func (r *reader) install(stack *middleware.Stack) error {
	sdk, err := stack.Deserialize.Swap(operationDeserializer, r)
	r.sdk = sdk
	return err
}

// ID implements middleware.DeserializeMiddleware.
func (*reader) ID() string { return operationDeserializer }

// HandleDeserialize implements middleware.DeserializeMiddleware. What is no success is the
// SDK's to read.
func (r *reader) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok || response.StatusCode < 200 || response.StatusCode > 299 {
		return r.sdk.HandleDeserialize(ctx, in, middleware.DeserializeHandlerFunc(func(context.Context, middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
			return out, metadata, err
		}))
	}
	defer func() { _ = response.Body.Close() }() // it is read to its end, or of no use
	if err := r.read(response.Body, response.ContentLength); err != nil {
		return out, metadata, &smithy.DeserializationError{Err: fmt.Errorf("answer of GetRecords: %w", err)}
	}
	out.Result = &kinesis.GetRecordsOutput{}
	return out, metadata, nil
}

// read reads a body of a length that was announced; -1 = it was not.
func (r *reader) read(body io.Reader, length int64) error {
	b, err := readBody(body, length)
	defer func() { release(b) }()
	if err != nil {
		return err
	}
	r.page.Free()
	*r.page = Page{}
	return r.page.parse(b)
}

var errTooLong = fmt.Errorf("it has more than %d MiB", MaxBody>>20)

// readBody reads all of a body into memory of the pool, which is returned with an error too.
func readBody(body io.Reader, length int64) ([]byte, error) {
	if length > MaxBody {
		return nil, errTooLong
	}
	size := int(length)
	if length < 0 {
		size = 64 << 10
	}
	b, n := acquire(size), 0
	for {
		if n == len(b) {
			if n == int(length) {
				return b, nil
			}
			larger := acquire(min(2*n, MaxBody) + 1)
			copy(larger, b)
			release(b)
			b = larger
		}
		k, err := body.Read(b[n:])
		n += k
		switch {
		case n > MaxBody:
			return b, errTooLong
		case errors.Is(err, io.EOF) && length >= 0 && n < int(length):
			return b, io.ErrUnexpectedEOF
		case errors.Is(err, io.EOF):
			return b[:n], nil
		case err != nil:
			return b, err
		}
	}
}
