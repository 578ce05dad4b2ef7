//go:build unix

package dynamodbscan

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
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type answers []byte

func (a answers) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(a)), ContentLength: int64(len(a))}, nil
}

// BenchmarkScan measures a whole call through the SDK's client, without network, of items of an
// order of some 400 bytes: with the SDK's own decoding, and with ours. The time is that of the processors,
// with the collector's.
func BenchmarkScan(b *testing.B) {
	for _, n := range []int{100, 1000} {
		var items []string
		for i := range n {
			items = append(items, fmt.Sprintf(`{"PK":{"S":"CUST#%d"},"SK":{"S":"ORDER#%d"},"type":{"S":"order"},"orderid":{"N":"%d"},"orderdate":{"S":"2024-05-01T12:00:00Z"},"total":{"N":"1234.56"},`+
				`"address":{"M":{"street":{"S":"Sesame 1"},"city":{"S":"Köln"},"country":{"S":"DE"}}},"lines":{"L":[{"M":{"sku":{"S":"a-1"},"qty":{"N":"2"}}},{"M":{"sku":{"S":"b-7"},"qty":{"N":"1"}}}]},"gift":{"BOOL":false}}`, i%17, i, i))
		}
		body := answers(`{"ConsumedCapacity":{"CapacityUnits":50,"TableName":"shop"},"Count":` + fmt.Sprint(n) + `,"Items":[` + strings.Join(items, ",") +
			`],"LastEvaluatedKey":{"PK":{"S":"CUST#1"},"SK":{"S":"ORDER#1"}},"ScannedCount":` + fmt.Sprint(n) + `}`)
		c := dynamodb.New(dynamodb.Options{Region: "us-east-1", HTTPClient: body, Retryer: aws.NopRetryer{}, BaseEndpoint: aws.String("http://127.0.0.1:1"),
			Credentials: aws.CredentialsProviderFunc(func(_ context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "s"}, nil
			})})
		in := &dynamodb.ScanInput{TableName: aws.String("shop")}
		for _, way := range []struct {
			name string
			get  func() (int, error)
		}{
			{"sdk", func() (int, error) {
				out, err := c.Scan(b.Context(), in)
				if err != nil {
					return 0, err
				}
				return len(out.Items), nil
			}},
			{"page", func() (int, error) {
				p, err := getPage(b.Context(), c, in, []string{"PK", "SK"})
				if err != nil {
					return 0, err
				}
				defer p.free()
				return len(p.spans), nil
			}},
		} {
			b.Run(fmt.Sprintf("%s/%d", way.name, n), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				start := cpu()
				for b.Loop() {
					if got, err := way.get(); err != nil || got != n {
						b.Fatal(got, err)
					}
				}
				b.ReportMetric(float64((cpu()-start).Nanoseconds())/1e3/float64(b.N*n), "µs-cpu/item")
			})
		}
	}
}
