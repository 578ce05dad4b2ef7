package dynamodbtest

import (
	"math/bits"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

type scanInput struct {
	TableName              string
	Segment, TotalSegments *int
	Limit                  *int
	ExclusiveStartKey      Item
	ConsistentRead         bool
	readInput
	capacity
}

// readInput is what scans and queries may leave out of what they find.
type readInput struct {
	IndexName                              string
	Select                                 string
	FilterExpression, ProjectionExpression string
	// What was there before expressions is refused, so that no test believes that it counts.
	ScanFilter, QueryFilter, KeyConditions map[string]any
	AttributesToGet                        []string
	expressions
}

// prepare sets what a page leaves out.
func (in *readInput) prepare(p *page) (err error) {
	switch {
	case in.IndexName != "":
		return invalid("The table does not have the specified index: %s", in.IndexName)
	case len(in.ScanFilter)+len(in.QueryFilter)+len(in.KeyConditions)+len(in.AttributesToGet) > 0:
		return invalid("this fake knows no ScanFilter, QueryFilter, KeyConditions and AttributesToGet: use expressions")
	}
	p.count = in.Select == "COUNT"
	if in.FilterExpression != "" {
		err = in.parse("FilterExpression", in.FilterExpression, func(q *parser) (err error) {
			p.keep, err = q.condition()
			return err
		})
	}
	if err == nil {
		p.project, err = in.projection(in.ProjectionExpression)
	}
	if err == nil {
		err = in.unused()
	}
	return err
}

// The bounds of scans.
const (
	maxScanBytes    = 1 << 20
	maxScanSegments = 1_000_000
)

func (s *Server) onScan(c *awsfake.Call, in *scanInput) (any, error) {
	t, err := s.find(c.Region, in.TableName)
	if err != nil {
		return nil, err
	}
	segment, segments, err := in.segment()
	if err != nil {
		return nil, err
	}
	if in.Limit != nil && *in.Limit < 1 {
		return nil, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1", *in.Limit)
	}
	// Segment i has the hashes from i/n of them on.
	first := segmentStart(segment, segments)
	after := &primaryKey{hash: first}
	if in.ExclusiveStartKey != nil {
		k, err := t.keyAlone(in.ExclusiveStartKey)
		if err != nil {
			return nil, invalid("The provided starting key is invalid")
		}
		if k.hash < first || segmentOf(k.hash, segments) != segment {
			return nil, invalid("The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: %d Segment: %d", segments, segment)
		}
		after = &k
	}
	p := page{limit: in.Limit, segment: segment, segments: segments}
	if err := in.prepare(&p); err != nil {
		return nil, err
	}
	if err := s.throttled(t); err != nil {
		return nil, err
	}
	t.items.from(after, p.add)
	units := readUnits(p.bytes, in.ConsistentRead)
	t.charge(s.now(), units, s.o.ReadUnits)
	c.Records, c.Bytes = p.items, int(p.bytes)
	return p.answer(t, in.capacity, units), nil
}

// segment returns which of how many segments is asked for.
func (in *scanInput) segment() (segment, segments int, err error) {
	switch {
	case in.Segment == nil && in.TotalSegments == nil:
		return 0, 1, nil
	case in.TotalSegments == nil:
		return 0, 0, invalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case in.Segment == nil:
		return 0, 0, invalid("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case *in.TotalSegments < 1 || *in.TotalSegments > maxScanSegments:
		return 0, 0, invalid("1 validation error detected: Value '%d' at 'totalSegments' failed to satisfy constraint: Member must have value less than or equal to 1000000 and greater than or equal to 1", *in.TotalSegments)
	case *in.Segment < 0 || *in.Segment >= *in.TotalSegments:
		return 0, 0, invalid("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: %d is not less than TotalSegments: %d", *in.Segment, *in.TotalSegments)
	}
	return *in.Segment, *in.TotalSegments, nil
}

// segmentOf is the one of n equal ranges that a hash is in, segmentStart the first hash of one.
func segmentOf(hash uint64, n int) int {
	high, _ := bits.Mul64(hash, uint64(n))
	return int(high)
}

func segmentStart(i, n int) uint64 {
	if i == 0 {
		return 0
	}
	start, rest := bits.Div64(uint64(i), 0, uint64(n))
	if rest > 0 {
		start++
	}
	return start
}

// page is a page of a scan or a query.
type page struct {
	limit             *int
	segment, segments int // 0 segments = all items are of the page
	count             bool
	keep              condition       // a filter; nil = all
	project           func(Item) Item // what is left of an item; nil = all

	json        []byte
	items, kept int
	bytes       int64
	last        *row
	full        bool
}

// add adds an item; false = the page ends.
func (p *page) add(r *row) bool {
	if p.segments > 0 && segmentOf(r.key.hash, p.segments) != p.segment {
		return false
	}
	p.items++
	p.bytes += int64(r.size)
	p.last = r
	if p.keep == nil || p.keep(r.item) {
		p.kept++
		if !p.count {
			if len(p.json) > 0 {
				p.json = append(p.json, ',')
			}
			if p.project != nil {
				p.json = p.project(r.item).append(p.json)
			} else {
				p.json = append(p.json, r.json...)
			}
		}
	}
	p.full = p.limit != nil && p.items >= *p.limit || p.bytes >= maxScanBytes
	return !p.full
}

// answer is what the service says to a page.
func (p *page) answer(t *tableState, c capacity, units float64) any {
	out := map[string]any{"Count": p.kept, "ScannedCount": p.items}
	// A page that ends for its size has a last key even if nothing is behind it, as at the service.
	if p.full {
		out["LastEvaluatedKey"] = t.keysOf(p.last.item)
	}
	c.add(out, t, units)
	if p.count {
		return out
	}
	b := mustMarshal(out)
	b = append(b[:len(b)-1], `,"Items":[`...)
	return append(append(b, p.json...), "]}"...)
}

// throttled refuses a read of a table whose read capacity is used up.
func (s *Server) throttled(t *tableState) error {
	if s.o.ReadUnits > 0 && t.paid.After(s.now()) {
		return awsfake.Errorf("ProvisionedThroughputExceededException", "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API.")
	}
	return nil
}

// charge lets a read be paid for: the next ones wait until its units have come.
func (t *tableState) charge(now time.Time, units float64, perSecond int) {
	if perSecond <= 0 {
		return
	}
	if t.paid.Before(now) {
		t.paid = now
	}
	t.paid = t.paid.Add(time.Duration(units / float64(perSecond) * float64(time.Second)))
}
