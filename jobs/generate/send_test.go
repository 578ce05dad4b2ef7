package generate

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/sources/kinesis/kpl"
)

// inRange tells whether a partition key's hash key is in a sixteenth that begins at first.
func inRange(t *testing.T, key, first string) bool {
	t.Helper()
	from, ok := new(big.Int).SetString(first, 10)
	if !ok {
		t.Fatal(first)
	}
	sum := md5.Sum([]byte(key))
	hash := new(big.Int).SetBytes(sum[:])
	return hash.Cmp(from) >= 0 && hash.Cmp(new(big.Int).Add(from, new(big.Int).Lsh(big.NewInt(1), 124))) < 0
}

// records reads a stream to its end: by shard, the records in their order.
func records(t *testing.T, client *kinesis.Client, name string) (all [][]types.Record) {
	t.Helper()
	list, err := client.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: &name})
	if err != nil {
		t.Fatal(err)
	}
	for _, shard := range list.Shards {
		at, err := client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{StreamName: &name, ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		if err != nil {
			t.Fatal(err)
		}
		var of []types.Record
		for iterator := at.ShardIterator; ; {
			page, err := client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: iterator})
			if err != nil {
				t.Fatal(err)
			}
			of = append(of, page.Records...)
			if iterator = page.NextShardIterator; len(page.Records) == 0 {
				break
			}
		}
		all = append(all, of)
	}
	return all
}

// line is a line as it came to a stream, with its partition key.
type line struct{ key, data string }

// linesOf returns the lines of a shard's records, those of aggregates among them, and how many
// aggregates there are.
func linesOf(t *testing.T, of []types.Record) (all []line, aggregates int) {
	t.Helper()
	for _, r := range of {
		if !kpl.IsAggregate(r.Data) {
			all = append(all, line{aws.ToString(r.PartitionKey), string(r.Data)})
			continue
		}
		aggregates++
		var a kpl.Aggregate
		if err := a.Parse(r.Data); err != nil {
			t.Fatal(err)
		}
		for i := range a.Len() {
			all = append(all, line{string(a.PartitionKey(i)), string(a.Data(i))})
		}
	}
	return all, aggregates
}

// sendAndRead generates to a stream and returns what it holds against what a file would, key by key.
func sendAndRead(t *testing.T, server *awstest.Service, shards int, args ...string) (stats Stats, aggregates int) {
	t.Helper()
	awstest.Setenv(t)
	client, name := kinesis.NewFromConfig(server.Config()), "changes"
	if shards > 0 {
		if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(int32(shards))}); err != nil {
			t.Fatal(err)
		}
	}
	var extra []string
	args = slices.DeleteFunc(args, func(a string) bool {
		if a == "--aggregate" || a == "--create" {
			extra = append(extra, a)
			return true
		}
		return false
	})
	want, _, err := execute(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := execute(t, append(append(args, extra...), "--to", "kinesis://"+name, "--endpoint", server.Endpoint)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &stats); err != nil {
		t.Fatal(err)
	}
	wantByItem, gotByItem := map[string][]string{}, map[string][]string{}
	for l := range strings.Lines(want) {
		l = strings.TrimSuffix(l, "\n")
		wantByItem[itemOf(t, l)] = append(wantByItem[itemOf(t, l)], l)
	}
	shardOf := map[string]int{}
	for shard, of := range records(t, client, name) {
		found, n := linesOf(t, of)
		aggregates += n
		for _, l := range found {
			item := itemOf(t, l.data)
			if before, seen := shardOf[item]; seen && before != shard {
				t.Errorf("item %s is in two shards", item)
			}
			shardOf[item] = shard
			gotByItem[item] = append(gotByItem[item], l.data)
		}
	}
	if diff := cmp.Diff(wantByItem, gotByItem); diff != "" {
		t.Errorf("(-file +stream):\n%.3000s", diff)
	}
	if stats.Sent != stats.Records || stats.To != "kinesis://"+name {
		t.Errorf("the figures are %s", out)
	}
	return stats, aggregates
}

