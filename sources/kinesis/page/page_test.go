package page

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
)

// answers is a connection that gives answers.
type answers func(*http.Request) (*http.Response, error)

func (f answers) Do(r *http.Request) (*http.Response, error) { return f(r) }

// client returns the SDK's client of a connection.
func client(h aws.HTTPClient, endpoint string) *kinesis.Client {
	return kinesis.New(kinesis.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, Retryer: aws.NopRetryer{}, HTTPClient: h, APIOptions: []func(*middleware.Stack) error{awsapi.PlainBody},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
}

// of returns a client that is always answered the same.
func of(status int, body []byte, length int64) *kinesis.Client {
	return client(answers(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, ContentLength: length, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: io.NopCloser(bytes.NewReader(body))}, nil
	}), "http://127.0.0.1:1")
}

func get(t testing.TB, body string) (*Page, error) {
	t.Helper()
	return Get(t.Context(), of(200, []byte(body), int64(len(body))), &kinesis.GetRecordsInput{ShardIterator: aws.String("i")})
}

// text writes a page down.
func text(p *Page) string {
	var b strings.Builder
	for i, r := range p.Records {
		fmt.Fprintf(&b, "%s %s %q %d; ", p.Sequence(i), p.PartitionKey(i), p.Data[r.Start:r.End], r.Arrived)
	}
	fmt.Fprintf(&b, "next %q", p.Next)
	if p.Continuation != "" {
		fmt.Fprintf(&b, " continued %q", p.Continuation)
	}
	if p.BehindKnown {
		fmt.Fprintf(&b, " behind %v", p.Behind)
	}
	for _, c := range p.Children {
		fmt.Fprintf(&b, " child %s of %v", c.ShardID, c.Parents)
	}
	return b.String()
}

