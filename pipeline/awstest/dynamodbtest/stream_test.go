package dynamodbtest

import (
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// begin is when the clocks of these tests begin.
var begin = time.Date(2026, 3, 1, 12, 0, 0, 123_456_000, time.UTC)

// still returns options whose clock stands still unless it is moved.
func still(o Options) Options {
	o.Now = func() time.Time { return begin }
	return o
}

// must ends the test on an error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// streamReader reads all of a table's streams by the SDK.
type streamReader struct {
	t       *testing.T
	db      *dynamodb.Client
	streams *dynamodbstreams.Client
	table   string
}

func newReader(t *testing.T, s *Server, table string) *streamReader {
	db, streams := clients(t, s.Endpoint)
	return &streamReader{t: t, db: db, streams: streams, table: table}
}

func (r *streamReader) arn() string {
	r.t.Helper()
	out, err := r.db.DescribeTable(r.t.Context(), &dynamodb.DescribeTableInput{TableName: &r.table})
	must(r.t, err)
	return *out.Table.LatestStreamArn
}

// shards lists those of a stream, page by page.
func (r *streamReader) shards(arn string, filter *streamtypes.ShardFilter) (shards []streamtypes.Shard, pages int) {
	r.t.Helper()
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: &arn, ShardFilter: filter}
	for {
		out, err := r.streams.DescribeStream(r.t.Context(), in)
		must(r.t, err)
		shards = append(shards, out.StreamDescription.Shards...)
		pages++
		if in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return shards, pages
		}
	}
}

func (r *streamReader) iterator(arn, shard string, kind streamtypes.ShardIteratorType, set func(*dynamodbstreams.GetShardIteratorInput)) (*string, error) {
	in := &dynamodbstreams.GetShardIteratorInput{StreamArn: &arn, ShardId: &shard, ShardIteratorType: kind}
	if set != nil {
		set(in)
	}
	out, err := r.streams.GetShardIterator(r.t.Context(), in)
	if err != nil {
		return nil, err
	}
	return out.ShardIterator, nil
}

func (r *streamReader) records(iterator *string) (*dynamodbstreams.GetRecordsOutput, error) {
	return r.streams.GetRecords(r.t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: iterator})
}

// read reads a shard from its oldest record on.
func (r *streamReader) read(arn, shard string) (records []streamtypes.Record, ended bool) {
	r.t.Helper()
	records, ended, err := readShard(r.t.Context(), r.streams, &dynamodbstreams.GetShardIteratorInput{StreamArn: &arn, ShardId: &shard, ShardIteratorType: "TRIM_HORIZON"})
	must(r.t, err)
	return records, ended
}

func numbered(n int) Item { return Item{"id": S(fmt.Sprint(n)), "n": N(fmt.Sprint(n))} }

// TestShardTree rolls and splits while items are written. Read parents first, each item's changes
// come in their order, all once.
func TestShardTree(t *testing.T) {
	s := New(t, Options{})
	must(t, s.Create(Table{Name: "shop", Key: "id", View: "NEW_IMAGE", Partitions: 3}))
	for i := range 12 {
		for k := range 20 {
			must(t, s.Put("shop", Item{"id": S(fmt.Sprint(k)), "n": N(fmt.Sprint(i))}))
		}
		switch i % 4 {
		case 1:
			must(t, s.Roll("shop"))
		case 3:
			must(t, s.SplitPartition("shop", i%3))
		}
	}
	r := newReader(t, s, "shop")
	arn := r.arn()
	shards, _ := r.shards(arn, nil)
	parents, open := map[string]string{}, 0
	for _, h := range shards {
		if h.ParentShardId != nil {
			parents[*h.ShardId] = *h.ParentShardId
			children, _ := r.shards(arn, &streamtypes.ShardFilter{Type: streamtypes.ShardFilterTypeChildShards, ShardId: h.ParentShardId})
			if !slices.ContainsFunc(children, func(c streamtypes.Shard) bool { return *c.ShardId == *h.ShardId }) {
				t.Errorf("shard %s is none of its parent's children", *h.ShardId)
			}
		}
		if h.SequenceNumberRange.EndingSequenceNumber == nil {
			open++
		}
	}
	if open != 6 {
		t.Errorf("%d shards are open", open)
	}
	last := map[string]int{}
	done := map[string]bool{}
	for len(done) < len(shards) {
		before := len(done)
		for _, h := range shards {
			if done[*h.ShardId] || parents[*h.ShardId] != "" && !done[parents[*h.ShardId]] {
				continue
			}
			records, ended := r.read(arn, *h.ShardId)
			if ended != (h.SequenceNumberRange.EndingSequenceNumber != nil) {
				t.Errorf("shard %s ended: %v", *h.ShardId, ended)
			}
			for _, record := range records {
				checkRange(t, h, *record.Dynamodb.SequenceNumber)
				id := record.Dynamodb.Keys["id"].(*streamtypes.AttributeValueMemberS).Value
				n, err := strconv.Atoi(record.Dynamodb.NewImage["n"].(*streamtypes.AttributeValueMemberN).Value)
				must(t, err)
				if n != last[id] {
					t.Errorf("change %d of item %s comes behind %d others", n, id, last[id])
				}
				last[id]++
			}
			done[*h.ShardId] = true
		}
		if len(done) == before {
			t.Fatal("shards wait for each other")
		}
	}
	for id, n := range last {
		if n != 12 {
			t.Errorf("item %s has %d changes", id, n)
		}
	}
	if len(last) != 20 {
		t.Errorf("%d items", len(last))
	}
}