// itemOf names the item that a line is about.
func itemOf(t *testing.T, text string) string {
	t.Helper()
	var l struct {
		Dynamodb struct{ Keys map[string]any }
		UUID     json.Number
	}
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if l.Dynamodb.Keys == nil {
		return l.UUID.String()
	}
	return itemKey(l.Dynamodb.Keys)
}

// TestSendToKinesis: a stream gets the records that a file does, each item's in their order in one shard,
// though the shard takes no more than AWS's do.
func TestSendToKinesis(t *testing.T) {
	server := awstest.Kinesis(t, awstest.Limits())
	stats, _ := sendAndRead(t, server, 1, "ecommerce", "--records", "3000", "--products", "20")
	if perSecond := float64(stats.Sent) / stats.Seconds; perSecond > 1200 && stats.SentAgain == 0 { // else this machine is too slow for it
		t.Errorf("nothing was refused at %.0f a second: %+v", perSecond, stats)
	}
}

// TestSendThroughFaults: requests that fail or whose answers are lost are made again. No record is missing,
// and each item's keep their order; those of a lost answer are there twice, one behind the other.
func TestSendThroughFaults(t *testing.T) {
	awstest.Setenv(t)
	server := awstest.Kinesis(t)
	proxy := awstest.NewHTTPProxy(t, server.Endpoint)
	for i, effect := range []awstest.Effect{awstest.LoseAnswer, awstest.Reset, awstest.CutAnswer} {
		proxy.Add(awstest.Fault{Effect: effect, Operation: "kinesis:PutRecords", After: i, Times: 1})
	}
	proxy.Add(awstest.Fault{Effect: awstest.Refuse, Operation: "kinesis:PutRecords", Status: 400, Code: "ProvisionedThroughputExceededException", After: 2, Times: 2})
	args := []string{"insurance", "--records", "2000", "--transactions", "300"}
	want, _, err := execute(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := execute(t, append(args, "--to", "kinesis://faults", "--endpoint", proxy.Endpoint, "--create")...)
	if err != nil {
		t.Fatal(err)
	}
	var stats Stats
	if err := json.Unmarshal([]byte(out), &stats); err != nil || stats.Sent != 2000 || stats.Retries != int64(proxy.Spoiled()) || stats.Retries < 4 {
		t.Errorf("%d calls were spoiled: %s", proxy.Spoiled(), out)
	}
	wantByItem, gotByItem := map[string][]string{}, map[string][]string{}
	for l := range strings.Lines(want) {
		l = strings.TrimSuffix(l, "\n")
		wantByItem[itemOf(t, l)] = append(wantByItem[itemOf(t, l)], l)
	}
	twice := 0
	for _, of := range records(t, kinesis.NewFromConfig(server.Config()), "faults") {
		for _, r := range of {
			l := string(r.Data)
			item := itemOf(t, l)
			if before := gotByItem[item]; len(before) > 0 && before[len(before)-1] == l {
				twice++
				continue
			}
			gotByItem[item] = append(gotByItem[item], l)
		}
	}
	if diff := cmp.Diff(wantByItem, gotByItem); diff != "" || twice == 0 {
		t.Errorf("%d twice (-file +stream):\n%.3000s", twice, diff)
	}
}

// TestSendAggregates: the same as aggregates, which are far fewer.
func TestSendAggregates(t *testing.T) {
	server := awstest.Kinesis(t)
	stats, aggregates := sendAndRead(t, server, 3, "ecommerce", "--records", "3000", "--aggregate")
	if aggregates == 0 || aggregates > 200 || stats.Sent != 3000 {
		t.Errorf("%d aggregates: %+v", aggregates, stats)
	}
}

// TestSendRows: plain rows go by their key, to a stream that is made for them.
func TestSendRows(t *testing.T) {
	server := awstest.Kinesis(t)
	sendAndRead(t, server, 0, "sales", "--records", "1000", "--keys", "300", "--create")
}

// TestSendToKinesisMock: another server takes records and aggregates as well.
func TestSendToKinesisMock(t *testing.T) {
	server := awstest.KinesisMock(t)
	if _, aggregates := sendAndRead(t, server, 2, "insurance", "--records", "300", "--transactions", "60", "--aggregate"); aggregates == 0 {
		t.Error("there are no aggregates")
	}
}

// items scans a table: its items as JSON, by their bytes.
func items(t *testing.T, client *dynamodb.Client, name string) (all []string) {
	t.Helper()
	pages := dynamodb.NewScanPaginator(client, &dynamodb.ScanInput{TableName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			all = append(all, fmt.Sprint(plain(attributes(item))))
		}
	}
	slices.Sort(all)
	return all
}

// plain returns an item whose text is the same for equal ones.
func plain(item attributes) map[string]string {
	text := map[string]string{}
	for name, v := range item {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		text[name] = fmt.Sprintf("%T %s", v, b)
	}
	return text
}

// TestSendToDynamoDB: after all puts and deletes a table holds the truth, whose items a file has, and
// nothing else.
func TestSendToDynamoDB(t *testing.T) {
	awstest.Setenv(t)
	server := awstest.MiniStack(t)
	client := dynamodb.NewFromConfig(server.Config())
	truth := filepath.Join(t.TempDir(), "truth.ndjson")
	args := []string{"ecommerce", "--records", "1500", "--live", "300", "--to", "dynamodb://shop", "--endpoint", server.Endpoint, "--truth", truth}
	if _, _, err := execute(t, args...); err == nil || !strings.Contains(err.Error(), "there is no table shop in us-east-1: see --region, or give --create to make it") {
		t.Fatalf("without a table: %v", err)
	}
	out, _, err := execute(t, append(args, "--create")...)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for l := range bytes.Lines(read(t, truth)) {
		var of struct{ Item map[string]json.RawMessage }
		if err := json.Unmarshal(l, &of); err != nil {
			t.Fatal(err)
		}
		item, err := typedItem(of.Item)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprint(plain(item)))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, items(t, client, "shop")); diff != "" || len(want) < 250 {
		t.Errorf("(-truth +table):\n%.3000s", diff)
	}
	var stats Stats
	if err := json.Unmarshal([]byte(out), &stats); err != nil || stats.Sent != 1500 || stats.Duplicates != 0 || stats.Late != 0 || stats.TruthItems != int64(len(want)) {
		t.Errorf("the figures are %s", out)
	}
	described, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("shop")})
	if err != nil || described.Table.LatestStreamArn == nil {
		t.Errorf("the table has no stream: %v", err)
	}
	for _, kind := range []string{"sales", "countries", "insurance"} {
		args := []string{kind, "--form", "json", "--records", "100", "--to", "dynamodb://" + kind, "--endpoint", server.Endpoint, "--create"}
		if _, _, err := execute(t, args...); err != nil {
			t.Fatal(err)
		}
		if n := len(items(t, client, kind)); n < 90 || n > 100 {
			t.Errorf("%d items of 100 %s", n, kind)
		}
	}
	if _, _, err := execute(t, "sales", "--records", "1", "--to", "dynamodb://shop", "--endpoint", server.Endpoint); err == nil || !strings.Contains(err.Error(), "table shop has the key (PK, SK), and these items have none of the name PK, SK: their key is (uuid)") {
		t.Errorf("another key: %v", err)
	}
}

