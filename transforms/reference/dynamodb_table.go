package reference

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/decode"
)

// dynamoDBTable is a reference in a DynamoDB table. It is scanned to the end, page by page, in one
// segment: a reference fits into memory, and its scan is to be cheap rather than quick.
//
// A scan is no snapshot: each item is as it was at some time during it. Of an index, whose reads are
// eventually consistent, an item may be missing that was just written.
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html)
type dynamoDBTable struct {
	node      string
	cfg       DynamoDBTableConfig
	layout    *layout
	normalize normalization
	paths     []decode.Path // of the layout's columns

	retry  awsapi.Retry
	wait   func(ctx context.Context, d time.Duration) error
	now    func() time.Time
	client *dynamodb.Client
	units  prometheus.Counter
	region string
	keys   []string // the attributes of the table's primary key; nil = not asked yet
}

var _ source = (*dynamoDBTable)(nil)

const (
	// scanAttempts is how often one page is asked for, before the reading fails.
	scanAttempts = 8
	// scanTimeout is how long the answer with one page may take, which has 1 MB at most.
	scanTimeout = 30 * time.Second
)

// dynamoDBTable compiles a reference in a DynamoDB table.
func (c *compiler) dynamoDBTable(s *DynamoDBTableConfig) {
	c.sourceMistakes(s.Check()...)
	t := &dynamoDBTable{node: c.join.name, cfg: *s, layout: &c.join.layout, normalize: c.join.normalize, wait: awsapi.Sleep, now: time.Now}
	t.retry = awsapi.Retry{Attempts: scanAttempts, Timeout: scanTimeout}
	for i, col := range c.join.layout.columns {
		path, err := decode.ParsePath(col.Name)
		if err == nil && path[0].IsIndex {
			err = fmt.Errorf("document path %q: an item is no list: begin with a name", col.Name)
		}
		if slices.ContainsFunc(path, func(e decode.PathElement) bool { return e.Index < 0 }) {
			err = fmt.Errorf("document path %q: DynamoDB counts elements from the start of a list only: write an index from 0", col.Name)
		}
		if err != nil {
			c.wrong(fmt.Sprintf("columns of a DynamoDB table are document paths: %v", err), c.placeOf(i)...)
		}
		t.paths = append(t.paths, path)
	}
	c.join.describe, c.join.watch.source = t.String(), t
}

// placeOf returns where the pipeline file first names a column of the layout.
func (c *compiler) placeOf(column int) []string {
	name := c.join.layout.columns[column].Name
	for _, e := range c.cfg.On {
		if e.Value == name {
			return []string{"on", e.Name}
		}
	}
	for i, e := range c.cfg.Columns.Map {
		switch {
		case e.Value != name:
		case e.Name == name:
			return []string{"columns", strconv.Itoa(i)}
		default:
			return []string{"columns", e.Name}
		}
	}
	return nil
}

// String implements source.
func (t *dynamoDBTable) String() string {
	if t.cfg.Index != "" {
		return fmt.Sprintf("DynamoDB table %s, index %s", t.cfg.Table, t.cfg.Index)
	}
	return "DynamoDB table " + t.cfg.Table
}

// open implements source.
func (t *dynamoDBTable) open(ctx context.Context, env pipeline.Env) error {
	t.units = env.CounterVec(prometheus.CounterOpts{Name: "starlift_reference_read_units_total",
		Help: "Read capacity units that scans of a reference's table have used."}, "node").WithLabelValues(t.node)
	retries := env.CounterVec(prometheus.CounterOpts{Name: "starlift_reference_retries_total",
		Help: "Calls for a reference's table that were made again."}, "node", "reason")
	t.retry.Count = func(reason string) { retries.WithLabelValues(t.node, reason).Inc() }
	cfg, err := t.cfg.Load(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", t, err)
	}
	t.region = cfg.Region
	t.client = dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		if e := t.cfg.BaseEndpoint(); e != nil { // else that of the environment stays
			o.BaseEndpoint = e
		}
	})
	return nil
}

// close implements source: idle connections end by themselves.
func (t *dynamoDBTable) close() {}