// checkRange holds a record's sequence number to its shard's range.
func checkRange(t *testing.T, h streamtypes.Shard, sequence string) {
	t.Helper()
	number := func(text string) *big.Int {
		n, _ := new(big.Int).SetString(text, 10)
		return n
	}
	of, q := h.SequenceNumberRange, number(sequence)
	if q.Cmp(number(*of.StartingSequenceNumber)) < 0 || of.EndingSequenceNumber != nil && q.Cmp(number(*of.EndingSequenceNumber)) > 0 {
		t.Errorf("record %s is not in shard %s, which is from %s on", sequence, *h.ShardId, *of.StartingSequenceNumber)
	}
}

// TestManyShards lists them by pages of 100, each once.
func TestManyShards(t *testing.T) {
	s := New(t, Options{})
	must(t, s.Create(Table{Name: "shop", Key: "id", View: "NEW_IMAGE", Partitions: 50}))
	for range 4 {
		must(t, s.Roll("shop"))
	}
	r := newReader(t, s, "shop")
	shards, pages := r.shards(r.arn(), nil)
	ids := map[string]bool{}
	for _, h := range shards {
		ids[*h.ShardId] = true
	}
	if len(ids) != 250 || len(shards) != 250 || pages != 3 {
		t.Errorf("%d shards, %d of them different, on %d pages", len(shards), len(ids), pages)
	}
}

// TestTime moves the clock: iterators expire, records are trimmed, and closed shards and disabled
// streams go.
func TestTime(t *testing.T) {
	s := New(t, still(Options{}))
	must(t, s.Create(Table{Name: "shop", Key: "id", View: "NEW_IMAGE"}), s.Put("shop", numbered(1), numbered(2)))
	r := newReader(t, s, "shop")
	arn := r.arn()
	shards, _ := r.shards(arn, nil)
	first := *shards[0].ShardId
	records, _ := r.read(arn, first)
	old := records[0].Dynamodb.SequenceNumber
	expired, err := r.iterator(arn, first, "TRIM_HORIZON", nil)
	must(t, err)
	s.Advance(15*time.Minute + time.Second)
	_, err = r.records(expired)
	must(t, refused(err, "ExpiredIteratorException"))

	s.Advance(23*time.Hour + 40*time.Minute)
	held, err := r.iterator(arn, first, "TRIM_HORIZON", nil)
	must(t, err, s.Put("shop", numbered(3)))
	s.Advance(10 * time.Minute) // the first two are older than a day now
	_, err = r.records(held)
	must(t, refused(err, "TrimmedDataAccessException"))
	for _, kind := range []streamtypes.ShardIteratorType{"AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"} {
		_, err = r.iterator(arn, first, kind, func(in *dynamodbstreams.GetShardIteratorInput) { in.SequenceNumber = old })
		must(t, refused(err, "TrimmedDataAccessException"))
	}
	if records, _ = r.read(arn, first); len(records) != 1 {
		t.Errorf("%d records are left", len(records))
	}

	must(t, s.Roll("shop"))
	s.Advance(24*time.Hour + time.Minute)
	shards, _ = r.shards(arn, nil)
	if len(shards) != 1 || *shards[0].ShardId == first || *shards[0].ParentShardId != first {
		t.Errorf("shards %v", shards)
	}
	_, err = r.iterator(arn, first, "TRIM_HORIZON", nil)
	must(t, refused(err, "ResourceNotFoundException"))

	must(t, s.DisableStream("shop"))
	s.Advance(24*time.Hour + time.Minute)
	_, err = r.streams.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: &arn})
	must(t, refused(err, "ResourceNotFoundException"))
}

