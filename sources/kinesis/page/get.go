package page

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/reuse"
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
	p := &Page{}
	raw := awsapi.RawAnswer{MaxBytes: MaxBody, Result: &kinesis.GetRecordsOutput{}, Read: func(body []byte) error {
		defer reuse.ReleaseBytes(body)
		p.Free()
		*p = Page{}
		return p.parse(body)
	}}
	_, err := c.GetRecords(ctx, in, func(o *kinesis.Options) { o.APIOptions = raw.Append(o.APIOptions) })
	if err != nil {
		p.Free() // an interceptor may fail after the body was read
		return nil, err
	}
	return p, nil
}
