package dynamodb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/dynamodbscan"
	"github.com/starlift-etl/starlift/sources/dynamodbstreams"
	"github.com/starlift-etl/starlift/sources/internal/exportrequest"
	"github.com/starlift-etl/starlift/sources/internal/recordformat"
	"github.com/starlift-etl/starlift/sources/internal/tablename"
	"github.com/starlift-etl/starlift/sources/kinesis"
)

// Config is a DynamoDB table in a pipeline file.
type Config struct {
	Table     string          `yaml:"table" required:"true" change:"identity" desc:"The name of the table, or its ARN, as arn:aws:dynamodb:eu-central-1:123456789012:table/shop. The logical table is its name."`
	Bootstrap BootstrapConfig `yaml:"bootstrap" required:"true" change:"free" desc:"What is read of the table before its stream: an export, a scan, or nothing. Its type decides on its keys, and can't be changed until it is done."`
	Stream    StreamConfig    `yaml:"stream" required:"true" change:"identity" desc:"Where the table's changes come from: a Kinesis data stream, or DynamoDB Streams. Its type decides on its keys."`

	TTLDeletes   string `yaml:"ttl_deletes" enum:"delete,flag,keep" change:"identity" desc:"What becomes of rows that go because DynamoDB's time to live removes their item, in tables that do not say it themselves: delete takes them out, flag leaves them and says so in is_deleted and deleted_at, keep leaves them. Left out = what on_delete of the table says."`
	TTLAttribute string `yaml:"ttl_attribute" change:"identity" desc:"The table's TTL attribute. A deletion of an item whose value of it, in seconds since 1970, was past then counts as one of time to live, even if the record does not say so: in a replica Region of a global table it looks like a user's. It needs old images."`
	awsapi.Config
}

// BootstrapConfig is what is read before the stream: the one of these whose Type is set.
type BootstrapConfig struct {
	Export ExportConfig
	Scan   ScanConfig
	None   NoneConfig
}

// ExportConfig is a bootstrap by an export.
type ExportConfig struct {
	Type    string               `yaml:"type" required:"true" enum:"export" change:"free" desc:"export: a full export of the table on S3, which costs the table nothing. It has to be made later than five minutes after the stream's oldest record."`
	URL     string               `yaml:"url" required:"true" change:"free" desc:"A prefix of S3, as s3://bucket/exports, below which an export of the table is, or gets. Where there are several, the newest full one is taken. backfill --repair asks for exports to there."`
	Request bool                 `yaml:"request" change:"free" desc:"Ask DynamoDB for an export where none is there that is new enough. The table needs point-in-time recovery. Otherwise backfill --request-export asks."`
	Write   exportrequest.Config `yaml:"write" change:"free" desc:"How exports that DynamoDB is asked for get to S3."`
	bloburl.ReaderConfig
}

// ScanConfig is a bootstrap by a scan.
type ScanConfig struct {
	Type         string `yaml:"type" required:"true" enum:"scan" change:"free" desc:"scan: all items of the table, which takes of its read capacity."`
	Segments     int    `yaml:"segments" min:"1" max:"10000" change:"free" desc:"In how many segments the table is scanned side by side. Left out = one for each GB of the table, 1 to 64. A scan that has begun keeps its number."`
	ReadCapacity int    `yaml:"read_capacity" default:"100" min:"1" max:"1000000" change:"free" desc:"How many read capacity units a second the scan may use, all of its segments together, on average. A consistent read uses one for each 4 KB."`
}

// NoneConfig is no bootstrap.
type NoneConfig struct {
	Type string `yaml:"type" required:"true" enum:"none" change:"free" desc:"none: the stream alone, so only items that change from then on."`
}

// StreamConfig is where changes come from: the one of these whose Type is set.
type StreamConfig struct {
	Kinesis KinesisConfig
	Streams StreamsConfig
}

// KinesisConfig is a data stream that DynamoDB sends a table's changes to.
type KinesisConfig struct {
	Type      string                 `yaml:"type" required:"true" enum:"kinesis" change:"identity" desc:"kinesis: a Kinesis data stream that the table's changes are sent to. What it has of other tables is read too, under their names."`
	Stream    string                 `yaml:"stream" change:"identity" desc:"The name of the data stream, in the account of the credentials. Give this or stream_arn."`
	StreamARN string                 `yaml:"stream_arn" change:"identity" desc:"The ARN of the data stream, as arn:aws:kinesis:eu-central-1:123456789012:stream/shop-cdc. The region is that of the ARN."`
	Start     string                 `yaml:"start" default:"trim_horizon" change:"free" desc:"Where reading begins at the first start of all: trim_horizon, with the oldest records that the stream has; latest; or a time, as 2024-05-01T12:00:00Z, or a date. The table's changes have to go to the stream since then."`
	Consumer  kinesis.ConsumerConfig `yaml:"consumer" change:"free" desc:"Enhanced fan-out, as of a kinesis source. Left out, shards are polled."`
	OnGap     string                 `yaml:"on_gap" default:"fail" enum:"fail,wait" change:"free" desc:"What to do when the stream has dropped records that were not read yet. fail: commit what was read, and end with status 3. wait: stay up, not ready, and read the other shards. In either case run --accept-gap goes on behind the gap, and backfill --repair mends it."`
	awsapi.Config
}