// read implements source. A scan tells no version: whether it found something else, its rows say.
func (t *dynamoDBTable) read(ctx context.Context, _ bool) (*snapshot, error) {
	if t.keys == nil {
		if err := t.findKeys(ctx); err != nil {
			return nil, err
		}
	}
	items := &itemReader{table: t, snapshotBuilder: newSnapshotBuilder(t.String(), t.layout), found: make([]bool, len(t.paths))}
	items.row = func(i int) string { return items.names[i] }
	if err := t.scan(ctx, items); err != nil {
		return nil, err
	}
	for c, found := range items.found {
		if !found && len(items.positions) > 0 {
			return nil, fmt.Errorf("%s: no item has the attribute %q", t, t.layout.columns[c].Name)
		}
	}
	return items.finish(t.normalize)
}

// call makes a request until it is answered. The error says what failed, and what to do about a
// table that is not there.
func (t *dynamoDBTable) call(ctx context.Context, request func(ctx context.Context) error) error {
	err := t.retry.Do(ctx, request)
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		t.keys = nil // another table of that name may have others
		return fmt.Errorf("%s: there is no such table in %s: see table and region", t, t.region)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", t, err)
	}
	return nil
}

// findKeys asks for the table's primary key: by it, messages name items.
func (t *dynamoDBTable) findKeys(ctx context.Context) error {
	var out *dynamodb.DescribeTableOutput
	err := t.call(ctx, func(ctx context.Context) (err error) {
		out, err = t.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.cfg.Table})
		return err
	})
	if err != nil {
		return err
	}
	if out.Table.TableStatus == types.TableStatusCreating {
		return pipeline.TransientFor(awsapi.Unavailable, fmt.Errorf("%s: the table is being created", t))
	}
	for _, k := range out.Table.KeySchema {
		t.keys = append(t.keys, aws.ToString(k.AttributeName))
	}
	if t.keys == nil {
		return fmt.Errorf("%s: the server does not tell its primary key", t)
	}
	return nil
}

// scan reads the table to its end, at the pace that its read capacity allows.
func (t *dynamoDBTable) scan(ctx context.Context, items *itemReader) error {
	in := t.input()
	capacity := awsapi.NewReadCapacity(t.cfg.ReadCapacity)
	for {
		reserved, wait := capacity.Reserve(t.now())
		if wait > 0 {
			if err := t.wait(ctx, wait); err != nil {
				return err
			}
			continue
		}
		in.Limit = aws.Int32(int32(capacity.Limit(reserved)))
		var page *dynamodb.ScanOutput
		err := t.call(ctx, func(ctx context.Context) (err error) {
			page, err = t.client.Scan(ctx, in)
			return err
		})
		if err != nil {
			return err
		}
		units := unitsOf(page)
		t.units.Add(units)
		capacity.Used(reserved, units, int(page.ScannedCount), t.now())
		for _, item := range page.Items {
			if err := items.add(item); err != nil {
				return err
			}
		}
		if len(page.LastEvaluatedKey) == 0 {
			return nil
		}
		if maps.EqualFunc(page.LastEvaluatedKey, in.ExclusiveStartKey, equalValues) {
			return fmt.Errorf("%s: the scan gets no further than the item %s", t, nameOf(page.LastEvaluatedKey, t.keys))
		}
		in.ExclusiveStartKey = page.LastEvaluatedKey
	}
}

// unitsOf returns the read capacity units that a page used. Where a server does not say, an item
// counts as one.
func unitsOf(page *dynamodb.ScanOutput) float64 {
	if c := page.ConsumedCapacity; c != nil && c.CapacityUnits != nil {
		return *c.CapacityUnits
	}
	return float64(page.ScannedCount)
}

