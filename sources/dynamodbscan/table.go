package dynamodbscan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/sources/internal/tablename"
)

// api are the calls that the source makes: every one of them is in the policy of docs/aws.md.
type api interface {
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
	scanClient
}

const (
	describeTimeout = 20 * time.Second
	// pageTimeout is how long the answer with one page may take, which has 1 MB at most.
	pageTimeout = 30 * time.Second
	// segmentBytes is how much of a table gets a segment of its own, where the file does not say how many
	// there are, up to defaultSegmentsMax.
	segmentBytes       = 1 << 30
	defaultSegmentsMax = 64
)

// table is a table whose segments are partitions. It implements pipeline.PartitionSource.
type table struct {
	node  string
	cfg   Config
	named tablename.Table

	// Those of this opening.
	env      pipeline.Env
	api      api
	region   string
	units    prometheus.Counter
	capacity *awsapi.ReadCapacity

	read, ended atomic.Int64 // items that were read, segments that were read to their end

	mu        sync.Mutex
	described description      // the last
	scan      scan             // zero = not known yet
	format    *pipeline.Format // of the scan's records
	endedAt   time.Time        // when the last segment was read to its end, by the wall clock
}

var _ pipeline.PartitionSource = (*table)(nil)

// description is what a table says of itself.
type description struct {
	id           string // tells tables apart that have, one after the other, the same name
	status       types.TableStatus
	key          []string
	items, bytes int64     // as of some hours ago at most
	at           time.Time // by the service's clock
}

func newTable(node string, cfg Config) (*table, error) {
	named, err := tablename.Parse(cfg.Table)
	if err != nil {
		return nil, err
	}
	return &table{node: node, cfg: cfg, named: named, env: pipeline.NewEnv()}, nil
}

// Bounded implements pipeline.PartitionSource: a scan ends.
func (t *table) Bounded() bool { return true }

// Connect makes a client, and asks for the table.
func (t *table) Connect(ctx context.Context, env pipeline.Env) error {
	t.env = env
	t.units = env.CounterVec(prometheus.CounterOpts{Name: "starlift_scan_read_units_total",
		Help: "Read capacity units that scans of a source's table have used."}, "source").WithLabelValues(t.node)
	reach := t.cfg.Config
	reach.Region = cmp.Or(t.named.Region, reach.Region)
	cfg, err := reach.Load(ctx)
	if err != nil {
		return err
	}
	t.region = cfg.Region
	t.api = dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		if e := reach.BaseEndpoint(); e != nil { // else that of the environment stays
			o.BaseEndpoint = e
		}
	})
	t.capacity = awsapi.NewReadCapacity(cmp.Or(t.cfg.ReadCapacity, defaultReadCapacity))
	t.setScan(scan{}, nil)
	d, err := t.describe(ctx)
	if err != nil {
		return err
	}
	switch d.status {
	case types.TableStatusCreating:
		return pipeline.TransientFor(awsapi.Unavailable, fmt.Errorf("table %s is being created", t.named.Name))
	case types.TableStatusActive, types.TableStatusUpdating, "":
	default: // it is being deleted or archived, or its key can't be used
		return fmt.Errorf("table %s can't be read: it is %s", t.named.Name, d.status)
	}
	return t.checkKey(d.key)
}

// Close implements pipeline.PartitionSource. Connections that are idle close by themselves.
func (t *table) Close() error { return nil }

// checkKey compares the key that the file has, or other sources of the table, with the table's.
func (t *table) checkKey(key []string) error {
	want := t.cfg.Key
	if len(want) == 0 || slices.Equal(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(key))) {
		return nil
	}
	return fmt.Errorf("the key of table %s is [%s], and the pipeline file has [%s]: leave `key:` out, or write `key: [%[2]s]`", t.named.Name, strings.Join(key, ", "), strings.Join(want, ", "))
}