// StreamsConfig is the table's own stream.
type StreamsConfig struct {
	Type  string `yaml:"type" required:"true" enum:"dynamodb_streams" change:"identity" desc:"dynamodb_streams: the table's own stream, which keeps changes for 24 hours. It must have new images (NEW_IMAGE or NEW_AND_OLD_IMAGES)."`
	Start string `yaml:"start" default:"trim_horizon" change:"free" desc:"Where reading begins at the first start of all: trim_horizon, with the oldest records that the stream has; latest; or a time, as 2024-05-01T12:00:00Z, or a date."`
	OnGap string `yaml:"on_gap" default:"fail" enum:"fail,wait" change:"free" desc:"What to do when the stream has dropped records that were not read yet. fail: commit what was read, and end with status 3. wait: stay up, not ready, and read the other shards. In either case run --accept-gap goes on behind the gap, and backfill --repair mends it."`
	awsapi.Config
}

// DecodeNode implements spec.NodeDecoder.
func (c *BootstrapConfig) DecodeNode(n *spec.Node) error {
	return decodeType(n, "bootstrap", map[string]any{kindExport: &c.Export, kindScan: &c.Scan, kindNone: &c.None})
}

// Alternatives implements spec.Alternatives.
func (BootstrapConfig) Alternatives() []any { return []any{ExportConfig{}, ScanConfig{}, NoneConfig{}} }

// The types of streams.
const (
	typeKinesis = "kinesis"
	typeStreams = "dynamodb_streams"
)

// DecodeNode implements spec.NodeDecoder.
func (c *StreamConfig) DecodeNode(n *spec.Node) error {
	return decodeType(n, "stream", map[string]any{typeKinesis: &c.Kinesis, typeStreams: &c.Streams})
}

// Alternatives implements spec.Alternatives.
func (StreamConfig) Alternatives() []any { return []any{KinesisConfig{}, StreamsConfig{}} }

// decodeType decodes a mapping into what its key type names.
func decodeType(n *spec.Node, what string, into map[string]any) error {
	var known []string
	for name := range into {
		known = append(known, name)
	}
	slices.Sort(known)
	kind := ""
	if t := n.Get("type"); t != nil {
		kind = t.Text()
	}
	if c := into[kind]; c != nil {
		return n.Decode(c)
	}
	if kind == "" {
		return &spec.FieldError{Message: fmt.Sprintf("%s has no type: write %s: {type: …}, one of %s", what, what, strings.Join(known, ", "))}
	}
	return &spec.FieldError{Path: []string{"type"}, Name: kind, Known: known, Message: fmt.Sprintf("type wants one of %s, not %q", strings.Join(known, ", "), kind)}
}

// kind returns the type of the bootstrap.
func (c *BootstrapConfig) kind() string { return cmp.Or(c.Export.Type, c.Scan.Type, c.None.Type) }

// check returns all mistakes but those that the two sources find in their own configurations.
func (c *Config) check() error {
	errs := []error{tablename.Check(c.Table, c.Region)}
	if c.Bootstrap.kind() == "" {
		errs = append(errs, &spec.FieldError{Path: []string{"bootstrap"}, Message: "bootstrap is missing: write bootstrap: {type: …}, one of export, scan, none"})
	}
	if c.Stream.Kinesis.Type == "" && c.Stream.Streams.Type == "" {
		errs = append(errs, &spec.FieldError{Path: []string{"stream"}, Message: "stream is missing: write stream: {type: …}, one of kinesis, dynamodb_streams"})
	}
	errs = append(errs, c.Config.Check()...)
	errs = append(errs, c.checkRegions()...)
	if e := &c.Bootstrap.Export; e.Type != "" {
		errs = append(errs, spec.BelowKey("bootstrap", e.Check("url", e.URL))...)
		errs = append(errs, spec.BelowKey("bootstrap", spec.BelowKey("write", e.Write.Check()))...)
		if e.Request {
			if _, err := e.Write.Destination(e.URL); err != nil {
				errs = append(errs, &spec.FieldError{Path: []string{"bootstrap", "url"}, Message: err.Error()})
			}
		}
	}
	o := recordformat.Options{TTLDeletes: c.TTLDeletes, TTLAttribute: c.TTLAttribute}
	return errors.Join(append(errs, o.Check("dynamodb_cdc"))...)
}

