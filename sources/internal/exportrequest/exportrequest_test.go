package exportrequest

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
)

const bucket = "exports"

// world is a table, a bucket and a client.
type world struct {
	*dynamodbtest.Server
	t      *testing.T
	client *Client
	table  Table
	at     Destination
}

func newWorld(t *testing.T, o dynamodbtest.ExportOptions) *world {
	t.Helper()
	awstest.Setenv(t)
	objects := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	t.Cleanup(objects.Close)
	buckets := s3.NewFromConfig(awstest.Config(t, objects.URL), func(o *s3.Options) { o.UsePathStyle = true })
	name := bucket
	if _, err := buckets.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	o.Endpoint = objects.URL
	w := &world{t: t, Server: dynamodbtest.New(t, dynamodbtest.Options{Exports: o}), at: Destination{Bucket: bucket, Prefix: "shop"}}
	if err := w.Create(dynamodbtest.Table{Name: "shop", Key: "pk", SortKey: "sk N", Recovery: true}); err != nil {
		t.Fatal(err)
	}
	w.Advance(48 * time.Hour)
	w.client = w.newClient("shop")
	var err error
	if w.table, err = w.client.DescribeTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// newClient returns a client whose pauses are over at once, and move the clock.
func (w *world) newClient(table string) *Client {
	w.t.Helper()
	c, err := New(w.t.Context(), Options{Table: table, AWS: awsapi.Config{Endpoint: w.Endpoint, Region: "us-east-1"}, Env: pipeline.NewEnv(),
		Wait: func(ctx context.Context, d time.Duration) error {
			w.Advance(d)
			return errors.Join(w.AwaitExports(ctx), ctx.Err())
		}})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// ask asks for an export, which is not to have failed.
func (w *world) ask(r Request) Export {
	w.t.Helper()
	e, err := w.client.Ask(w.t.Context(), w.table, w.at, r)
	if err != nil || e.State == Failed || e.ARN == "" {
		w.t.Fatalf("asking: %+v, %v", e, err)
	}
	return e
}

// full and window return new requests.
func (w *world) full() Request { return Request{ID: NewID(), Asked: w.Now()} }

func (w *world) window(from time.Time, length time.Duration) Request {
	return Request{Asked: w.Now(), From: from, To: from.Add(length)}
}

// hoursAgo returns a whole second.
func (w *world) hoursAgo(n int) time.Time {
	return w.Now().Add(-time.Duration(n) * time.Hour).Truncate(time.Second)
}

func (w *world) asked() int { return len(w.Requests("ExportTableToPointInTime", "shop", "")) }

// TestTable: what is needed of a table, by its name or its ARN; one that is not there.
func TestTable(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{})
	if got := w.table; got.Name != "shop" || strings.Join(got.Key, " ") != "pk sk" || got.ID == "" || !strings.HasSuffix(got.ARN, ":table/shop") {
		t.Errorf("got %+v", got)
	}
	if got, err := w.newClient(w.table.ARN).DescribeTable(t.Context()); err != nil || got.ARN != w.table.ARN {
		t.Errorf("by its ARN: %+v, %v", got, err)
	}
	if _, err := w.newClient("other").DescribeTable(t.Context()); err == nil || !strings.Contains(err.Error(), "no such table in us-east-1") {
		t.Errorf("another one: %v", err)
	}
}

// TestAskedOnce: the same request is one export: at once, when the answer was lost, while throttled, and days
// later, when the service has forgotten the client token.
func TestAskedOnce(t *testing.T) {
	for name, newRequest := range map[string]func(*world) Request{
		"full":        (*world).full,
		"incremental": func(w *world) Request { return w.window(w.hoursAgo(10), time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, dynamodbtest.ExportOptions{})
			r := newRequest(w)
			w.Inject(awsfake.Fault{Operation: "ExportTableToPointInTime", Effect: awsfake.LoseAnswer, Times: 1})
			w.Inject(awsfake.Fault{Operation: "ExportTableToPointInTime", Effect: awsfake.Refuse, Code: "LimitExceededException", Times: 3})
			w.Inject(awsfake.Fault{Operation: "DescribeExport", Effect: awsfake.Refuse, Code: "ThrottlingException", Times: 2})
			first := w.ask(r)
			if again := w.ask(r); again.ARN != first.ARN {
				t.Errorf("again: %s, %s", again.ARN, first.ARN)
			}
			done, err := w.client.Wait(t.Context(), first.ARN, func(Export) {})
			if err != nil || done.State != Completed || !strings.Contains(done.Manifest, first.ID()) {
				t.Fatalf("%+v, %v", done, err)
			}
			w.Advance(72 * time.Hour)
			before := w.asked()
			if later := w.ask(r); later.ARN != first.ARN || w.asked() != before {
				t.Errorf("days later: %s, %s, %d calls", later.ARN, first.ARN, w.asked()-before)
			}
			if other := w.ask(newRequest(w)); name == "full" && other.ARN == first.ARN {
				t.Error("another request got the same export")
			}
		})
	}
}

