package awstest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	ktypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

func TestMain(m *testing.M) {
	if err := awstest.MainEnv(); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// stream makes a stream of one shard and returns a client that tries once.
func stream(t *testing.T, config aws.Config, name string) *kinesis.Client {
	t.Helper()
	config.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	client := kinesis.NewFromConfig(config)
	if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	if err := kinesis.NewStreamExistsWaiter(client, func(o *kinesis.StreamExistsWaiterOptions) { o.MinDelay = time.Millisecond }).
		Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: &name}, time.Minute); err != nil {
		t.Fatal(err)
	}
	return client
}

func put(ctx context.Context, client *kinesis.Client, name, data string) error {
	_, err := client.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: &name, Data: []byte(data), PartitionKey: aws.String("k")})
	return err
}

func read(t *testing.T, client *kinesis.Client, name string) []string {
	t.Helper()
	iterator, err := client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
		StreamName: &name, ShardId: aws.String("shardId-000000000000"), ShardIteratorType: ktypes.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: iterator.ShardIterator})
	if err != nil {
		t.Fatal(err)
	}
	var data []string
	for _, r := range page.Records {
		data = append(data, string(r.Data))
	}
	return data
}

func want(t *testing.T, what string, got []string, wanted ...string) {
	t.Helper()
	if strings.Join(got, " ") != strings.Join(wanted, " ") {
		t.Errorf("%s: got %q, want %q", what, got, wanted)
	}
}

// TestKinesis has both servers take and give a record, and shows that each test has its own.
func TestKinesis(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB, ...awstest.Option) *awstest.Service{"ferrokinesis": awstest.Kinesis, "kinesis-mock": awstest.KinesisMock} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			client := stream(t, s.Config(), "s")
			if err := put(t.Context(), client, "s", name); err != nil {
				t.Fatal(err)
			}
			want(t, "records", read(t, client, "s"), name)
		})
	}
}

// TestKillLosesAndDurableKeeps kills Kinesis, with and without a memory of its own.
func TestKillLosesAndDurableKeeps(t *testing.T) {
	t.Parallel()
	t.Run("durable", func(t *testing.T) {
		t.Parallel()
		s := awstest.Kinesis(t, awstest.Durable())
		client := stream(t, s.Config(), "s")
		if err := put(t.Context(), client, "s", "kept"); err != nil {
			t.Fatal(err)
		}
		at := s.Endpoint
		s.Kill()
		if err := put(t.Context(), client, "s", "lost"); err == nil {
			t.Error("a server that was killed takes a record")
		}
		s.Restart()
		if s.Endpoint != at {
			t.Errorf("it is at %s after the restart, and was at %s", s.Endpoint, at)
		}
		want(t, "records", read(t, client, "s"), "kept")
	})
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		s := awstest.Kinesis(t)
		client := stream(t, s.Config(), "s")
		s.Kill()
		s.Restart()
		var gone *ktypes.ResourceNotFoundException
		if err := put(t.Context(), client, "s", "x"); !errors.As(err, &gone) {
			t.Errorf("a put to a stream that was in memory: %v", err)
		}
	})
}

func TestPauseAnswersLater(t *testing.T) {
	t.Parallel()
	s := awstest.Kinesis(t)
	client := stream(t, s.Config(), "s")
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := put(ctx, client, "s", "first"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a put to a server that is stopped: %v", err)
	}
	s.Resume()
	if err := put(t.Context(), client, "s", "second"); err != nil {
		t.Fatal(err)
	}
	// Whether the first was read before its connection was closed is the server's affair.
	if got := read(t, client, "s"); got[len(got)-1] != "second" {
		t.Errorf("records: %q", got)
	}
}

// TestClock lets a day pass: what is older than the retention is trimmed.
func TestClock(t *testing.T) {
	t.Parallel()
	s := awstest.Kinesis(t, awstest.FakeClock())
	client := stream(t, s.Config(), "s")
	if err := put(t.Context(), client, "s", "old"); err != nil {
		t.Fatal(err)
	}
	s.Clock(25*time.Hour + 6*time.Minute)
	if err := put(t.Context(), client, "s", "new"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; {
		got := read(t, client, "s")
		if len(got) == 1 && got[0] == "new" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("records after 25 h: %q", got)
		}
	}
}

// object puts an object into a bucket that it makes.
func object(ctx context.Context, client *s3.Client, key, body string) error {
	_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: &key, Body: strings.NewReader(body)})
	return err
}

func bucket(t *testing.T, config aws.Config) *s3.Client {
	t.Helper()
	config.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	client := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		t.Fatal(err)
	}
	return client
}

func get(t *testing.T, client *s3.Client, key string) ([]byte, error) {
	t.Helper()
	out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: &key, ChecksumMode: "ENABLED"})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

func TestS3KeepsWhatItHasAndChecksTheSecret(t *testing.T) {
	t.Parallel()
	s := awstest.S3(t)
	client := bucket(t, s.Config())
	if err := object(t.Context(), client, "a b+c%2Fü", "body"); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	s.Restart()
	if got, err := get(t, client, "a b+c%2Fü"); err != nil || string(got) != "body" {
		t.Errorf("object after a restart: %q, %v", got, err)
	}
	wrong := s.Config()
	wrong.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: awstest.AccessKey, SecretAccessKey: "wrong"}, nil
	})
	var refused smithy.APIError
	_, err := get(t, s3.NewFromConfig(wrong, func(o *s3.Options) { o.UsePathStyle = true }), "a b+c%2Fü")
	if !errors.As(err, &refused) || refused.ErrorCode() != "SignatureDoesNotMatch" {
		t.Errorf("a get with a wrong secret: %v", err)
	}
}

