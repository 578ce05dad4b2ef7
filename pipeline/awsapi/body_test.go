package awsapi

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) Do(r *http.Request) (*http.Response, error) { return f(r) }

// TestPlainBody: what is sent is the same, but its body can't write itself, which the SDK's closed
// bodies do wrongly.
func TestPlainBody(t *testing.T) {
	client(t, answer(200, "", "")) // for its environment
	c := &Config{Endpoint: "http://127.0.0.1:1"}
	cfg, err := c.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	k := kinesis.NewFromConfig(cfg, func(o *kinesis.Options) {
		o.BaseEndpoint = c.BaseEndpoint()
		o.HTTPClient = roundTrip(func(r *http.Request) (*http.Response, error) {
			sent++
			if _, writes := r.Body.(io.WriterTo); writes {
				t.Error("the body writes itself")
			}
			body, err := io.ReadAll(r.Body)
			if err != nil || string(body) != `{"StreamName":"s"}` || r.ContentLength != int64(len(body)) {
				t.Errorf("body %q of %d bytes, %v", body, r.ContentLength, err)
			}
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"Shards":[]}`))}, nil
		})
	})
	if err := list(t.Context(), k); err != nil || sent != 1 {
		t.Errorf("%d sent, %v", sent, err)
	}
}