// TestFindsItsOwn: exports of others are not taken for the one that is asked for, but for an
// incremental one of the same window and place.
func TestFindsItsOwn(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{})
	api := dynamodb.NewFromConfig(awstest.Config(t, w.Endpoint))
	of := func(change func(*dynamodb.ExportTableToPointInTimeInput)) string {
		in := &dynamodb.ExportTableToPointInTimeInput{TableArn: &w.table.ARN, S3Bucket: &w.at.Bucket, S3Prefix: &w.at.Prefix}
		change(in)
		out, err := api.ExportTableToPointInTime(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return *out.ExportDescription.ExportArn
	}
	r := w.full()
	theirs := of(func(*dynamodb.ExportTableToPointInTimeInput) {})
	if w.ask(r).ARN == theirs {
		t.Error("somebody else's full export was taken")
	}
	from := w.hoursAgo(20)
	r = w.window(from, time.Hour)
	windowOf := func(to time.Time) func(*dynamodb.ExportTableToPointInTimeInput) {
		return func(in *dynamodb.ExportTableToPointInTimeInput) {
			in.ExportType, in.IncrementalExportSpecification = types.ExportTypeIncrementalExport, &types.IncrementalExportSpecification{ExportFromTime: &from, ExportToTime: &to}
		}
	}
	elsewhere, longer := "elsewhere", of(windowOf(r.To.Add(time.Hour)))
	away := of(func(in *dynamodb.ExportTableToPointInTimeInput) { windowOf(r.To)(in); in.S3Prefix = &elsewhere })
	if got := w.ask(r).ARN; got == longer || got == away {
		t.Error("an export of another window or place was taken")
	}
	from = w.hoursAgo(15)
	r = w.window(from, time.Hour)
	same := of(windowOf(r.To))
	if got := w.ask(r).ARN; got != same {
		t.Error("an export of the same window and place was not taken")
	}
}

// TestLooksAtRecent: of a table with months of exports only those are looked at that may be meant.
func TestLooksAtRecent(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{Files: 1})
	for range 60 {
		w.ask(w.window(w.hoursAgo(1).Add(-time.Hour), time.Hour))
		w.Advance(time.Hour)
	}
	w.Advance(30 * time.Minute)
	r := w.window(w.hoursAgo(1), 15*time.Minute)
	listed, described := len(w.Requests("ListExports", "", "")), len(w.Requests("DescribeExport", "", ""))
	w.ask(r)
	if n := len(w.Requests("DescribeExport", "", "")) - described; n > 2 {
		t.Errorf("%d exports were looked at", n)
	}
	if n := len(w.Requests("ListExports", "", "")) - listed; n > 1 {
		t.Errorf("%d pages were listed", n)
	}
	r = w.window(w.hoursAgo(50), time.Hour)
	first := w.ask(r)
	if again := w.ask(r); again.ARN != first.ARN {
		t.Error("one on a later page was not found again")
	}
}

// TestFailed: an export that fails says why, and is never found again: another attempt is another one.
func TestFailed(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{Delay: -1})
	r := w.full()
	e := w.ask(r)
	looks := 0
	_, err := w.client.Wait(t.Context(), e.ARN, func(Export) {
		if looks++; looks == 3 {
			w.FailExports("S3NoSuchBucket", "The specified bucket does not exist")
		}
	})
	failed, ok := errors.AsType[*FailedError](err)
	if !ok || pipeline.Retryable(err) || failed.Export.FailureCode != "S3NoSuchBucket" || !strings.Contains(err.Error(), "does not exist") || !strings.Contains(err.Error(), e.ARN) {
		t.Fatalf("got %v", err)
	}
	r.Attempt++
	if again := w.ask(r); again.ARN == e.ARN || again.State != InProgress {
		t.Errorf("another attempt: %+v", again)
	}
	if _, err := w.client.Describe(t.Context(), w.table.ARN+"/export/01000000000000-00000000"); !errors.Is(err, ErrGone) {
		t.Errorf("one that is gone: %v", err)
	}
}

// TestNoRecovery: the error says how to switch it on.
func TestNoRecovery(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{})
	back, err := w.client.Recovery(t.Context())
	if err != nil || back.Latest.Before(w.Now().Add(-6*time.Minute)) || back.Latest.After(w.Now()) || back.Earliest.Before(w.Now().Add(-49*time.Hour)) {
		t.Errorf("%+v, %v", back, err)
	}
	if err := w.Create(dynamodbtest.Table{Name: "bare", Key: "pk"}); err != nil {
		t.Fatal(err)
	}
	c := w.newClient("bare")
	table, err := c.DescribeTable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, asking := c.Ask(t.Context(), table, w.at, w.full())
	_, err = c.Recovery(t.Context())
	for _, err := range []error{err, asking} {
		if !errors.Is(err, ErrNoRecovery) || !strings.Contains(err.Error(), "update-continuous-backups --table-name bare --region us-east-1") {
			t.Errorf("got %v", err)
		}
	}
}

// TestDestination: where on S3 exports can get.
func TestDestination(t *testing.T) {
	for url, want := range map[string]Destination{
		"s3://b-1/a/b/": {Bucket: "b-1", Prefix: "a/b"}, "s3://b-1": {Bucket: "b-1"},
	} {
		c := Config{BucketOwner: "123456789012", Encryption: "kms", KMSKey: "k"}
		want.BucketOwner, want.Encryption, want.KMSKey = "123456789012", "KMS", "k"
		if got, err := c.Destination(url); err != nil || got != want || len(c.Check()) > 0 {
			t.Errorf("%s: %+v, %v", url, got, err)
		}
	}
	for url, says := range map[string]string{"data/exports": "to S3 only", "s3://b-1/*/x": "a pattern", "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/lake/x": "access point", "s3://": "bucket is missing"} {
		if _, err := (&Config{}).Destination(url); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if errs := (&Config{BucketOwner: "1", Encryption: "AES", KMSKey: "k"}).Check(); len(errs) != 3 {
		t.Errorf("mistakes: %v", errs)
	}
	if got := fmt.Sprint(Destination{Bucket: "b", Prefix: "p"}, Destination{Bucket: "b"}); got != "s3://b/p s3://b" {
		t.Error(got)
	}
}