func TestMiniStack(t *testing.T) {
	t.Parallel()
	s := awstest.MiniStack(t)
	client := dynamodb.NewFromConfig(s.Config())
	tables, err := client.ListTables(t.Context(), &dynamodb.ListTablesInput{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "tables", tables.TableNames)
}

// TestProxy spoils the way to S3 in each of its ways, and mends it.
func TestProxy(t *testing.T) {
	t.Parallel()
	s := awstest.S3(t)
	proxy := awstest.Proxy(t, s.Endpoint)
	client := bucket(t, awstest.Config(t, proxy.Endpoint))
	body := strings.Repeat("x", 100_000)
	if err := object(t.Context(), client, "k", body); err != nil {
		t.Fatal(err)
	}
	within := func(d time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		return object(ctx, client, "k", body)
	}

	proxy.Cut()
	if err := within(time.Minute); err == nil {
		t.Error("a put by a proxy that was cut has an answer")
	}
	proxy.Restore()
	if err := within(time.Minute); err != nil {
		t.Errorf("a put by a proxy that was restored: %v", err)
	}

	proxy.HalfOpen()
	var timeout net.Error
	if err := within(100 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) && !(errors.As(err, &timeout) && timeout.Timeout()) {
		t.Errorf("a put by a half-open connection: %v", err)
	}
	proxy.Restore()

	proxy.Slow(150*time.Millisecond, 1_000_000)
	began := time.Now()
	if got, err := get(t, client, "k"); err != nil || string(got) != body {
		t.Errorf("a slow get: %d bytes, %v", len(got), err)
	}
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("a slow get took %s", took)
	}
}

// TestHTTPProxy spoils calls of S3 in each of its ways.
func TestHTTPProxy(t *testing.T) {
	t.Parallel()
	s := awstest.S3(t)
	proxy := awstest.NewHTTPProxy(t, s.Endpoint)
	client := bucket(t, awstest.Config(t, proxy.Endpoint))
	body := strings.Repeat("x", 100_000)
	once := func(effect awstest.Effect, operation string) awstest.Fault {
		return awstest.Fault{Effect: effect, Operation: operation, Times: 1}
	}

	proxy.Add(once(awstest.LoseAnswer, "s3:PutObject"))
	if err := object(t.Context(), client, "lost", body); err == nil {
		t.Error("a put whose answer is lost has one")
	}
	if got, err := get(t, client, "lost"); err != nil || string(got) != body {
		t.Errorf("the object of a put whose answer was lost: %d bytes, %v", len(got), err)
	}

	proxy.Add(once(awstest.FlipRequest, "s3:PutObject"))
	var api smithy.APIError
	if err := object(t.Context(), client, "flipped", body); !errors.As(err, &api) || api.ErrorCode() != "XAmzContentSHA256Mismatch" {
		t.Errorf("a put of which a bit was changed: %v", err)
	}

	proxy.Add(once(awstest.Reset, "s3:PutObject"))
	if err := object(t.Context(), client, "reset", body); err == nil {
		t.Error("a put whose connection was closed has an answer")
	}
	var none smithy.APIError
	if _, err := get(t, client, "reset"); !errors.As(err, &none) || none.ErrorCode() != "NoSuchKey" {
		t.Errorf("the object of a put that never came: %v", err)
	}

	proxy.Add(awstest.Fault{Effect: awstest.FlipAnswer, Operation: "s3:GetObject", After: 1, Times: 1})
	if got, err := get(t, client, "lost"); err != nil || string(got) != body {
		t.Errorf("a get before the fault: %d bytes, %v", len(got), err)
	}
	if got, err := get(t, client, "lost"); err == nil && bytes.Equal(got, []byte(body)) {
		t.Error("a get of which a bit was changed is whole")
	}
	proxy.Add(once(awstest.CutAnswer, "s3:GetObject"))
	if got, err := get(t, client, "lost"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a get of which the answer is cut: %d bytes, %v", len(got), err)
	}

	proxy.Add(awstest.Fault{Effect: awstest.Refuse, Operation: "s3:PutObject", Times: 1, Status: 503, Code: "SlowDown", Message: "Please reduce your request rate."})
	var slow smithy.APIError
	if err := object(t.Context(), client, "slow", body); !errors.As(err, &slow) || slow.ErrorCode() != "SlowDown" {
		t.Errorf("a put that is refused: %v", err)
	}
	if got := proxy.Spoiled(); got != 6 {
		t.Errorf("%d calls were spoiled, want 6", got)
	}
	want(t, "operations", proxy.Operations(), "s3:CreateBucket", "s3:GetObject", "s3:PutObject")
}

// TestRefuseSpeaksEachProtocol has each service's client understand a refusal.
func TestRefuseSpeaksEachProtocol(t *testing.T) {
	t.Parallel()
	proxy := awstest.NewHTTPProxy(t, "http://127.0.0.1:1")
	proxy.Add(awstest.Fault{Effect: awstest.Refuse, Operation: "kinesis:ListShards", Status: 400, Code: "LimitExceededException", Message: "Rate exceeded"})
	config := awstest.Config(t, proxy.Endpoint)
	config.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	var limit *ktypes.LimitExceededException
	if _, err := kinesis.NewFromConfig(config).ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: aws.String("s")}); !errors.As(err, &limit) {
		t.Errorf("ListShards: %v", err)
	}
	want(t, "operations", proxy.Operations(), "kinesis:ListShards")
	if body := string(proxy.Calls()[0].Body); body != `{"StreamName":"s"}` {
		t.Errorf("the body of ListShards: %s", body)
	}
}