// TestAnswers: what the API allows, and what it does not.
func TestAnswers(t *testing.T) {
	for _, c := range []struct{ name, body, want, wrong string }{
		{"all", `{"Records":[{"SequenceNumber":"1","PartitionKey":"a","Data":"aGk=","ApproximateArrivalTimestamp":1.516049873421E9,"EncryptionType":"KMS"}],"NextShardIterator":"n","MillisBehindLatest":1500}`,
			`1 a "hi" 1516049873421000; next "n" behind 1.5s`, ""},
		{"end", `{"ChildShards":[{"ShardId":"c","ParentShards":["a","b"],"HashKeyRange":{"StartingHashKey":"0","EndingHashKey":"1"}}],"Records":[],"NextShardIterator":null,"MillisBehindLatest":0}`,
			`next "" behind 0s child c of [a b]`, ""},
		{"event", `{"Records":[],"ContinuationSequenceNumber":"4962","MillisBehindLatest":0,"ChildShards":[]}`, `next "" continued "4962" behind 0s`, ""},
		{"nulls", `{"Records":[{"SequenceNumber":"1","PartitionKey":null,"Data":null,"ApproximateArrivalTimestamp":null}],"MillisBehindLatest":null,"ChildShards":null}`,
			fmt.Sprintf(`1  "" %d; next ""`, NoArrival), ""},
		{"null records", `{"Records":null,"NextShardIterator":"n"}`, `next "n"`, ""},
		{"space", " {\n\t\"Records\" : [ { \"SequenceNumber\" : \"1\" , \"Data\" : \"aGk=\" } , {\"SequenceNumber\":\"2\"} ] , \"NextShardIterator\" : \"n\" } \r\n", fmt.Sprintf(`1  "hi" %d; 2  "" %d; next "n"`, NoArrival, NoArrival), ""},
		{"unknown members", `{"X":{"Records":[{"a":[1,-2.5e3,true,false,null,"\u00e9"]}]},"Records":[{"Y":[[]],"SequenceNumber":"1","Data":""}],"NextShardIterator":"n"}`, fmt.Sprintf(`1  "" %d; next "n"`, NoArrival), ""},
		{"the last counts", `{"Records":[{"SequenceNumber":"1"}],"Records":[{"SequenceNumber":"2","Data":"aGk=","Data":"aG8="}],"NextShardIterator":"m","NextShardIterator":"n"}`, fmt.Sprintf(`2  "ho" %d; next "n"`, NoArrival), ""},
		{"escapes", `{"\u0052ecords":[{"SequenceNumber":"\u0031","PartitionKey":"\"\u00e9\ud83d\ude00é","Data":"\/\/79"}],"NextShardIterator":"a\/b"}`, fmt.Sprintf(`1 "é😀é "\xff\xfe\xfd" %d; next "a/b"`, NoArrival), ""},
		{"escaped padding", `{"Records":[{"SequenceNumber":"1","Data":"aGk\u003d"}],"NextShardIterator":"n"}`, fmt.Sprintf(`1  "hi" %d; next "n"`, NoArrival), ""},
		{"whole seconds", `{"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":1516049873}],"NextShardIterator":"n"}`, `1  "" 1516049873000000; next "n"`, ""},
		{"decimals", `{"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":1516049873.4210009999999999999999}],"NextShardIterator":"n"}`, `1  "" 1516049873421000; next "n"`, ""},
		{"names in other letters", `{"records":[],"NextShardIterator":"n"}`, "", "no Records"},
		{"nothing", ``, "", "ends here"},
		{"empty object", `{}`, "", "no Records"},
		{"a list", `[]`, "", "want an object"},
		{"no sequence number", `{"Records":[{"Data":"aGk="}],"NextShardIterator":"n"}`, "", "record 0 has no sequence number"},
		{"empty sequence number", `{"Records":[{"SequenceNumber":"1"},{"SequenceNumber":""}],"NextShardIterator":"n"}`, "", "record 1 has no sequence number"},
		{"record is null", `{"Records":[null],"NextShardIterator":"n"}`, "", "want an object"},
		{"more behind", `{"Records":[]}{`, "", "want the end"},
		{"no base64", `{"Records":[{"SequenceNumber":"1","Data":"a!k="}]}`, "", "data of record 0"},
		{"base64 without padding", `{"Records":[{"SequenceNumber":"1","Data":"aGk"}]}`, "", "data of record 0"},
		{"line end in base64", "{\"Records\":[{\"SequenceNumber\":\"1\",\"Data\":\"aGk=\n\"}]}", "", "data of record 0"},
		{"escaped line end in base64", `{"Records":[{"SequenceNumber":"1","Data":"aGk=\n"}]}`, "", "data of record 0"},
		{"quote in base64", `{"Records":[{"SequenceNumber":"1","Data":"aG\"k="}]}`, "", "data of record 0"},
		{"data is a number", `{"Records":[{"SequenceNumber":"1","Data":1}]}`, "", "want a string"},
		{"time is a text", `{"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":"1"}]}`, "", "want a value"},
		{"time before 1970", `{"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":-1}]}`, "", "no time"},
		{"time out of range", `{"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":1e29}]}`, "", "no time"},
		{"lag is no whole number", `{"Records":[],"MillisBehindLatest":1.5}`, "", "no whole number"},
		{"children are a number", `{"Records":[],"ChildShards":1}`, "", "json"},
		{"invalid UTF-8", "{\"Records\":[{\"SequenceNumber\":\"1\",\"PartitionKey\":\"\xff\"}]}", "", "UTF-8"},
		{"half a surrogate pair", `{"Records":[{"SequenceNumber":"1","PartitionKey":"\ud83d"}]}`, "", "surrogate"},
		{"control character", "{\"Records\":[{\"SequenceNumber\":\"1\",\"PartitionKey\":\"\x01\"}]}", "", "control"},
		{"deep", `{"X":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `,"Records":[]}`, "", "levels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := get(t, c.body)
			if c.wrong != "" {
				var d *smithy.DeserializationError
				if !errors.As(err, &d) || !strings.Contains(err.Error(), c.wrong) {
					t.Fatalf("%v, want %q", err, c.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := text(p); got != c.want {
				t.Errorf("\n%s\nwant\n%s", got, c.want)
			}
			p.Free()
			p.Free()
		})
	}
}

// TestTruncated: no beginning of an answer is taken for one.
func TestTruncated(t *testing.T) {
	const whole = `{"Records":[{"SequenceNumber":"1","PartitionKey":"\"é","Data":"aGk=","ApproximateArrivalTimestamp":1.5E9}],"X":[true,{}],"NextShardIterator":"n","MillisBehindLatest":12}`
	for n := range len(whole) {
		if _, err := get(t, whole[:n]); err == nil {
			t.Errorf("%d bytes are taken: %s", n, whole[:n])
		}
		// And as the connection ends before the announced length.
		_, err := Get(t.Context(), of(200, []byte(whole[:n]), int64(len(whole))), &kinesis.GetRecordsInput{ShardIterator: aws.String("i")})
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// TestLength: answers are bounded, and may come without a length.
func TestLength(t *testing.T) {
	in := &kinesis.GetRecordsInput{ShardIterator: aws.String("i")}
	if _, err := Get(t.Context(), of(200, nil, MaxBody+1), in); err == nil || !strings.Contains(err.Error(), "MiB") {
		t.Errorf("announced: %v", err)
	}
	long := append(bytes.Repeat([]byte(" "), MaxBody+1), `{"Records":[]}`...)
	if _, err := Get(t.Context(), of(200, long, -1), in); err == nil || !strings.Contains(err.Error(), "MiB") {
		t.Errorf("not announced: %v", err)
	}
	body := append(bytes.Repeat([]byte(" "), 200_000), `{"Records":[],"NextShardIterator":"n"}`...)
	p, err := Get(t.Context(), of(200, body, -1), in)
	if err != nil || p.Next != "n" {
		t.Errorf("%v", err)
	}
}

// TestErrors are the SDK's.
func TestErrors(t *testing.T) {
	in := &kinesis.GetRecordsInput{ShardIterator: aws.String("i")}
	_, err := Get(t.Context(), of(400, []byte(`{"__type":"ExpiredIteratorException","message":"old"}`), -1), in)
	var expired *types.ExpiredIteratorException
	if !errors.As(err, &expired) || expired.ErrorMessage() != "old" {
		t.Errorf("%v", err)
	}
	refused := errors.New("refused")
	_, err = Get(t.Context(), client(answers(func(*http.Request) (*http.Response, error) { return nil, refused }), "http://127.0.0.1:1"), in)
	if !errors.Is(err, refused) {
		t.Errorf("%v", err)
	}
	// Get changes one call, and not the client.
	k := of(200, []byte(`{"Records":[{"SequenceNumber":"1","Data":"aGk="}],"NextShardIterator":"n"}`), -1)
	if _, err := Get(t.Context(), k, in); err != nil {
		t.Error(err)
	}
	if out, err := k.GetRecords(t.Context(), in); err != nil || len(out.Records) != 1 || string(out.Records[0].Data) != "hi" {
		t.Errorf("%v, %v", out, err)
	}
}

// TestLikeSDK reads pages of the fake both ways.
func TestLikeSDK(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	s := kinesistest.Start(t, kinesistest.Options{})
	if err := s.Create("s", 1); err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		data := make([]byte, r.IntN(2000))
		for j := range data {
			data[j] = byte(r.Uint32())
		}
		if _, err := s.Put("s", kinesistest.Entry{PartitionKey: fmt.Sprint("schlüssel \"", i%7), Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.SplitShard("s", "shardId-000000000000"); err != nil {
		t.Fatal(err)
	}
	k := client(http.DefaultClient, s.Endpoint)
	it, err := k.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{StreamName: aws.String("s"), ShardId: aws.String("shardId-000000000000"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	if err != nil {
		t.Fatal(err)
	}
	next, seen := it.ShardIterator, 0
	for next != nil {
		in := &kinesis.GetRecordsInput{ShardIterator: next, Limit: aws.Int32(int32(1 + r.IntN(500)))}
		want, err := k.GetRecords(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Get(t.Context(), k, in)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Records) != len(want.Records) || (got.Next == "") != (want.NextShardIterator == nil) || !got.BehindKnown || len(got.Children) != len(want.ChildShards) {
			t.Fatalf("seed %d: %d records, next %q", seed, len(got.Records), got.Next)
		}
		for i, w := range want.Records {
			g := got.Records[i]
			// The SDK multiplies floats, and may cut a millisecond off.
			late := g.Arrived - w.ApproximateArrivalTimestamp.UnixMicro()
			if !bytes.Equal(got.Data[g.Start:g.End], w.Data) || got.Sequence(i) != *w.SequenceNumber || got.PartitionKey(i) != *w.PartitionKey || late < 0 || late > 1000 {
				t.Fatalf("seed %d: record %d of %s differs", seed, i, got.Sequence(i))
			}
		}
		seen += len(got.Records)
		next = want.NextShardIterator
		got.Free()
	}
	if seen != 2000 {
		t.Errorf("seed %d: %d records", seed, seen)
	}
}

// sample returns the body of a page of records of 1 kB.
func sample(records int) []byte {
	b := []byte(`{"MillisBehindLatest":0,"NextShardIterator":"` + strings.Repeat("A", 200) + `","Records":[`)
	data := bytes.Repeat([]byte(`{"eventName":"MODIFY"} `), 45)[:1024]
	for i := range records {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"ApproximateArrivalTimestamp":1.516049873421E9,"Data":"%s","PartitionKey":"key-%d","SequenceNumber":"%056d"}`, base64.StdEncoding.EncodeToString(data), i, i)
	}
	return append(b, "]}"...)
}