// TestUnprocessedItems: what a table leaves unprocessed is told by its key, be it put or deleted.
func TestUnprocessedItems(t *testing.T) {
	awstest.Setenv(t)
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		fmt.Fprint(w, `{"UnprocessedItems": {"shop": [{"DeleteRequest": {"Key": {"PK": {"S": "b"}, "SK": {"N": "2"}}}}, {"PutRequest": {"Item": {"x": {"S": ""}, "SK": {"N": "3"}, "PK": {"S": "c"}}}}]}}`)
	}))
	defer server.Close()
	cfg := awsapi.Config{Endpoint: server.URL}
	table := newTarget(address{"dynamodb", "shop"}, cfg, reader{}, false, nil).(*itemTable)
	loaded, err := cfg.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	table.client, table.keys = dynamodb.NewFromConfig(loaded, func(o *dynamodb.Options) { o.BaseEndpoint = cfg.BaseEndpoint() }), []string{"PK", "SK"}
	var batch []*entry
	for _, l := range []string{`{"PK": "a", "SK": 1}`, `{"PK": "b", "SK": 2}`, `{"PK": "c", "SK": 3}`} {
		one, err := table.pack([]byte(l))
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, one...)
	}
	refused, reason, err := table.write(t.Context(), batch)
	if err != nil || reason == "" || len(refused) != 2 || refused[0] != batch[1] || refused[1] != batch[2] || calls.Load() != 1 {
		t.Errorf("%d refused (%s): %v", len(refused), reason, err)
	}
}