// TestStartAtTime begins at the first record of a second.
func TestStartAtTime(t *testing.T) {
	s := New(t, still(Options{}))
	must(t, s.Create(Table{Name: "shop", Key: "id", View: "NEW_IMAGE"}))
	for i := range 5 {
		must(t, s.Put("shop", numbered(i)))
		s.Advance(time.Second)
	}
	r := newReader(t, s, "shop")
	arn := r.arn()
	shards, _ := r.shards(arn, nil)
	for after, want := range map[time.Duration]int{-time.Hour: 5, 2*time.Second - 123*time.Millisecond: 3, 2 * time.Second: 2, 5 * time.Second: 0} {
		it, err := r.iterator(arn, *shards[0].ShardId, "AT_TIMESTAMP", func(in *dynamodbstreams.GetShardIteratorInput) {
			at := begin.Truncate(time.Millisecond).Add(after)
			in.Timestamp = &at
		})
		must(t, err)
		page, err := r.records(it)
		must(t, err)
		if len(page.Records) != want {
			t.Errorf("%v after the begin: %d records, want %d", after, len(page.Records), want)
		}
	}
	_, err := r.iterator(arn, *shards[0].ShardId, "AT_TIMESTAMP", func(in *dynamodbstreams.GetShardIteratorInput) {
		at := s.Now().Add(time.Minute)
		in.Timestamp = &at
	})
	must(t, refused(err, "ValidationException"))
}

// TestDeletedTable lets the streams of a deleted table be read for a day, and one of the same name be another.
func TestDeletedTable(t *testing.T) {
	s := New(t, still(Options{}))
	must(t, s.Create(Table{Name: "shop", Key: "id", View: "NEW_IMAGE"}), s.Put("shop", numbered(1)))
	r := newReader(t, s, "shop")
	arn := r.arn()
	shards, _ := r.shards(arn, nil)
	_, err := r.db.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &r.table})
	must(t, err)
	s.Advance(time.Hour)
	must(t, s.Create(Table{Name: "shop", Key: "id", View: "NEW_IMAGE"}))
	if r.arn() == arn {
		t.Error("the new table has the old one's stream")
	}
	if records, ended := r.read(arn, *shards[0].ShardId); len(records) != 1 || !ended {
		t.Errorf("%d records, ended %v", len(records), ended)
	}
	s.Advance(23*time.Hour + time.Minute)
	_, err = r.streams.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: &arn})
	must(t, refused(err, "ResourceNotFoundException"))
}

// TestTimeToLive deletes what has expired, as the service and by its name.
func TestTimeToLive(t *testing.T) {
	s := New(t, still(Options{Expire: time.Hour}))
	must(t, s.Create(Table{Name: "shop", Key: "id", View: "NEW_AND_OLD_IMAGES", Expiry: "expires"}))
	at := func(id string, d time.Duration) Item {
		return Item{"id": S(id), "expires": N(fmt.Sprint(begin.Add(d).Unix()))}
	}
	must(t, s.Put("shop", at("past", -time.Minute), at("ancient", -6*365*24*time.Hour), at("soon", time.Minute), at("later", 48*time.Hour), Item{"id": S("text"), "expires": S("1")}, numbered(1)))
	n, err := s.ExpireItems("shop")
	must(t, err)
	if n != 1 {
		t.Errorf("%d items expired", n)
	}
	s.Advance(2 * time.Hour)
	items, err := s.Items("shop")
	must(t, err)
	var left []string
	for _, i := range items {
		left = append(left, i["id"].Text)
	}
	slices.Sort(left)
	if !slices.Equal(left, []string{"1", "ancient", "later", "text"}) {
		t.Errorf("left are %v", left)
	}
	r := newReader(t, s, "shop")
	arn := r.arn()
	shards, _ := r.shards(arn, nil)
	records, _ := r.read(arn, *shards[0].ShardId)
	for i, record := range records[6:] {
		if u := record.UserIdentity; u == nil || *u.Type != "Service" || *u.PrincipalId != "dynamodb.amazonaws.com" || record.EventName != "REMOVE" || record.Dynamodb.OldImage == nil {
			t.Errorf("deletion %d: %+v", i, record)
		}
	}
	if len(records) != 8 {
		t.Errorf("%d records", len(records))
	}
}

