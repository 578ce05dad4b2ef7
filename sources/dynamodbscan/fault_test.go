package dynamodbscan

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
)

// TestScanFaults: what fails for a moment is asked for again, and changes nothing of what is read.
func TestScanFaults(t *testing.T) {
	for _, f := range []awsfake.Fault{
		{Operation: "Scan", Effect: awsfake.Refuse, Code: "ProvisionedThroughputExceededException", After: 3, Times: 4},
		{Operation: "Scan", Effect: awsfake.Refuse, Code: "ThrottlingException", Ratio: 0.3},
		{Operation: "Scan", Effect: awsfake.Refuse, Code: "InternalServerError", Status: 500, After: 1, Times: 2},
		{Operation: "Scan", Effect: awsfake.Reset, After: 2, Times: 2},
		{Operation: "Scan", Effect: awsfake.LoseAnswer, After: 2, Times: 2},
		{Operation: "Scan", Effect: awsfake.CutBody, After: 2, Times: 2},
		{Operation: "DescribeTable", Effect: awsfake.Refuse, Code: "InternalServerError", Status: 500, Times: 2},
		{Operation: "DescribeTable", Effect: awsfake.Refuse, Code: "ThrottlingException", After: 3, Times: 3},
	} {
		t.Run(fmt.Sprintf("%s %s %d", f.Operation, f.Code, f.Effect), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, dynamodbtest.Options{}, dynamodbtest.Table{})
			r.put(0, 1500)
			r.fake.Inject(f)
			r.open()
			r.toEnd()
			r.whole()
			hit := 0
			for _, q := range r.fake.Requests(f.Operation, "", "") {
				if q.Effect == f.Effect {
					hit++
				}
			}
			if hit == 0 {
				t.Error("nothing has failed")
			}
		})
	}
}