// TestInterrupted: a stop sends what was taken, and the figures say how much that is; a truth of a part
// there is not.
func TestInterrupted(t *testing.T) {
	awstest.Setenv(t)
	server := awstest.Kinesis(t)
	client := kinesis.NewFromConfig(server.Config())
	for name, args := range map[string][]string{"a": nil, "b": {"--truth", filepath.Join(t.TempDir(), "truth")}} {
		ctx, cancel := context.WithCancel(t.Context())
		cmd := Command()
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetErr(&bytes.Buffer{})
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetArgs(append([]string{"ecommerce", "--rate", "200", "--to", "kinesis://" + name, "--endpoint", server.Endpoint, "--create"}, args...))
		done := make(chan error, 1)
		began := time.Now()
		go func() { done <- cmd.ExecuteContext(ctx) }()
		for count(t, client, name) < 40 {
			select {
			case err := <-done:
				t.Fatal(err)
			default:
			}
		}
		cancel()
		err := <-done
		took, there := time.Since(began), count(t, client, name)
		if args != nil {
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("interrupted after %d records: there is no truth of them", there)) {
				t.Errorf("with a truth: %v", err)
			}
			continue
		}
		var stats Stats
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out.Bytes(), &stats); err != nil {
			t.Fatal(err)
		}
		if !stats.Interrupted || stats.Sent != int64(there) || float64(there) > took.Seconds()*200+10 {
			t.Errorf("%d records are there after %s: %s", there, took, out.String())
		}
	}
}

// count returns how many records a stream has; 0 = it may not be there yet.
func count(t *testing.T, client *kinesis.Client, name string) (n int) {
	t.Helper()
	if _, err := client.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: &name}); err != nil {
		return 0
	}
	for _, of := range records(t, client, name) {
		n += len(of)
	}
	return n
}

// TestPartitionKeys: an item has one, whatever its attributes are, and long ones fit.
func TestPartitionKeys(t *testing.T) {
	r := reader{changes: true, keys: []string{"PK", "SK"}}
	long := strings.Repeat("x", 300)
	keys := map[string]bool{}
	for _, item := range []string{`{"PK":{"S":"a"},"SK":{"S":"b"}}`, `{"SK":{"N":1},"PK":{"S":"a"}}`, `{"PK":{"S":"` + long + `"},"SK":{"S":"b"}}`, `{"PK":{"S":"` + long + `"},"SK":{"S":"c"}}`} {
		w, err := r.read([]byte(`{"dynamodb": {"Keys": ` + item + `, "OldImage": {}}}`))
		if err != nil || w.item != nil {
			t.Fatal(w, err)
		}
		key := partitionKey(w.key, r.keys)
		if len(key) > partitionKeyMax {
			t.Errorf("%d characters", len(key))
		}
		keys[key] = true
	}
	if len(keys) != 4 || !keys["a|b"] || !keys["a|1"] {
		t.Errorf("keys are %v", slices.Collect(maps.Keys(keys)))
	}
}
