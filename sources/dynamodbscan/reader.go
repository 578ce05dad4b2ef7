package dynamodbscan

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
)

// reader reads a segment.
type reader struct {
	table    *table
	scan     scan
	segment  int
	format   *pipeline.Format
	key      []string // the table's
	at       position
	reserved awsapi.ReservedPage // of the next page; zero = nothing is
	// itemBytes is how large items are thought to be in an answer; 0 = nothing is known.
	itemBytes float64
}

// OpenPartition implements pipeline.PartitionSource.
func (t *table) OpenPartition(_ context.Context, p pipeline.Partition, from pipeline.PartitionPosition) (pipeline.PartitionReader, error) {
	s, segment, err := parsePartitionName(p.Name)
	if err != nil {
		return nil, err
	}
	at, err := parsePosition(from.Cursor)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.madeAgain(s, t.described); err != nil {
		return nil, err
	}
	if t.format == nil || t.scan.partitionName(segment) != p.Name {
		return nil, fmt.Errorf("partition %s is of another scan than %s", p.Name, t.scan.partitionName(segment))
	}
	return &reader{table: t, scan: s, segment: segment, format: t.format, key: t.described.key, at: at}, nil
}

// Close implements pipeline.PartitionReader.
func (r *reader) Close() error { return nil }

// Read implements pipeline.PartitionReader: it reads a page, or says when there is capacity for one.
func (r *reader) Read(ctx context.Context, allowance int) (pipeline.PartitionRecords, error) {
	if wait := r.reserve(); wait > 0 {
		return pipeline.PartitionRecords{Wait: wait}, nil
	}
	p, err := r.page(ctx, allowance)
	if err != nil {
		if pipeline.RetryReason(err) != awsapi.Throttled { // what was refused has used nothing
			r.reserved = awsapi.ReservedPage{}
		}
		return pipeline.PartitionRecords{}, err
	}
	r.table.capacity.Used(r.reserved, p.units, int(p.scanned), r.table.env.Now())
	r.table.units.Add(p.units)
	r.reserved = awsapi.ReservedPage{}
	if p.last == nil {
		// The page is none of this scan if the table has been made again by now.
		d, err := r.table.describe(ctx)
		if err == nil {
			err = r.table.madeAgain(r.scan, d)
		}
		if err != nil {
			p.free()
			return pipeline.PartitionRecords{}, err
		}
	}
	read := r.take(p)
	if p.last == nil {
		r.table.endSegment()
		return read, io.EOF
	}
	return read, nil
}

// reserve reserves capacity for the next page, or returns in how long there may be some.
func (r *reader) reserve() (wait time.Duration) {
	if r.reserved.Units == 0 {
		r.reserved, wait = r.table.capacity.Reserve(r.table.env.Now())
	}
	return wait
}

// page asks for the next page.
func (r *reader) page(ctx context.Context, allowance int) (*page, error) {
	start, err := r.at.startKey()
	if err != nil {
		return nil, err
	}
	limit := r.table.capacity.Limit(r.reserved)
	if r.itemBytes > 0 {
		limit = max(1, min(limit, int(float64(allowance)/r.itemBytes)))
	}
	within, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	p, err := getPage(within, r.table.api, &dynamodb.ScanInput{TableName: &r.table.cfg.Table, ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(limit)),
		Segment: aws.Int32(int32(r.segment)), TotalSegments: aws.Int32(int32(r.scan.segments)), ExclusiveStartKey: start, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal}, r.key)
	if err != nil {
		return nil, r.table.error("scan", awsapi.Error(ctx, err))
	}
	if p.last != nil && bytes.Equal(p.last, r.at.After) {
		p.free()
		return nil, fmt.Errorf("scan of table %s: segment %d gets no further than %d items: the server gives the same key again", r.table.named.Name, r.segment+1, r.at.Items)
	}
	return p, nil
}

// take makes records of a page.
func (r *reader) take(p *page) (read pipeline.PartitionRecords) {
	before := r.at
	n := len(p.spans)
	r.at.Items += int64(n)
	switch {
	case p.last != nil:
		r.at.After = p.last
	case n > 0:
		r.at.After = p.keyOf(n - 1)
	}
	if n == 0 {
		p.free()
		if p.last != nil {
			read.Cursor = r.at.encode()
		}
		return read
	}
	r.table.read.Add(int64(n))
	r.itemBytes = max(float64(len(p.data))/float64(n), r.itemBytes/2) // large ones are remembered for longer
	for i := range p.spans {
		p.spans[i].Line = before.Items + int64(i) + 1
	}
	end := r.at
	read.Records = &pipeline.Records{Format: r.format, Data: p.data, Spans: p.spans, Free: p.free, CursorAfter: func(n int) []byte {
		if n == len(p.spans) {
			return end.encode()
		}
		return position{Items: before.Items + int64(n), After: p.keyOf(n - 1)}.encode()
	}}
	return read
}
