package dynamodbscan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
)

// TestScanWhole: a scan gives each item once, as a line of an export, with one time for all, and asks
// for nothing but whole consistent pages of its segments.
func TestScanWhole(t *testing.T) {
	now := time.Date(2026, 11, 30, 4, 0, 0, 0, time.UTC)
	r := newRig(t, dynamodbtest.Options{Now: func() time.Time { return now }}, dynamodbtest.Table{Key: "pk", SortKey: "sk N"})
	for i := range 300 {
		r.must(r.fake.Put(tableName, dynamodbtest.Item{"pk": dynamodbtest.S(fmt.Sprintf("ü\"%d", i/3)), "sk": dynamodbtest.N(fmt.Sprint(i)), "b": dynamodbtest.B([]byte{0, 255})}))
	}
	proxy := awstest.NewHTTPProxy(t, r.fake.Endpoint)
	r.cfg.Endpoint = proxy.Endpoint
	r.open()
	r.toEnd()
	r.whole()
	if err := r.step(t.Context(), all); err == nil {
		t.Error("a scan that has ended goes on")
	}
	f := r.got[0].format
	if want := now.Add(-5 * time.Minute).UnixMicro(); f.ExportTime != want || f.Table != tableName || strings.Join(f.Key, " ") != "pk sk" || f.Encoding != pipeline.DynamoDBExport || f.Snapshot {
		t.Errorf("the format is %+v, want the time %d", f, want)
	}
	for _, one := range r.got {
		if one.format != f {
			t.Fatal("items of a scan have several formats")
		}
	}
	for _, in := range scans(t, proxy) {
		if !in.ConsistentRead || in.TotalSegments != 8 || in.Limit < 1 || in.ReturnConsumedCapacity != "TOTAL" || in.FilterExpression != nil || in.IndexName != nil || in.ProjectionExpression != nil {
			t.Errorf("asked for %+v", in)
		}
	}
}

// scanRequest is a request for a page.
type scanRequest struct {
	ConsistentRead                                    bool
	TotalSegments, Segment, Limit                     int
	ReturnConsumedCapacity                            string
	FilterExpression, IndexName, ProjectionExpression *string
	ExclusiveStartKey                                 map[string]any
}