// input returns the request for a scan's first page: of the primary key and the attributes that the
// columns need. An index in a list would be that of another element in the answer, so such
// lists come whole.
func (t *dynamoDBTable) input() *dynamodb.ScanInput {
	in := &dynamodb.ScanInput{TableName: &t.cfg.Table, ConsistentRead: aws.Bool(t.cfg.Index == ""), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		ExpressionAttributeNames: map[string]string{}}
	if t.cfg.Index != "" {
		in.IndexName = &t.cfg.Index
	}
	var wanted [][]string
	for _, k := range t.keys {
		wanted = append(wanted, []string{k})
	}
	for _, p := range t.paths {
		var names []string
		for _, e := range p {
			if e.IsIndex {
				break
			}
			names = append(names, e.Name)
		}
		wanted = append(wanted, names)
	}
	placeholders := map[string]string{} // names may be reserved words, or hold dots
	var projection []string
	for i, names := range wanted {
		if slices.ContainsFunc(wanted, func(o []string) bool { return len(o) < len(names) && slices.Equal(o, names[:len(o)]) }) ||
			slices.ContainsFunc(wanted[:i], func(o []string) bool { return slices.Equal(o, names) }) {
			continue // it is in what another one brings; overlapping paths are refused
		}
		steps := make([]string, len(names))
		for k, name := range names {
			if placeholders[name] == "" {
				placeholders[name] = "#n" + strconv.Itoa(len(placeholders))
				in.ExpressionAttributeNames[placeholders[name]] = name
			}
			steps[k] = placeholders[name]
		}
		projection = append(projection, strings.Join(steps, "."))
	}
	in.ProjectionExpression = aws.String(strings.Join(projection, ", "))
	return in
}

// itemReader makes rows of items.
type itemReader struct {
	*snapshotBuilder
	table *dynamoDBTable
	names []string // of the items, by their primary keys
	found []bool   // by column: some item has it
}

// add appends an item's row.
func (r *itemReader) add(item map[string]types.AttributeValue) error {
	name := "item " + nameOf(item, r.table.keys)
	r.names = append(r.names, name)
	r.bytes += int64(len(name))
	for c, path := range r.table.paths {
		v := valueAt(item, path)
		r.found[c] = r.found[c] || v != nil
		column := r.layout.columns[c]
		if v == nil && c < r.layout.key {
			return r.wrong(filePosition{}, "there is no attribute %q, which rows are joined by", column.Name)
		}
		text, kind := textOf(v)
		switch {
		case kind != "":
			return r.wrong(filePosition{}, "attribute %s: a %s is no value of a column", column.Name, kind)
		case text == nil:
			r.builders[c].AppendNull()
			continue
		}
		if err := r.value(c, text, filePosition{}); err != nil {
			return err
		}
	}
	return r.endRow(filePosition{})
}

// valueAt returns what a document path leads to; nil = it leads nowhere.
func valueAt(item map[string]types.AttributeValue, path decode.Path) types.AttributeValue {
	var v types.AttributeValue = &types.AttributeValueMemberM{Value: item}
	for _, e := range path {
		switch in := v.(type) {
		case *types.AttributeValueMemberM:
			if e.IsIndex {
				return nil
			}
			v = in.Value[e.Name]
		case *types.AttributeValueMemberL:
			if !e.IsIndex || e.Index >= len(in.Value) {
				return nil
			}
			v = in.Value[e.Index]
		default:
			return nil
		}
	}
	return v
}

// textOf returns the text of a value, nil of a null and of none, or which kind of value has none.
func textOf(v types.AttributeValue) (text []byte, kind string) {
	switch v := v.(type) {
	case nil, *types.AttributeValueMemberNULL:
		return nil, ""
	case *types.AttributeValueMemberS:
		return append([]byte{}, v.Value...), ""
	case *types.AttributeValueMemberN:
		return []byte(v.Value), ""
	case *types.AttributeValueMemberBOOL:
		return strconv.AppendBool(nil, v.Value), ""
	case *types.AttributeValueMemberM:
		return nil, "map"
	case *types.AttributeValueMemberL:
		return nil, "list"
	case *types.AttributeValueMemberB:
		return nil, "binary value"
	case *types.AttributeValueMemberSS, *types.AttributeValueMemberNS, *types.AttributeValueMemberBS:
		return nil, "set"
	}
	return nil, fmt.Sprintf("%T", v)
}

// nameOf names an item by its primary key.
func nameOf(item map[string]types.AttributeValue, keys []string) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = k + " = "
		switch v := item[k].(type) {
		case *types.AttributeValueMemberS:
			parts[i] += strconv.Quote(cut([]byte(v.Value)))
		case *types.AttributeValueMemberN:
			parts[i] += v.Value
		case *types.AttributeValueMemberB:
			parts[i] += fmt.Sprintf("0x%x", v.Value[:min(len(v.Value), 32)])
		}
	}
	return strings.Join(parts, ", ")
}

// equalValues tells whether two values of a primary key are equal.
func equalValues(a, b types.AttributeValue) bool { return reflect.DeepEqual(a, b) }