// checkRegions returns the mistake of a stream that is of another Region than the table: a table's changes stay in its
// own, and a global table's replica has times of its own.
func (c *Config) checkRegions() []error {
	stream, key := c.streamRegion()
	if table := c.tableRegion(); table != "" && stream != "" && table != stream {
		return []error{&spec.FieldError{Path: []string{"stream", key}, Message: fmt.Sprintf("the stream is in Region %s, and the table in %s: read both in one Region", stream, table)}}
	}
	return nil
}

// tableRegion returns the table's Region; empty = that of the environment.
func (c *Config) tableRegion() string { return cmp.Or(c.table().Region, c.Region) }

// streamRegion returns the Region that the stream's keys say, and which of them does; empty = that of the table.
func (c *Config) streamRegion() (region, key string) {
	k := c.Stream.Kinesis
	if parts := strings.Split(k.StreamARN, ":"); len(parts) > 3 {
		return parts[3], "stream_arn"
	}
	return cmp.Or(k.Region, c.Stream.Streams.Region), "region"
}

// checkRegionsAtOpen is checkRegions of a table whose Region the environment says.
func (c *Config) checkRegionsAtOpen(ctx context.Context) error {
	stream, _ := c.streamRegion()
	if c.tableRegion() != "" || stream == "" || c.Endpoint != "" { // a server of one's own has no Region
		return nil
	}
	reach, err := c.Config.Load(ctx)
	if err == nil && reach.Region != stream {
		err = fmt.Errorf("the stream is in Region %s, and the table in %s, which is the environment's: read both in one Region", stream, reach.Region)
	}
	return err
}

// belowStream is spec.BelowKey for the joined mistakes of a source of the stream. What stands beside
// stream is not below it.
func belowStream(err error) error {
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // the mistakes are what is joined
	if !ok {
		return errors.Join(belowOne(err)...)
	}
	var all []error
	for _, e := range joined.Unwrap() {
		if nested, ok := e.(interface{ Unwrap() []error }); ok { //nolint:errorlint // see above
			all = append(all, belowStream(errors.Join(nested.Unwrap()...)))
			continue
		}
		all = append(all, belowOne(e)...)
	}
	return errors.Join(all...)
}

func belowOne(err error) []error {
	if f, ok := errors.AsType[*spec.FieldError](err); ok && len(f.Path) > 0 && slices.Contains([]string{"table", "ttl_deletes", "ttl_attribute"}, f.Path[0]) {
		return nil // check has found it
	}
	return spec.BelowKey("stream", []error{err})
}

// table returns what names the table.
func (c *Config) table() tablename.Table {
	t, _ := tablename.Parse(c.Table) // which was checked
	return t
}

// reach returns how a service is reached: as its own keys say, or else as the table's do.
func (c *Config) reach(own awsapi.Config) awsapi.Config {
	own.Region = cmp.Or(own.Region, c.Region, c.table().Region)
	own.Endpoint = cmp.Or(own.Endpoint, c.Endpoint)
	if own.AssumeRole == (awsapi.AssumeRole{}) || own.AssumeRole == (awsapi.AssumeRole{SessionName: own.AssumeRole.SessionName}) {
		own.AssumeRole = c.AssumeRole
	}
	return own
}

// kinesisConfig returns the configuration of the stream's source.
func (c *Config) kinesisConfig() kinesis.Config {
	k := c.Stream.Kinesis
	reach := c.reach(k.Config)
	if k.StreamARN != "" {
		reach.Region = k.Region // that of the ARN
	}
	return kinesis.Config{Stream: k.Stream, StreamARN: k.StreamARN, Format: "dynamodb_cdc", Start: k.Start, Consumer: k.Consumer, OnGap: k.OnGap, Config: reach,
		Options: recordformat.Options{TTLDeletes: c.TTLDeletes, TTLAttribute: c.TTLAttribute}}
}

// streamsConfig returns the configuration of the stream's source.
func (c *Config) streamsConfig() dynamodbstreams.Config {
	s := c.Stream.Streams
	return dynamodbstreams.Config{Table: c.Table, Start: s.Start, OnGap: s.OnGap, TTLDeletes: c.TTLDeletes, TTLAttribute: c.TTLAttribute, Config: c.ofTable(s.Config)}
}

// ofTable is reach of what names the table: an ARN has its region.
func (c *Config) ofTable(own awsapi.Config) awsapi.Config {
	reach := c.reach(own)
	if c.table().Region != "" {
		reach.Region = c.Region
	}
	return reach
}

// scanConfig returns the configuration of the scan.
func (c *Config) scanConfig() dynamodbscan.Config {
	s := c.Bootstrap.Scan
	return dynamodbscan.Config{Table: c.Table, Segments: s.Segments, ReadCapacity: s.ReadCapacity, Config: c.Config}
}
