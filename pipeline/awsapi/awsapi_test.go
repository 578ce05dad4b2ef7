package awsapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"

	"github.com/starlift-etl/starlift/pipeline"
)

// client returns a client of a server that answers as h does.
func client(t *testing.T, h http.HandlerFunc) *kinesis.Client {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_KINESIS": "http://127.0.0.1:1"} {
		t.Setenv(name, value)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c := &Config{Endpoint: server.URL}
	cfg, err := c.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return kinesis.NewFromConfig(cfg, func(o *kinesis.Options) { o.BaseEndpoint = c.BaseEndpoint() })
}

func answer(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"__type":%q,"message":%q}`, code, message)
	}
}

func list(ctx context.Context, c *kinesis.Client) error {
	name := "s"
	_, err := c.ListShards(ctx, &kinesis.ListShardsInput{StreamName: &name})
	return err
}

// TestError: what the services' answers mean, and that the SDK does not ask again by itself.
func TestError(t *testing.T) {
	for _, c := range []struct {
		name   string
		h      http.HandlerFunc
		reason string // empty = it lasts
		text   string
	}{
		{"throttled", answer(400, "ProvisionedThroughputExceededException", "slow down"), Throttled, ""},
		{"limit", answer(400, "LimitExceededException", "rate"), Throttled, ""},
		{"throttled key", answer(400, "KMSThrottlingException", "slow down"), Throttled, ""},
		{"disabled key", answer(400, "KMSDisabledException", "disabled"), "", "enable it"},
		{"failed", answer(500, "InternalFailure", ""), Unavailable, ""},
		{"unavailable", answer(503, "", ""), Unavailable, ""},
		{"denied", answer(400, "AccessDeniedException", "not authorized to perform: kinesis:ListShards"), "", "docs/aws.md"},
		{"unknown key", answer(400, "UnrecognizedClientException", "the security token is invalid"), "", "access key"},
		{"expired", answer(400, "ExpiredTokenException", "expired"), Expired, ""},
		{"not found", answer(400, "ResourceNotFoundException", "no stream"), "", "no stream"},
		{"cut", func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, Connection, ""},
		{"half", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"Shards":[`)
		}, Connection, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var calls atomic.Int64
			k := client(t, func(w http.ResponseWriter, r *http.Request) { calls.Add(1); c.h(w, r) })
			err := Error(t.Context(), list(t.Context(), k))
			if err == nil || pipeline.Retryable(err) != (c.reason != "") || pipeline.RetryReason(err) != c.reason || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, reason %q", err, pipeline.RetryReason(err))
			}
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%v looks like the end of what is read", err)
			}
			if calls.Load() != 1 {
				t.Errorf("%d calls", calls.Load())
			}
		})
	}
}

// TestRefused: a server that is not there may come; a call that its caller ended is no failure of the service.
func TestRefused(t *testing.T) {
	k := client(t, answer(200, "", ""))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Error(ctx, list(ctx, k)); !errors.Is(err, context.Canceled) || pipeline.Retryable(err) {
		t.Errorf("ended by its caller: %v", err)
	}
	c := &Config{Endpoint: "http://127.0.0.1:1", Region: "eu-central-1"}
	cfg, err := c.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k = kinesis.NewFromConfig(cfg, func(o *kinesis.Options) { o.BaseEndpoint = c.BaseEndpoint() })
	if err := Error(t.Context(), list(t.Context(), k)); pipeline.RetryReason(err) != Connection {
		t.Errorf("nobody listens: %v", err)
	}
}

// TestRetry: it ends with success, at a lasting error, after its attempts; a half-open body meets
// the deadline of an attempt.
func TestRetry(t *testing.T) {
	var calls atomic.Int64
	script := []http.HandlerFunc{answer(503, "", ""), func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		_, _ = io.WriteString(w, `{"Shards":[`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}, answer(400, "ThrottlingException", ""), answer(200, "", "")}
	k := client(t, func(w http.ResponseWriter, r *http.Request) {
		script[min(int(calls.Add(1)), len(script))-1](w, r)
	})
	var reasons []string
	retry := Retry{Timeout: 200 * time.Millisecond, Count: func(reason string) { reasons = append(reasons, reason) },
		Wait: func(context.Context, time.Duration) error { return nil }}
	if err := retry.Do(t.Context(), func(ctx context.Context) error { return list(ctx, k) }); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(reasons, " "); got != "unavailable timeout throttled" {
		t.Errorf("reasons %q", got)
	}
	calls.Store(0)
	retry.Attempts = 2
	if err := retry.Do(t.Context(), func(ctx context.Context) error { return list(ctx, k) }); pipeline.RetryReason(err) != Timeout || calls.Load() != 2 {
		t.Errorf("after two attempts: %v, %d calls", err, calls.Load())
	}
	lasting := &smithy.GenericAPIError{Code: "AccessDenied"}
	n := 0
	if err := retry.Do(t.Context(), func(context.Context) error { n++; return lasting }); !errors.Is(err, lasting) || n != 1 {
		t.Errorf("a lasting error: %v, %d calls", err, n)
	}
}