// TestScanFails: what lasts ends a scan, and the message says what to do.
func TestScanFails(t *testing.T) {
	for name, c := range map[string]struct {
		fault awsfake.Fault
		says  string
	}{
		"denied":           {awsfake.Fault{Operation: "Scan", Effect: awsfake.Refuse, Code: "AccessDeniedException", Message: "not authorized to perform: dynamodb:Scan"}, "docs/aws.md"},
		"denied to look":   {awsfake.Fault{Operation: "DescribeTable", Effect: awsfake.Refuse, Code: "AccessDeniedException"}, "docs/aws.md"},
		"not there":        {awsfake.Fault{Operation: "DescribeTable", Effect: awsfake.Refuse, Code: "ResourceNotFoundException"}, "there is no table shop in us-east-1"},
		"gone in between":  {awsfake.Fault{Operation: "Scan", Effect: awsfake.Refuse, Code: "ResourceNotFoundException", After: 2}, "it was deleted"},
		"refused as wrong": {awsfake.Fault{Operation: "Scan", Effect: awsfake.Refuse, Code: "ValidationException", Message: "The provided starting key is invalid"}, "starting key is invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, dynamodbtest.Options{}, dynamodbtest.Table{})
			r.put(0, 1500)
			r.fake.Inject(c.fault)
			err := r.tryOpen()
			if err == nil {
				err = r.tryToEnd()
			}
			if err == nil || pipeline.Retryable(err) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// TestScanThrottledTable: a table that gives less than the budget is read to its end all the same.
func TestScanThrottledTable(t *testing.T) {
	r := newRig(t, dynamodbtest.Options{ReadUnits: 400}, dynamodbtest.Table{})
	for i := range 60 {
		item := itemOf(i, "1")
		item["text"] = dynamodbtest.S(strings.Repeat("x", 40_000)) // 600 units
		r.must(r.fake.Put(tableName, item))
	}
	r.open()
	r.toEnd()
	r.whole()
	throttled := 0
	for _, q := range r.fake.Requests("Scan", "", "") {
		if q.Code != "" {
			throttled++
		}
	}
	if throttled == 0 {
		t.Error("nothing was throttled")
	}
}

// clockwork is a time that only a test moves.
type clockwork struct{ now time.Time }

// TestScanCapacity: all segments together use no more than the budget allows, in any 5 seconds, and one page;
// and they use it up. The service counts.
func TestScanCapacity(t *testing.T) {
	for _, c := range []struct{ capacity, segments, items, bytes int }{
		{100, 6, 3000, 900}, {100, 1, 500, 5000}, {20, 5, 60, 60_000}, {1000, 8, 3000, 3000}, {3, 3, 400, 300}, {100, 16, 10, 100},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			t.Parallel()
			clock := &clockwork{time.Date(2026, 11, 30, 4, 0, 0, 0, time.UTC)}
			r := newRig(t, dynamodbtest.Options{Now: func() time.Time { return clock.now }}, dynamodbtest.Table{})
			for i := range c.items {
				item := itemOf(100_000+i, "1")
				item["text"] = dynamodbtest.S(strings.Repeat("x", c.bytes))
				r.must(r.fake.Put(tableName, item))
			}
			r.cfg.Segments, r.cfg.ReadCapacity = c.segments, c.capacity
			uses := r.paced(clock)
			var total, largest float64
			for _, u := range uses {
				total, largest = total+u.units, max(largest, u.units)
			}
			for i := range uses {
				var sum float64
				for k := i; k < len(uses) && uses[k].at.Before(uses[i].at.Add(5*time.Second)); k++ {
					sum += uses[k].units
				}
				if most := 5*float64(c.capacity) + largest; sum > most+0.1 {
					t.Fatalf("%v units within 5 s of %v, want at most %v", sum, uses[i].at, most)
				}
			}
			ideal := total / float64(c.capacity)
			if took := clock.now.Sub(uses[0].at).Seconds(); took > 1.3*ideal+256/float64(c.capacity)+1 {
				t.Errorf("%v units in %v s, want about %v s", total, took, ideal)
			}
		})
	}
}

// use is what a page has used.
type use struct {
	at    time.Time
	units float64
}

// paced reads all segments by the clock, which goes on as far as the readers wait.
func (r *rig) paced(clock *clockwork) (uses []use) {
	r.t.Helper()
	t, err := newTable("scan", r.cfg)
	r.must(err)
	env := pipeline.NewEnv()
	env.Now = func() time.Time { return clock.now }
	r.must(t.Connect(r.t.Context(), env))
	found, err := t.Discover(r.t.Context(), nil)
	r.must(err)
	type segment struct {
		reader pipeline.PartitionReader
		next   time.Time
	}
	var open []*segment
	for _, p := range found {
		reader, err := t.OpenPartition(r.t.Context(), p, pipeline.PartitionPosition{})
		r.must(err)
		open = append(open, &segment{reader, clock.now})
	}
	items := 0
	for len(open) > 0 {
		next := 0
		for i := range open {
			if open[i].next.Before(open[next].next) {
				next = i
			}
		}
		if s := open[next]; s.next.After(clock.now) {
			clock.now = s.next
		}
		before := len(r.fake.Requests("Scan", "", ""))
		read, err := open[next].reader.Read(r.t.Context(), 8<<20)
		for _, q := range r.fake.Requests("Scan", "", "")[before:] {
			uses = append(uses, use{clock.now, float64((q.Bytes + 4095) / 4096)})
		}
		if read.Records != nil {
			items += read.Records.Len()
			read.Records.Free()
		}
		if err == io.EOF { //nolint:errorlint // the end of a partition is exactly that
			open = append(open[:next], open[next+1:]...)
			continue
		}
		r.must(err)
		open[next].next = clock.now.Add(read.Wait)
	}
	if all, err := r.fake.Items(tableName); err != nil || items != len(all) {
		r.t.Errorf("%d items of %d, %v", items, len(all), err)
	}
	return uses
}

// TestReadRefused: a page that was refused has used nothing, and one whose answer was lost may have.
func TestReadRefused(t *testing.T) {
	clock := &clockwork{time.Date(2026, 11, 30, 4, 0, 0, 0, time.UTC)}
	r := newRig(t, dynamodbtest.Options{Now: func() time.Time { return clock.now }}, dynamodbtest.Table{})
	r.put(0, 10)
	r.cfg.Segments, r.cfg.ReadCapacity = 1, 1
	table, err := newTable("scan", r.cfg)
	r.must(err)
	env := pipeline.NewEnv()
	env.Now = func() time.Time { return clock.now }
	r.must(table.Connect(t.Context(), env))
	found, err := table.Discover(t.Context(), nil)
	r.must(err)
	reader, err := table.OpenPartition(t.Context(), found[0], pipeline.PartitionPosition{})
	r.must(err)
	for _, c := range []struct {
		fault awsfake.Fault
		waits bool
	}{
		{awsfake.Fault{Operation: "Scan", Effect: awsfake.Refuse, Code: "ProvisionedThroughputExceededException", Times: 1}, false},
		{awsfake.Fault{Operation: "Scan", Effect: awsfake.LoseAnswer, Times: 1}, true},
	} {
		remove := r.fake.Inject(c.fault)
		_, err := reader.Read(t.Context(), 1<<20)
		remove()
		if !pipeline.Retryable(err) {
			t.Fatalf("the error is %v", err)
		}
		if c.waits != (pipeline.RetryReason(err) != awsapi.Throttled) {
			t.Errorf("the reason is %s", pipeline.RetryReason(err))
		}
		if wait := asReader(reader).reserve(); (wait > 0) != c.waits {
			t.Errorf("%v: it waits for %v", err, wait)
		}
	}
}

// TestScanOfAnything: items of any size and shape come whole, read at random paces.
func TestScanOfAnything(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	r := newRig(t, dynamodbtest.Options{}, dynamodbtest.Table{Key: "k\"é B", SortKey: "sk N"})
	for range 400 {
		item, err := dynamodbtest.ParseItem(`{"k\"é":{"B":"AP8="},"sk":{"N":"1"},"m":{"M":{"a":{"L":[{"NULL":true},{"BOOL":false},{"S":""},{"N":"1E-130"}]}}},"ss":{"SS":["b","a"]}}`)
		r.must(err)
		item["k\"é"] = dynamodbtest.B([]byte{byte(rng.IntN(256)), byte(rng.IntN(256))})
		item["sk"] = dynamodbtest.N(fmt.Sprint(rng.IntN(1e9)))
		item["text"] = dynamodbtest.S(strings.Repeat("\"\\\n\u2028é𝄞", rng.IntN(300)))
		r.must(r.fake.Put(tableName, item))
	}
	r.cfg.Segments = 1 + rng.IntN(5)
	r.open()
	for range 3 {
		r.must(r.step(t.Context(), rng.IntN(30)))
		r.open()
	}
	r.toEnd()
	r.whole()
}

func asReader(r pipeline.PartitionReader) *reader { return r.(*reader) }