// TestReaders lets two readers of a shard pass in a second, and no third one.
func TestReaders(t *testing.T) {
	s := New(t, still(Options{Readers: 2}))
	must(t, s.Create(Table{Name: "shop", Key: "id", View: "NEW_IMAGE"}))
	r := newReader(t, s, "shop")
	arn := r.arn()
	shards, _ := r.shards(arn, nil)
	var its []*string
	for range 3 {
		it, err := r.iterator(arn, *shards[0].ShardId, "TRIM_HORIZON", nil)
		must(t, err)
		its = append(its, it)
	}
	for _, it := range its[:2] {
		page, err := r.records(it)
		must(t, err)
		_, err = r.records(page.NextShardIterator)
		must(t, err)
	}
	read := func() error {
		_, err := r.streams.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: its[2]}, func(o *dynamodbstreams.Options) { o.RetryMaxAttempts = 1 })
		return err
	}
	must(t, refused(read(), "LimitExceededException"))
	s.Advance(time.Second)
	must(t, read())
}

// TestShardKnobs turns those of shards.
func TestShardKnobs(t *testing.T) {
	s := New(t, Options{EmptyLastPage: true, RollEvery: time.Hour})
	must(t, s.Create(Table{Name: "shop", Key: "id", View: "NEW_IMAGE"}), s.Put("shop", numbered(1), numbered(2)))
	s.Advance(time.Hour)
	all, err := s.Shards("shop")
	must(t, err)
	if len(all) != 2 || all[1].Parent != all[0].ID || all[0].Open || all[0].Records != 2 {
		t.Fatalf("shards %+v", all)
	}
	r := newReader(t, s, "shop")
	arn := r.arn()
	must(t, s.EmptyPages("shop", all[0].ID, 1))
	it, err := r.iterator(arn, all[0].ID, "TRIM_HORIZON", nil)
	must(t, err)
	var sizes []int
	for it != nil {
		page, err := r.records(it)
		must(t, err)
		sizes, it = append(sizes, len(page.Records)), page.NextShardIterator
	}
	if !slices.Equal(sizes, []int{0, 2, 0}) {
		t.Errorf("pages of %v", sizes)
	}
	must(t, s.Hide("shop", all[1].ID, true))
	if listed, _ := r.shards(arn, nil); len(listed) != 1 {
		t.Errorf("%d shards are listed", len(listed))
	}
	must(t, s.Hide("shop", all[1].ID, false), s.Trim("shop", all[0].ID, 1))
	if records, _ := r.read(arn, all[0].ID); len(records) != 1 {
		t.Errorf("%d records are left", len(records))
	}
	must(t, s.Forget("shop", all[0].ID))
	if listed, _ := r.shards(arn, nil); len(listed) != 1 || *listed[0].ShardId != all[1].ID {
		t.Errorf("listed are %v", listed)
	}
	if err := s.Trim("shop", "shardId-none", 1); err == nil {
		t.Error("a shard that is not there is trimmed")
	}
}