// describe asks the table about itself.
func (t *table) describe(ctx context.Context) (d description, err error) {
	within, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	out, err := t.api.DescribeTable(within, &dynamodb.DescribeTableInput{TableName: &t.cfg.Table})
	if err != nil {
		return d, t.error("description", awsapi.Error(ctx, err))
	}
	if out.Table == nil || len(out.Table.KeySchema) == 0 {
		return d, fmt.Errorf("description of table %s: the server does not tell its primary key", t.named.Name)
	}
	d = description{id: aws.ToString(out.Table.TableId), status: out.Table.TableStatus, items: aws.ToInt64(out.Table.ItemCount), bytes: aws.ToInt64(out.Table.TableSizeBytes)}
	if d.id == "" && out.Table.CreationDateTime != nil { // servers that give no ids
		d.id = out.Table.CreationDateTime.UTC().Format(time.RFC3339)
	}
	for _, k := range out.Table.KeySchema {
		d.key = append(d.key, aws.ToString(k.AttributeName))
	}
	d.at = t.env.Now()
	if at, ok := awsmiddleware.GetServerTime(out.ResultMetadata); ok {
		d.at = at
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.described = d
	return d, nil
}

// error says of an error of a call what it was about, and what to do about a table that is not there.
func (t *table) error(what string, err error) error {
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		return fmt.Errorf("there is no table %s in %s: see table and region; or it was deleted: %w", t.named.Name, t.region, err)
	}
	return fmt.Errorf("%s of table %s: %w", what, t.named.Name, err)
}

// Discover lists the segments: those of the scan that has begun, or those of a new one.
func (t *table) Discover(ctx context.Context, known map[string]bool) ([]pipeline.Partition, error) {
	s, err := scanOf(known)
	if err != nil {
		return nil, err
	}
	d, err := t.describe(ctx)
	if err != nil {
		return nil, err
	}
	if s.segments == 0 {
		s = scan{began: d.at.UTC().Truncate(time.Microsecond), table: d.id, segments: t.segmentsFor(d)}
	}
	t.mu.Lock()
	first := t.scan.segments == 0
	t.mu.Unlock()
	if first {
		t.tellSegments(s, len(known) > 0)
		t.setScan(s, d.key)
	}
	return s.partitions(), nil
}

// tellSegments tells of a number of segments that the file does not have any longer.
func (t *table) tellSegments(s scan, goesOn bool) {
	if n := t.cfg.Segments; goesOn && n > 0 && n != s.segments {
		t.env.Log.Info("the scan keeps the number of segments that it began with", "segments", s.segments, "in_file", n)
	}
}

// setScan takes the scan that is read from now on.
func (t *table) setScan(s scan, key []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.scan = s; s.segments == 0 {
		t.format = nil
		return
	}
	f := t.cfg.recordFormat(t.named.Name)
	if len(f.Key) == 0 {
		f.Key = key
	}
	f.ExportTime = s.asOf()
	t.format = &f
}

// segmentsFor returns how many segments a new scan has.
func (t *table) segmentsFor(d description) int {
	if t.cfg.Segments > 0 {
		return t.cfg.Segments
	}
	return int(min(1+d.bytes/segmentBytes, defaultSegmentsMax))
}

// madeAgain returns an error where the table is not the one that is scanned any longer.
func (t *table) madeAgain(s scan, d description) error {
	if d.id == s.table {
		return nil
	}
	return fmt.Errorf("table %s was deleted and made again since the scan of it began at %s: its id was %s and is %s. "+
		"What was read is of the table before: begin anew by starlift reset FILE, or scan the new one over it by starlift backfill FILE",
		t.named.Name, s.began.Format(time.RFC3339), s.table, d.id)
}

// knownKey returns the key that the last description has; nil = there was none.
func (t *table) knownKey() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.described.key
}

// endSegment counts a segment that was read to its end.
func (t *table) endSegment() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended.Add(1)
	t.endedAt = time.Now()
}
