package awsapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// rawResponse is a connection that always gives the same answer.
type rawResponse struct {
	status int
	body   string
	length int64
	sum    string // X-Amz-Crc32
}

func (a rawResponse) Do(*http.Request) (*http.Response, error) {
	h := http.Header{"Content-Type": {"application/x-amz-json-1.0"}}
	if a.sum != "" {
		h.Set("X-Amz-Crc32", a.sum)
	}
	return &http.Response{StatusCode: a.status, ContentLength: a.length, Header: h, Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

// scan calls Scan, and returns the body that came.
func scan(t *testing.T, a rawResponse, most int) ([]byte, *dynamodb.ScanOutput, error) {
	t.Helper()
	c := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", Retryer: aws.NopRetryer{}, HTTPClient: a,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
	var read []byte
	raw := RawAnswer{MaxBytes: most, Result: &dynamodb.ScanOutput{}, Read: func(body []byte) error {
		defer reuse.ReleaseBytes(body)
		read = bytes.Clone(body)
		return nil
	}}
	out, err := c.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("t")}, func(o *dynamodb.Options) { o.APIOptions = raw.Append(o.APIOptions) })
	return read, out, err
}

// TestRawAnswer: a successful body comes whole, or not at all.
func TestRawAnswer(t *testing.T) {
	const body = `{"Items":[{"id":{"S":"1"}}],"Count":1}`
	sum := fmt.Sprint(crc32.ChecksumIEEE([]byte(body)))
	n := int64(len(body))
	for _, a := range []rawResponse{{200, body, n, ""}, {200, body, -1, sum}, {200, body, n, sum}, {299, body, n, sum}} {
		read, out, err := scan(t, a, 1<<20)
		if err != nil || string(read) != body || out == nil || len(out.Items) != 0 {
			t.Errorf("%+v: %q, %v, %v", a, read, out, err)
		}
	}
	for _, c := range []struct {
		rawResponse
		most  int
		wrong string
		again bool
	}{
		{rawResponse{200, body[:9], n, sum}, 1 << 20, "unexpected EOF", true},
		{rawResponse{200, body, n, "1"}, 1 << 20, "damaged", true},
		{rawResponse{200, body, n, sum}, 9, "more than", false},
		{rawResponse{200, body, -1, sum}, 9, "more than", false},
	} {
		read, _, err := scan(t, c.rawResponse, c.most)
		var broken *smithy.DeserializationError
		if read != nil || !errors.As(err, &broken) || !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%+v: %q, %v", c, read, err)
		}
		if again := pipeline.Retryable(Error(t.Context(), err)); again != c.again {
			t.Errorf("%+v: retryable: %v", c, again)
		}
	}
	// What is no success is the SDK's to read.
	read, _, err := scan(t, rawResponse{400, `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no"}`, -1, ""}, 1<<20)
	var missing *types.ResourceNotFoundException
	if read != nil || !errors.As(err, &missing) || missing.ErrorMessage() != "no" {
		t.Errorf("%q, %v", read, err)
	}
}