// TestHistory writes by chance, and holds tables of past instants, the log and the stream to one model.
func TestHistory(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	s := New(t, still(Options{}))
	must(t, s.Create(Table{Name: "shop", Key: "id", SortKey: "at N", View: "NEW_AND_OLD_IMAGES", Partitions: 4, Expiry: "expires"}))
	model := map[string]string{}
	type instant struct {
		at    time.Time
		model map[string]string
	}
	var instants []instant
	for range 400 {
		item := Item{"id": S(fmt.Sprint(chance.IntN(20))), "at": N(fmt.Sprint(chance.IntN(3) - 1))}
		name := string(item.append(nil))
		if chance.IntN(4) == 0 {
			must(t, s.Delete("shop", item))
			delete(model, name)
		} else {
			item["n"] = N(fmt.Sprint(chance.IntN(4)))
			must(t, s.Put("shop", item))
			model[name] = string(item.append(nil))
		}
		if chance.IntN(3) == 0 {
			instants = append(instants, instant{s.Now(), maps.Clone(model)})
			s.Advance(time.Duration(1+chance.IntN(5000)) * time.Microsecond)
		}
		if chance.IntN(40) == 0 {
			must(t, s.Roll("shop"))
		}
	}
	same := func(what string, items []Item, model map[string]string) {
		t.Helper()
		got := map[string]string{}
		for _, i := range items {
			got[string(Item{"id": i["id"], "at": i["at"]}.append(nil))] = string(i.append(nil))
		}
		if !maps.Equal(got, model) {
			t.Fatalf("%s: %d items, want %d", what, len(got), len(model))
		}
	}
	now, err := s.Items("shop")
	must(t, err)
	same("the table", now, model)
	for _, i := range instants {
		items, err := s.ItemsAt("shop", i.at)
		must(t, err)
		same(fmt.Sprint("at ", i.at), items, i.model)
	}
	checkStream(t, s, model)
}

// checkStream holds what a stream's records say to the log, and makes the table of them.
func checkStream(t *testing.T, s *Server, model map[string]string) {
	r := newReader(t, s, "shop")
	shards, _ := r.shards(r.arn(), nil)
	byID := map[string]streamtypes.Record{}
	for _, h := range shards {
		records, _ := r.read(r.arn(), *h.ShardId)
		for _, record := range records {
			byID[*record.EventID] = record
		}
	}
	log, replayed := s.Log(), map[string]string{}
	for _, c := range log {
		record, ok := byID[c.id]
		if !ok || string(record.EventName) != c.Event || !record.Dynamodb.ApproximateCreationDateTime.Equal(c.Time.Truncate(time.Second)) {
			t.Fatalf("change %d is %+v in the stream", c.Number, record)
		}
		if c.New == nil {
			delete(replayed, string(c.keys))
		} else {
			replayed[string(c.keys)] = string(c.New.append(nil))
		}
	}
	if len(log) != len(byID) {
		t.Errorf("%d changes, %d records", len(log), len(byID))
	}
	if len(replayed) != len(model) {
		t.Errorf("replayed %d items, want %d", len(replayed), len(model))
	}
}

// TestSlowStream takes its time to be enabled and disabled.
func TestSlowStream(t *testing.T) {
	s := New(t, still(Options{ChangeTime: 10 * time.Second}))
	must(t, s.Create(Table{Name: "shop", Key: "id", View: "NEW_IMAGE"}), s.Put("shop", numbered(1)))
	r := newReader(t, s, "shop")
	status := func(want streamtypes.StreamStatus, shards int) {
		t.Helper()
		out, err := r.streams.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: ptr(r.arn())})
		must(t, err)
		if d := out.StreamDescription; d.StreamStatus != want || len(d.Shards) != shards {
			t.Errorf("it is %s with %d shards, want %s with %d", d.StreamStatus, len(d.Shards), want, shards)
		}
	}
	status("ENABLING", 0)
	s.Advance(10 * time.Second)
	status("ENABLED", 1)
	must(t, s.DisableStream("shop"))
	status("DISABLING", 1)
	s.Advance(10 * time.Second)
	status("DISABLED", 1)
}

// TestRegions holds tables of one name in two Regions apart.
func TestRegions(t *testing.T) {
	s := New(t, Options{})
	must(t, s.Create(Table{Name: "shop", Key: "id"}), s.Put("shop", numbered(1)))
	db, _ := clients(t, s.Endpoint)
	name := "shop"
	other := func(o *dynamodb.Options) { o.Region = "eu-west-1" }
	_, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name}, other)
	must(t, refused(err, "ResourceNotFoundException"))
	out, err := db.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: ptr("id"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: ptr("id"), AttributeType: types.ScalarAttributeTypeS}},
	}, other)
	must(t, err)
	arn := "arn:aws:dynamodb:eu-west-1:000000000000:table/shop"
	if *out.TableDescription.TableArn != arn {
		t.Errorf("ARN %s", *out.TableDescription.TableArn)
	}
	items, err := s.Items(arn)
	must(t, err)
	if len(items) != 0 {
		t.Errorf("%d items in the other Region", len(items))
	}
}
