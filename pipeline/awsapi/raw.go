package awsapi

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// RawAnswer has the body of a successful answer to one call read by the caller: in the place of the
// SDK's step that makes objects of it (the middleware OperationDeserializer). Everything else of the SDK
// stays: it signs, sends, and reads errors as ever. An answer that can't be read is a
// *smithy.DeserializationError, a retryable one where not all of it came.
type RawAnswer struct {
	// MaxBytes is the most that a body may have.
	MaxBytes int
	// Result is what the SDK's method returns: an empty output of the operation.
	Result any
	// Read reads a body, which is its own from then on: it is memory of reuse.Bytes. An attempt that
	// is made again reads again.
	Read func(body []byte) error
	// Stream, where it is set, is given the body of an answer that comes bit by bit, to read and close it,
	// in the place of Read.
	Stream func(body io.ReadCloser)
}

// Append returns the options of one call (Options.APIOptions) with this one behind: a call's options
// are a copy of the client's, but may share the list.
func (a RawAnswer) Append(options []func(*middleware.Stack) error) []func(*middleware.Stack) error {
	return append(options[:len(options):len(options)], func(stack *middleware.Stack) error {
		r := &rawReader{RawAnswer: a}
		var err error
		r.sdk, err = stack.Deserialize.Swap(operationDeserializer, r)
		return err
	})
}

// operationDeserializer is the step of the SDK that reads answers.
const operationDeserializer = "OperationDeserializer"

// rawReader reads the body of an answer in the place of the SDK.
type rawReader struct {
	RawAnswer
	sdk middleware.DeserializeMiddleware
}

// ID implements middleware.DeserializeMiddleware.
func (*rawReader) ID() string { return operationDeserializer }

// HandleDeserialize implements middleware.DeserializeMiddleware. What is no success is the
// SDK's to read.
func (r *rawReader) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok || response.StatusCode < 200 || response.StatusCode > 299 {
		return r.sdk.HandleDeserialize(ctx, in, middleware.DeserializeHandlerFunc(func(context.Context, middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
			return out, metadata, err
		}))
	}
	if r.Stream != nil {
		r.Stream(response.Body)
	} else if err := r.read(response); err != nil {
		return out, metadata, &smithy.DeserializationError{Err: fmt.Errorf("answer of %s: %w", middleware.GetOperationName(ctx), err)}
	}
	out.Result = r.Result
	return out, metadata, nil
}

// read reads the body of a response, and closes it.
func (r *rawReader) read(response *smithyhttp.Response) error {
	body, err := readBody(response.Body, response.ContentLength, r.MaxBytes)
	_ = response.Body.Close() // it is read to its end, or of no use
	if err == nil {
		err = checkSum(response.Header, body)
	}
	if err != nil {
		reuse.ReleaseBytes(body)
		return err
	}
	return r.Read(body)
}

// brokenAnswer is an answer that was damaged on its way. Like one that was cut it is worth another
// try.
type brokenAnswer struct{ error }

func (b *brokenAnswer) Unwrap() []error { return []error{io.ErrUnexpectedEOF, b.error} }

// checkSum compares the CRC-32 that DynamoDB and its streams send of their answers. The SDK does it for
// the first only, and tells when a body is closed.
func checkSum(h http.Header, body []byte) error {
	text := h.Get("X-Amz-Crc32")
	if text == "" {
		return nil
	}
	want, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return fmt.Errorf("its header X-Amz-Crc32 is %q", text)
	}
	if got := crc32.ChecksumIEEE(body); got != uint32(want) {
		return &brokenAnswer{fmt.Errorf("its CRC-32 is %d, announced was %d: it was damaged on its way", got, want)}
	}
	return nil
}

// readBody reads all of a body of a length that was announced, -1 = it was not, into memory which is
// returned with an error too.
func readBody(body io.Reader, length int64, most int) ([]byte, error) {
	errTooLong := fmt.Errorf("it has more than %d MiB", most>>20)
	if length > int64(most) {
		return nil, errTooLong
	}
	size := int(length)
	if length < 0 {
		size = 64 << 10
	}
	b, n := reuse.Bytes(size), 0
	for {
		if n == len(b) {
			if n == int(length) {
				return b, nil
			}
			larger := reuse.Bytes(min(2*n, most) + 1)
			copy(larger, b)
			reuse.ReleaseBytes(b)
			b = larger
		}
		k, err := body.Read(b[n:])
		n += k
		switch {
		case n > most:
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
