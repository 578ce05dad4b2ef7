package dynamodbtest

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

func benchItem(n int) Item {
	return Item{
		"id": S(fmt.Sprintf("order#%08d", n%100_000)), "n": N(fmt.Sprint(n)), "price": N("42.42"), "state": S("open"),
		"lines": Value{Type: "L", List: []Value{S("a"), S("b")}}, "address": Value{Type: "M", Map: map[string]Value{"city": S("Hamburg"), "zip": S("20095")}},
	}
}

// BenchmarkPut writes items into a table with a stream by Go: as fast as a test can write.
func BenchmarkPut(b *testing.B) {
	s := New(b, Options{})
	if err := s.Create(Table{Name: "shop", Key: "id", View: "NEW_AND_OLD_IMAGES", Partitions: 4}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if err := s.Put("shop", benchItem(n)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBatchWriteItem writes 25 items a call by the SDK; an op is an item.
func BenchmarkBatchWriteItem(b *testing.B) {
	s := New(b, Options{})
	if err := s.Create(Table{Name: "shop", Key: "id", View: "NEW_AND_OLD_IMAGES", Partitions: 4}); err != nil {
		b.Fatal(err)
	}
	db := dynamodb.NewFromConfig(awstest.Config(b, s.Endpoint))
	b.ReportAllocs()
	for n := 0; n < b.N; {
		var requests []types.WriteRequest
		for len(requests) < 25 && n < b.N {
			requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: attributes{
				"id": text(fmt.Sprintf("order#%08d", n%100_000)), "n": digits(fmt.Sprint(n)), "price": digits("42.42"), "state": text("open"),
				"address": &types.AttributeValueMemberM{Value: attributes{"city": text("Hamburg"), "zip": text("20095")}},
			}}})
			n++
		}
		if _, err := db.BatchWriteItem(b.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"shop": requests}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScan reads 100,000 items by the SDK; an op is a scan.
func BenchmarkScan(b *testing.B) {
	s := New(b, Options{})
	if err := s.Create(Table{Name: "shop", Key: "id"}); err != nil {
		b.Fatal(err)
	}
	for n := range 100_000 {
		if err := s.Put("shop", benchItem(n)); err != nil {
			b.Fatal(err)
		}
	}
	db := dynamodb.NewFromConfig(awstest.Config(b, s.Endpoint))
	for b.Loop() {
		items := 0
		pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{TableName: ptr("shop")})
		for pages.HasMorePages() {
			page, err := pages.NextPage(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			items += len(page.Items)
		}
		if items != 100_000 {
			b.Fatalf("%d items", items)
		}
	}
}
