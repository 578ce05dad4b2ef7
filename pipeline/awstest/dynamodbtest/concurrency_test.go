package dynamodbtest

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// TestWritesBesideReads writes from several goroutines, by the SDK and by Go, while shards roll and the table is
// scanned in segments. At the end the stream leads to the table, and a scan has found what was there all the time.
func TestWritesBesideReads(t *testing.T) {
	const writers, writes = 4, 150
	s := New(t, Options{})
	must(t, s.Create(Table{Name: "shop", Key: "id", View: "NEW_IMAGE", Partitions: 2}))
	for i := range 50 {
		must(t, s.Put("shop", Item{"id": S(fmt.Sprint("still-", i))}))
	}
	db, _ := clients(t, s.Endpoint)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range writes {
				id, err := fmt.Sprintf("%d-%d", w, i%20), error(nil)
				switch {
				case i%7 == 0:
					err = s.Delete("shop", Item{"id": S(id)})
				case i%2 == 0:
					err = s.Put("shop", Item{"id": S(id), "n": N(fmt.Sprint(i))})
				default:
					_, err = db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: ptr("shop"), Item: attributes{"id": text(id), "n": digits(fmt.Sprint(i))}})
				}
				if err == nil && i%50 == 49 {
					err = s.Roll("shop")
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	var found atomic.Int64
	for segment := range int32(3) {
		all.Go(func() { found.Add(int64(scanStill(t, db, segment))) })
	}
	all.Wait()
	if found.Load() != 50 {
		t.Errorf("scans found %d of 50 items that nobody wrote", found.Load())
	}
	r := newReader(t, s, "shop")
	shards, _ := r.shards(r.arn(), nil)
	newest, images := map[string]string{}, map[string]string{}
	for _, h := range shards { // in the order of their ids, which is that of their time in each partition
		records, _ := r.read(r.arn(), *h.ShardId)
		for _, record := range records {
			id := record.Dynamodb.Keys["id"].(*streamtypes.AttributeValueMemberS).Value
			if q := *record.Dynamodb.SequenceNumber; len(q) > len(newest[id]) || len(q) == len(newest[id]) && q > newest[id] {
				newest[id] = q
				delete(images, id)
				if record.Dynamodb.NewImage != nil {
					images[id] = fmt.Sprint(record.Dynamodb.NewImage["n"])
					if n, ok := record.Dynamodb.NewImage["n"].(*streamtypes.AttributeValueMemberN); ok {
						images[id] = n.Value
					}
				}
			}
		}
	}
	items, err := s.Items("shop")
	must(t, err)
	table := map[string]string{}
	for _, i := range items {
		table[i["id"].Text] = i["n"].Text
		if i["n"].Type == "" {
			table[i["id"].Text] = "<nil>"
		}
	}
	if !maps.Equal(table, images) {
		t.Errorf("the stream leads to %d items, the table has %d", len(images), len(table))
	}
}

// scanStill counts the items of a segment that nobody writes.
func scanStill(t *testing.T, db *dynamodb.Client, segment int32) (n int) {
	in := &dynamodb.ScanInput{TableName: ptr("shop"), Segment: &segment, TotalSegments: ptr(int32(3)), Limit: ptr(int32(5)), FilterExpression: ptr("begins_with(id, :still)"), ExpressionAttributeValues: attributes{":still": text("still-")}}
	for {
		out, err := db.Scan(t.Context(), in)
		if err != nil {
			t.Error(err)
			return n
		}
		n += len(out.Items)
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			return n
		}
	}
}