// TestDelay: pauses are bounded, and the bound grows.
func TestDelay(t *testing.T) {
	r := Retry{Least: 10 * time.Millisecond, Most: time.Second}
	for attempt, most := range map[int]time.Duration{1: 10 * time.Millisecond, 2: 20 * time.Millisecond, 7: 640 * time.Millisecond, 8: time.Second, 1000: time.Second} {
		longest := time.Duration(0)
		for range 200 {
			longest = max(longest, r.Delay(attempt))
		}
		if longest > most || longest < most/2 {
			t.Errorf("attempt %d: at most %v, want %v", attempt, longest, most)
		}
	}
}

// TestRole: a role is assumed with its external id, and again when its credentials are called expired.
func TestRole(t *testing.T) {
	var assumed atomic.Int64
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := assumed.Add(1)
		if err := r.ParseForm(); err != nil || r.Form.Get("RoleArn") != "arn:aws:iam::123456789012:role/reader" || r.Form.Get("ExternalId") != "shop" || r.Form.Get("RoleSessionName") != "starlift" {
			t.Errorf("form %v, %v", r.Form, err)
		}
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ROLE%d</AccessKeyId>`+
			`<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			n, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	defer sts.Close()
	client(t, answer(200, "", "")) // for its environment
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	var keys []string
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, key, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		key, _, _ = strings.Cut(key, "/")
		if keys = append(keys, key); len(keys) == 2 {
			answer(400, "ExpiredTokenException", "expired")(w, r)
			return
		}
		answer(200, "", "")(w, r)
	}))
	defer service.Close()
	c := &Config{Endpoint: service.URL, AssumeRole: AssumeRole{ARN: "arn:aws:iam::123456789012:role/reader", ExternalID: "shop"}}
	cfg, err := c.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k := kinesis.NewFromConfig(cfg, func(o *kinesis.Options) { o.BaseEndpoint = c.BaseEndpoint() })
	for range 2 {
		if err := (Retry{Wait: func(context.Context, time.Duration) error { return nil }}).Do(t.Context(), func(ctx context.Context) error { return list(ctx, k) }); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(keys, " "); got != "ROLE1 ROLE1 ROLE2" {
		t.Errorf("signed by %s", got)
	}
}

// TestCheck: mistakes of a pipeline file.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		config Config
		wrong  int
	}{
		{Config{}, 0},
		{Config{Endpoint: "http://127.0.0.1:4567", AssumeRole: AssumeRole{ARN: "arn:aws-cn:iam::123456789012:role/a/b"}}, 0},
		{Config{Endpoint: "127.0.0.1:4567"}, 1},
		{Config{Endpoint: "s3://bucket", AssumeRole: AssumeRole{ARN: "reader"}}, 2},
		{Config{AssumeRole: AssumeRole{ExternalID: "x"}}, 1},
	} {
		if errs := c.config.Check(); len(errs) != c.wrong {
			t.Errorf("%+v: %v", c.config, errs)
		}
	}
}

// TestNoRegion says what to set.
func TestNoRegion(t *testing.T) {
	client(t, answer(200, "", "")) // for its environment
	if _, err := (&Config{}).Load(t.Context()); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("got %v", err)
	}
}

// TestLocal tells AWS's endpoints from others.
func TestLocal(t *testing.T) {
	for endpoint, want := range map[string]bool{"": false, "http://127.0.0.1:7070": true, "https://minio.example.org": true,
		"https://s3.eu-central-1.amazonaws.com": false, "https://s3.cn-north-1.amazonaws.com.cn": false, "https://bucket.vpce-1.s3.us-east-1.vpce.amazonaws.com": false, "https://s3.dualstack.us-west-2.api.aws": false} {
		if Local(endpoint) != want {
			t.Errorf("%s: %v", endpoint, !want)
		}
	}
}

// TestNoCredentials: that there are none lasts, and the message says what to set.
func TestNoCredentials(t *testing.T) {
	client(t, answer(200, "", "")) // for its environment
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	c := &Config{Endpoint: "http://127.0.0.1:1"}
	cfg, err := c.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k := kinesis.NewFromConfig(cfg, func(o *kinesis.Options) { o.BaseEndpoint = c.BaseEndpoint() })
	if err := Error(t.Context(), list(t.Context(), k)); err == nil || pipeline.Retryable(err) || !strings.Contains(err.Error(), "there are no AWS credentials") {
		t.Errorf("got %v", err)
	}
}