// scans returns the requests for pages.
func scans(t testing.TB, p *awstest.HTTPProxy) (all []scanRequest) {
	t.Helper()
	for _, c := range p.Calls() {
		if c.Operation != "dynamodb:Scan" {
			continue
		}
		var r scanRequest
		if err := json.Unmarshal(c.Body, &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// TestScanResumes: a scan in 8 segments that is killed again and again, while items come, change and go, gives
// each item that was there all the while, and each at most once in the reading that counts; it is one scan,
// with one time.
func TestScanResumes(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for round := range 12 {
		rng := rand.New(rand.NewPCG(seed, uint64(round)))
		r := newRig(t, dynamodbtest.Options{Seed: seed}, dynamodbtest.Table{Partitions: 3})
		n := 1 + rng.IntN(400)
		r.put(0, n)
		changed := map[string]bool{}
		written := n
		names := map[string]bool{}
		for opened := 0; ; opened++ {
			r.cfg.Segments = 1 + rng.IntN(12) // the first that is saved counts
			if opened == 0 {
				r.cfg.Segments = 8
			}
			r.open()
			end := false
			steps := rng.IntN(12)
			for step := range steps {
				for range rng.IntN(5) {
					switch i := rng.IntN(written); rng.IntN(3) {
					case 0:
						r.put(written, 1)
						changed[fmt.Sprintf("k%d", written)] = true
						written++
					case 1:
						changed[fmt.Sprintf("k%d", i)] = true
						r.must(r.fake.Put(tableName, itemOf(i, fmt.Sprint(-1-rng.IntN(1000)))))
					default:
						changed[fmt.Sprintf("k%d", i)] = true
						r.must(r.fake.Delete(tableName, dynamodbtest.Item{"pk": dynamodbtest.S(fmt.Sprintf("k%d", i))}))
					}
				}
				kept := all
				if step == steps-1 { // the process is killed, and the rest of the batch is not saved
					kept = rng.IntN(60)
				}
				if err := r.step(t.Context(), kept); errors.Is(err, io.EOF) {
					end = true
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			for name := range r.cursors {
				names[name] = true
			}
			if end {
				break
			}
		}
		seen := map[string]int{}
		for _, one := range r.got {
			var line struct{ Item dynamodbtest.Item }
			r.must(json.Unmarshal([]byte(one.text), &line))
			key := line.Item["pk"].Text
			if seen[key]++; seen[key] > 1 {
				t.Fatalf("round %d: item %s came twice", round, key)
			}
			if !changed[key] && line.Item["n"].Text != key[1:] {
				t.Fatalf("round %d: item %s is %s", round, key, one.text)
			}
			if one.format.ExportTime != r.got[0].format.ExportTime {
				t.Fatalf("round %d: the scan has two times", round)
			}
		}
		for i := range n {
			if key := fmt.Sprintf("k%d", i); !changed[key] && seen[key] == 0 {
				t.Fatalf("round %d: item %s did not come", round, key)
			}
		}
		if s, err := scanOf(names); err != nil || len(names) != s.segments {
			t.Fatalf("round %d: partitions %v, %v", round, names, err)
		}
		r.close()
	}
}

// TestScanPages: tables of more than 1 MB come in pages, also of items of hundreds of KB.
func TestScanPages(t *testing.T) {
	for segments, items := range map[int]int{1: 9, 4: 30} {
		r := newRig(t, dynamodbtest.Options{}, dynamodbtest.Table{})
		r.cfg.Segments = segments
		for i := range items {
			item := itemOf(i, "1")
			item["text"] = dynamodbtest.S(strings.Repeat("x", 350_000))
			r.must(r.fake.Put(tableName, item))
		}
		r.open()
		r.toEnd()
		r.whole()
		if n := len(r.fake.Requests("Scan", "", "")); n < items/3 {
			t.Errorf("%d items in %d pages", items, n)
		}
	}
}

// TestScanAgain: a scan that has ended gives nothing more, whatever has been written since; read anew it
// has another time.
func TestScanAgain(t *testing.T) {
	now := time.Date(2026, 11, 30, 4, 0, 0, 0, time.UTC)
	r := newRig(t, dynamodbtest.Options{Now: func() time.Time { return now }}, dynamodbtest.Table{})
	r.put(0, 20)
	r.open()
	r.toEnd()
	r.put(20, 5)
	r.open()
	r.toEnd()
	if len(r.got) != 20 {
		t.Errorf("%d items", len(r.got))
	}
	first := r.got[0].format.ExportTime
	r.cursors, r.got = map[string][]byte{}, nil
	r.fake.Advance(time.Hour)
	r.open()
	r.toEnd()
	r.whole()
	if at := r.got[0].format.ExportTime; at != first+time.Hour.Microseconds() {
		t.Errorf("the times are %d and %d", first, at)
	}
}

// TestScanOfAnotherTable: a scan does not go on in a table that was made again under the name, wherever it was
// interrupted, and none ends in one.
func TestScanOfAnotherTable(t *testing.T) {
	again := func(r *rig) {
		name := tableName
		_, err := r.client().DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &name})
		r.must(err)
		r.must(r.fake.Create(dynamodbtest.Table{Name: tableName, Key: "pk"}))
		r.put(0, 50)
	}
	for name, opened := range map[string]bool{"between runs": false, "while it runs": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, dynamodbtest.Options{}, dynamodbtest.Table{})
			r.cfg.Segments, r.cfg.ReadCapacity = 1, 100
			for i := range 300 {
				item := itemOf(i, "1")
				item["text"] = dynamodbtest.S(strings.Repeat("x", 10_000)) // several pages, which wait for capacity
				r.must(r.fake.Put(tableName, item))
			}
			r.open()
			for len(r.got) == 0 {
				r.must(r.step(t.Context(), all))
			}
			again(r)
			var err error
			if !opened {
				err = r.tryOpen()
			}
			if err == nil {
				err = r.tryToEnd()
			}
			if err == nil || !strings.Contains(err.Error(), "made again") || pipeline.Retryable(err) {
				t.Errorf("the scan goes on: %v", err)
			}
			r.cursors = map[string][]byte{} // as a backfill does
			r.got = nil
			r.open()
			r.toEnd()
			r.whole()
		})
	}
}

// TestScanKey: the table tells the key; one that the file has is compared.
func TestScanKey(t *testing.T) {
	r := newRig(t, dynamodbtest.Options{}, dynamodbtest.Table{Key: "pk", SortKey: "sk"})
	s, err := New("scan", r.cfg)
	r.must(err)
	if err := s.FindKey(nil); err != pipeline.ErrKeyAtOpen { //nolint:errorlint // it is that one
		t.Errorf("of no other source: %v", err)
	}
	for _, c := range []struct {
		key  []string
		says string
	}{{[]string{"sk", "pk"}, ""}, {[]string{"pk"}, "is [pk, sk], and the pipeline file has [pk]"}, {[]string{"pk", "id"}, "write `key: [pk, sk]`"}} {
		r.cfg.Key = c.key
		err := r.tryOpen()
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("key %v: %v", c.key, err)
		}
	}
	r.cfg.Key = nil
	s, err = New("scan", r.cfg)
	r.must(err)
	r.must(s.FindKey([]pipeline.Format{{Encoding: pipeline.JSON, Table: tableName, Key: []string{"x"}}, {Encoding: pipeline.DynamoDBCDC, Table: "other", Key: []string{"y"}}, {Encoding: pipeline.DynamoDBCDC, Table: tableName, Key: []string{"sk", "pk"}}}))
	if f := s.Format(); strings.Join(f.Key, " ") != "sk pk" {
		t.Errorf("the key is %v", f.Key)
	}
}
