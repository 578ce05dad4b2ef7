//go:build unix

package dynamodbstreams

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
)

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// answers is a connection that gives answers.
type answers func(*http.Request) (*http.Response, error)

func (f answers) Do(r *http.Request) (*http.Response, error) { return f(r) }

// clientOf returns a client that is always answered the same.
func clientOf(body []byte) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://127.0.0.1:1"), Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
		HTTPClient: answers(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, ContentLength: int64(len(body)), Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(bytes.NewReader(body))}, nil
		}),
	})
}

// sample returns the body of a page of records of 1 kB.
func sample(records int) []byte {
	b := []byte(`{"NextShardIterator":"` + strings.Repeat("A", 200) + `","Records":[`)
	image := func(n int) string {
		var b strings.Builder
		fmt.Fprintf(&b, `{"id":{"S":"customer#%d"},"n":{"N":"%d"},"price":{"N":"12.50"},"active":{"BOOL":true},"tags":{"SS":["a","b"]},"address":{"M":{"city":{"S":"Aachen"},"zip":{"S":"52062"}}}`, n, n)
		for i := range 5 {
			fmt.Fprintf(&b, `,"attribute%d":{"S":"a text of some words, number %d"}`, i, i)
		}
		return b.String() + "}"
	}
	for i := range records {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"awsRegion":"eu-central-1","dynamodb":{"ApproximateCreationDateTime":1.7145648E9,"Keys":{"id":{"S":"customer#%d"}},"NewImage":%s,"OldImage":%s,"SequenceNumber":"%d00000000012345678901","SizeBytes":612,"StreamViewType":"NEW_AND_OLD_IMAGES"},"eventID":"%032d","eventName":"MODIFY","eventSource":"aws:dynamodb","eventVersion":"1.1"}`,
			i, image(i), image(i+1), i+1, i)
	}
	return append(b, "]}"...)
}

// BenchmarkGetRecords measures a whole call through the SDK's client, without network, of records of
// about 1 kB: with the SDK's own decoding, and with ours, which leaves them to the decoder. The time is that of
// the processors, with the collector's.
func BenchmarkGetRecords(b *testing.B) {
	in := &sdk.GetRecordsInput{ShardIterator: aws.String("i")}
	for _, n := range []int{100, 1000} {
		body := sample(n)
		c := clientOf(body)
		for _, way := range []struct {
			name string
			get  func() (int, error)
		}{
			{"sdk", func() (int, error) {
				out, err := c.GetRecords(b.Context(), in)
				if err != nil {
					return 0, err
				}
				return len(out.Records), nil
			}},
			{"page", func() (int, error) {
				p, err := getPage(b.Context(), c, in)
				if err != nil {
					return 0, err
				}
				defer p.free()
				return len(p.records), nil
			}},
		} {
			b.Run(fmt.Sprintf("%s/%d", way.name, n), func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				began := cpu()
				for b.Loop() {
					if got, err := way.get(); err != nil || got != n {
						b.Fatal(got, err)
					}
				}
				b.ReportMetric(float64((cpu()-began).Nanoseconds())/1000/float64(b.N)/float64(n), "µs-cpu/record")
			})
		}
	}
}
