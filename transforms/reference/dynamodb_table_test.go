package reference

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
)

type (
	attribute = types.AttributeValue
	attrS     = types.AttributeValueMemberS
	attrN     = types.AttributeValueMemberN
	attrM     = types.AttributeValueMemberM
	attrL     = types.AttributeValueMemberL
	attrBool  = types.AttributeValueMemberBOOL
	attrNull  = types.AttributeValueMemberNULL
)

// tables makes tables in a server, and configurations of references in them.
type tables struct {
	t        testing.TB
	endpoint string
	client   *dynamodb.Client
}

func newTables(t testing.TB) *tables {
	t.Helper()
	awstest.Setenv(t)
	server := awstest.MiniStack(t)
	return &tables{t, server.Endpoint, dynamodb.NewFromConfig(server.Config())}
}

// make makes a table whose partition key is a text or a number, with items.
func (s *tables) make(name, key string, kind types.ScalarAttributeType, items ...map[string]attribute) {
	s.t.Helper()
	_, err := s.client.CreateTable(s.t.Context(), &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &key, AttributeType: kind}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: &key, KeyType: types.KeyTypeHash}}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.put(name, items...)
}

func (s *tables) put(name string, items ...map[string]attribute) {
	s.t.Helper()
	for _, item := range items {
		if _, err := s.client.PutItem(s.t.Context(), &dynamodb.PutItemInput{TableName: &name, Item: item}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// at is a table as the pipeline file's defaults leave it, behind an endpoint.
func (s *tables) at(endpoint, name string) SourceConfig {
	return SourceConfig{DynamoDBTable: DynamoDBTableConfig{Type: "dynamodb_table", Table: name, ReadCapacity: 1_000_000,
		Config: awsapi.Config{Region: awstest.Region, Endpoint: endpoint}}}
}

func (s *tables) of(name string) SourceConfig { return s.at(s.endpoint, name) }

// opened is sourceJoin, ready to read, that does not wait between attempts.
func opened(t testing.TB, source SourceConfig, columns ...string) *Join {
	t.Helper()
	j := sourceJoin(t, source, columns...)
	j.watch.source.(*dynamoDBTable).retry.Wait = func(context.Context, time.Duration) error { return nil }
	return j
}

// large are n items of about 350 KB, so that a page of a scan has no more than two.
func large(n int, mark string) (items []map[string]attribute) {
	for i := range n {
		items = append(items, map[string]attribute{"code": &attrS{Value: "c" + strconv.Itoa(i)}, "n": &attrS{Value: mark}, "padding": &attrS{Value: strings.Repeat("x", 350_000)}})
	}
	return items
}

// TestScanTypes: values keep their digits and letters, columns are attributes or lead into maps and
// lists, and names may be reserved words or hold anything.
func TestScanTypes(t *testing.T) {
	s := newTables(t)
	s.make("ref", "id", types.ScalarAttributeTypeN,
		map[string]attribute{"id": &attrN{Value: "1"}, "name": &attrS{Value: "Köln 日本 𝄞"}, "size": &attrN{Value: "99999999999999999999999999999.999999999"}, "ok": &attrBool{Value: true},
			"a.b": &attrS{Value: "dotted"}, "nothing": &attrNull{Value: true}, "#n0": &attrS{Value: "placeholder"},
			"address": &attrM{Value: map[string]attribute{"city": &attrS{Value: ""}, "lines": &attrL{Value: []attribute{&attrS{Value: "x"}, &attrM{Value: map[string]attribute{"of": &attrN{Value: "7"}}}}}}}},
		map[string]attribute{"id": &attrN{Value: "2"}})
	j := opened(t, s.of("ref"), "id int64", "name string", "size decimal(38,9)", "ok bool", `"a.b" string`, "nothing string", "#n0 string", "address.city string", "address.lines[1].of int64", "address.lines[0] string")
	if err := j.watch.check(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{
		"1|Köln 日本 𝄞|99999999999999999999999999999.999999999|true|dotted|(null)|placeholder||7|x": true,
		"2|(null)|(null)|(null)|(null)|(null)|(null)|(null)|(null)|(null)":                        true,
	}
	got := map[string]bool{}
	for _, row := range textRows(j.watch.current()) {
		got[row] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := loadFrom(t, s.of("missing")); err == nil || !strings.Contains(err.Error(), "DynamoDB table missing: there is no such table in us-east-1") {
		t.Errorf("%v %v", got, err)
	}
}

// TestScanRefuses: what is no reference is refused as a whole; the message names table, item and
// attribute.
func TestScanRefuses(t *testing.T) {
	s := newTables(t)
	for i, tt := range []struct {
		item map[string]attribute
		want string
	}{
		{map[string]attribute{"code": &attrL{}}, "attribute code: a list is no value of a column"},
		{map[string]attribute{"code": &attrM{}}, "attribute code: a map is no value of a column"},
		{map[string]attribute{"code": &types.AttributeValueMemberSS{Value: []string{"a"}}}, "attribute code: a set is no value of a column"},
		{map[string]attribute{"code": &types.AttributeValueMemberB{Value: []byte{1}}}, "attribute code: a binary value is no value of a column"},
		{map[string]attribute{"people": &attrN{Value: "1"}}, `there is no attribute "code", which rows are joined by`},
		{map[string]attribute{"code": &attrS{Value: "a"}, "people": &attrN{Value: "1.5"}}, `column people (int64): "1.5" has more fraction digits`},
		{map[string]attribute{"code": &attrS{Value: "a"}, "people": &attrS{Value: "many"}}, `column people (int64): "many" is not a number`},
	} {
		name := fmt.Sprintf("tab%d", i)
		tt.item["pk"] = &attrS{Value: "bad one"}
		s.make(name, "pk", types.ScalarAttributeTypeS, map[string]attribute{"pk": &attrS{Value: "good"}, "code": &attrS{Value: "g"}, "people": &attrNull{Value: true}}, tt.item)
		err := opened(t, s.of(name), "code string", "people int64").watch.check(t.Context(), false)
		if want := "DynamoDB table " + name + `: item pk = "bad one": ` + tt.want; err == nil || !strings.HasPrefix(err.Error(), want) || pipeline.Retryable(err) {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	s.make("twice", "pk", types.ScalarAttributeTypeS, map[string]attribute{"pk": &attrS{Value: "1"}, "code": &attrS{Value: "a"}}, map[string]attribute{"pk": &attrS{Value: "2"}, "code": &attrS{Value: "a"}})
	err := opened(t, s.of("twice"), "code string").watch.check(t.Context(), false)
	if err == nil || !strings.Contains(err.Error(), `the key code = "a" is repeated: it is in item pk = "`) {
		t.Errorf("a repeated key: %v", err)
	}
	err = opened(t, s.of("twice"), "code string", "peeple string").watch.check(t.Context(), false)
	if err == nil || !strings.HasSuffix(err.Error(), `no item has the attribute "peeple"`) {
		t.Errorf("an attribute that no item has: %v", err)
	}
}

// request is what a call of Scan asked for.
type request struct {
	ConsistentRead           bool
	IndexName                string
	Limit                    int
	ProjectionExpression     string
	ExpressionAttributeNames map[string]string
	ExclusiveStartKey        map[string]any
}

func scans(t testing.TB, p *awstest.HTTPProxy) (all []request) {
	t.Helper()
	for _, c := range p.Calls() {
		if c.Operation != "dynamodb:Scan" {
			continue
		}
		var r request
		if err := json.Unmarshal(c.Body, &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// TestScanPages: a table of more than one page is read to its end, consistently, of each item only what
// the columns need, and no quicker than its read capacity allows.
func TestScanPages(t *testing.T) {
	s := newTables(t)
	s.make("ref", "code", types.ScalarAttributeTypeS, large(9, "1")...)
	proxy := awstest.NewHTTPProxy(t, s.endpoint)
	source := s.at(proxy.Endpoint, "ref")
	source.DynamoDBTable.ReadCapacity = 2
	j := opened(t, source, "code string", "n string")
	var waited time.Duration
	table := j.watch.source.(*dynamoDBTable)
	began := time.Now()
	table.now = func() time.Time { return began.Add(waited) }
	table.wait = func(_ context.Context, d time.Duration) error {
		waited += d
		return nil
	}
	if err := j.watch.check(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if n := len(j.watch.current().rows); n != 9 {
		t.Errorf("%d of 9 items", n)
	}
	asked := scans(t, proxy)
	for _, r := range asked {
		if !r.ConsistentRead || r.ProjectionExpression != "#n0, #n1" || r.ExpressionAttributeNames["#n0"] != "code" || r.ExpressionAttributeNames["#n1"] != "n" {
			t.Errorf("asked for %+v", r)
		}
	}
	// A page of two items is one unit, as the server counts, which AWS does otherwise.
	if len(asked) != 5 || asked[0].Limit != 100 || asked[1].Limit != 4 || waited != 2*time.Second {
		t.Errorf("%d pages, the second of %d items at most, %s of waiting", len(asked), asked[1].Limit, waited)
	}
}

// TestScanFails: what fails for a moment is asked for again; a scan that fails half-way leaves the last
// version whole, and its age grows; the next one that succeeds takes its place at once.
func TestScanFails(t *testing.T) {
	s := newTables(t)
	s.make("ref", "code", types.ScalarAttributeTypeS, large(9, "1")...)
	proxy := awstest.NewHTTPProxy(t, s.endpoint)
	j := opened(t, s.at(proxy.Endpoint, "ref"), "code string", "n string")
	now := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	j.watch.now = func() time.Time { return now }
	throttle := awstest.Fault{Effect: awstest.Refuse, Operation: "dynamodb:Scan", Status: 400, Code: "ProvisionedThroughputExceededException", Message: "slower"}
	throttle.After, throttle.Times = 1, 3
	proxy.Add(throttle)
	proxy.Add(awstest.Fault{Effect: awstest.LoseAnswer, Operation: "dynamodb:Scan", After: 2, Times: 1})
	proxy.Add(awstest.Fault{Effect: awstest.CutAnswer, Operation: "dynamodb:Scan", After: 3, Times: 1})
	counted := map[string]int{}
	j.watch.source.(*dynamoDBTable).retry.Count = func(reason string) { counted[reason]++ }
	if err := j.watch.check(t.Context(), false); err != nil || len(j.watch.current().rows) != 9 || proxy.Spoiled() != 5 {
		t.Fatalf("after %d spoiled answers: %v", proxy.Spoiled(), err)
	}
	if counted[awsapi.Throttled] != 3 || counted[awsapi.Connection] != 2 {
		t.Errorf("retries are %v", counted)
	}
	first := j.Reference().Version
	pinned := j.Snapshot()
	s.put("ref", large(9, "2")...)
	for _, fault := range []awstest.Fault{
		{Effect: awstest.Refuse, Operation: "dynamodb:Scan", Status: 400, Code: "ProvisionedThroughputExceededException", After: 2},
		{Effect: awstest.Refuse, Operation: "dynamodb:Scan", Status: 500, Code: "InternalServerError", After: 1},
		{Effect: awstest.Refuse, Operation: "dynamodb:Scan", Status: 400, Code: "AccessDeniedException", Message: "not you", After: 3},
		{Effect: awstest.Reset, Operation: "dynamodb:Scan", After: 1},
	} {
		proxy.Clear()
		proxy.Add(fault)
		now = now.Add(time.Minute)
		err := j.watch.check(t.Context(), false)
		if err == nil || !strings.Contains(err.Error(), fault.Code) || pipeline.Retryable(err) != (fault.Code != "AccessDeniedException") {
			t.Errorf("error is %v, want %s", err, fault.Code)
		}
		if j.Snapshot() != pinned || j.Reference().Version != first || j.Reference().Problem == nil {
			t.Errorf("after %s: %+v", fault.Code, j.Reference())
		}
	}
	if age := j.Reference().Age; age != 4*time.Minute {
		t.Errorf("the age is %s", age)
	}
	proxy.Clear()
	if err := j.watch.check(t.Context(), false); err != nil || j.Reference().Version != now.UnixMicro() || j.Reference().Age != 0 {
		t.Fatalf("%v %+v", err, j.Reference())
	}
	for i := range 9 {
		if n := valueOf(j, "c"+strconv.Itoa(i)); n != "2" {
			t.Errorf("item %d has n %s", i, n)
		}
	}
	now = now.Add(time.Minute)
	if err := j.watch.check(t.Context(), false); err != nil || j.Reference().Version == now.UnixMicro() || j.Reference().Age != 0 {
		t.Errorf("nothing has changed: %v %+v", err, j.Reference())
	}
	if n := pinned.(*snapshot).columns[1].ValueStr(0); n != "1" {
		t.Errorf("a pinned version has n %s", n)
	}
}

// TestScanWhileChanged: items that come, go and change while a table is scanned give a version in which
// those that stayed are all there.
func TestScanWhileChanged(t *testing.T) {
	s := newTables(t)
	s.make("ref", "code", types.ScalarAttributeTypeS, large(8, "old")...)
	source := s.of("ref")
	source.DynamoDBTable.ReadCapacity = 1 // a page for each item
	j := opened(t, source, "code string", "n string")
	page := 0
	table := j.watch.source.(*dynamoDBTable)
	now := time.Now()
	table.now = func() time.Time { return now }
	table.wait = func(_ context.Context, d time.Duration) error {
		now = now.Add(d)
		page++
		name := "ref"
		if _, err := s.client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &name, Key: map[string]attribute{"code": &attrS{Value: "c7"}}}); err != nil {
			return err
		}
		s.put("ref", map[string]attribute{"code": &attrS{Value: fmt.Sprintf("new%d", page)}, "n": &attrS{Value: "new"}}, large(1, "newer")[0])
		return nil
	}
	if err := j.watch.check(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 7; i++ {
		if n := valueOf(j, "c"+strconv.Itoa(i)); n != "old" {
			t.Errorf("item %d has n %q", i, n)
		}
	}
	if n := valueOf(j, "c0"); n != "old" && n != "newer" {
		t.Errorf("the changed item has n %q", n)
	}
}

// TestScanOfIndex: of an index, its items are read, and not those of the table that are not in it.
func TestScanOfIndex(t *testing.T) {
	s := newTables(t)
	name, pk, code := "ref", "pk", "code"
	_, err := s.client.CreateTable(t.Context(), &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &pk, AttributeType: "S"}, {AttributeName: &code, AttributeType: "S"}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: &pk, KeyType: "HASH"}},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{IndexName: aws.String("by_code"), KeySchema: []types.KeySchemaElement{{AttributeName: &code, KeyType: "HASH"}},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll}}}})
	if err != nil {
		t.Fatal(err)
	}
	s.put("ref", map[string]attribute{"pk": &attrS{Value: "order"}}, map[string]attribute{"pk": &attrS{Value: "country"}, "code": &attrS{Value: "a"}, "n": &attrS{Value: "1"}})
	proxy := awstest.NewHTTPProxy(t, s.endpoint)
	source := s.at(proxy.Endpoint, "ref")
	if err := opened(t, source, "code string", "n string").watch.check(t.Context(), false); err == nil || !strings.Contains(err.Error(), `item pk = "order"`) {
		t.Errorf("of the table: %v", err)
	}
	source.DynamoDBTable.Index = "by_code"
	j := opened(t, source, "code string", "n string")
	if err := j.watch.check(t.Context(), false); err != nil || valueOf(j, "a") != "1" {
		t.Fatal(err)
	}
	all := scans(t, proxy)
	if last := all[len(all)-1]; last.IndexName != "by_code" || last.ConsistentRead { // AWS refuses the latter of a global index
		t.Errorf("asked for %+v", last)
	}
	if got := j.Describe().Source; got != "DynamoDB table ref, index by_code" {
		t.Error(got)
	}
}

// TestScanAgrees: a table has the rows that a file has with the same items.
func TestScanAgrees(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	s := newTables(t)
	for round := range 15 {
		rows := randomRows(r)
		path := folder(t, "a.ndjson")
		write(t, path, ndjson(t, rows), time.Now())
		want := snapshotFrom(t, SourceConfig{File: FileConfig{Type: "file", Path: path, Delimiter: ","}})
		var items []map[string]attribute
		for _, row := range rows {
			item := map[string]attribute{}
			for name, value := range row {
				switch name {
				case "ok":
					item[name] = &attrBool{Value: value == "true"}
				case "id", "rate", "price":
					item[name] = &attrN{Value: value}
				default:
					item[name] = &attrS{Value: value}
				}
			}
			for _, c := range typed {
				if name, _, _ := strings.Cut(c, " "); item[name] == nil {
					item[name] = &attrNull{Value: true}
				}
			}
			items = append(items, item)
		}
		name := fmt.Sprintf("tab%d", round)
		s.make(name, "id", types.ScalarAttributeTypeN, items...)
		if got := snapshotFrom(t, s.of(name)); !got.same(want) || !want.same(got) {
			t.Fatalf("the table's %v differs from the file's %v", textRows(got), textRows(want))
		}
	}
}

// TestScanWaitsForService: a start waits for a service that is not there yet, and goes on when it
// comes; a stop does not wait.
func TestScanWaitsForService(t *testing.T) {
	s := newTables(t)
	s.make("ref", "code", types.ScalarAttributeTypeS, map[string]attribute{"code": &attrS{Value: "a"}, "n": &attrS{Value: "1"}})
	proxy := awstest.NewHTTPProxy(t, s.endpoint)
	proxy.Add(awstest.Fault{Effect: awstest.Refuse, Status: 503, Code: "ServiceUnavailable", Times: scanAttempts + 1})
	j := sourceJoin(t, s.at(proxy.Endpoint, "ref"), "code string", "n string")
	j.watch.source.(*dynamoDBTable).retry.Wait = func(context.Context, time.Duration) error { return nil }
	if err := j.Start(t.Context(), pipeline.NewEnv()); err != nil {
		t.Fatal(err)
	}
	if valueOf(j, "a") != "1" || proxy.Spoiled() != scanAttempts+1 {
		t.Errorf("n is %q after %d spoiled answers", valueOf(j, "a"), proxy.Spoiled())
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	proxy.Add(awstest.Fault{Effect: awstest.Refuse, Status: 503, Code: "ServiceUnavailable"})
	j = sourceJoin(t, s.at(proxy.Endpoint, "ref"), "code string", "n string")
	ctx, cancel := context.WithCancel(t.Context())
	j.watch.source.(*dynamoDBTable).retry.Wait = func(context.Context, time.Duration) error {
		cancel()
		return ctx.Err()
	}
	if err := j.Start(ctx, pipeline.NewEnv()); !errors.Is(err, context.Canceled) {
		t.Errorf("a stop: %v", err)
	}
}
