package kinesis

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/partitions"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/internal/recordformat"
	"github.com/starlift-etl/starlift/sources/internal/start"
)

// Config is a Kinesis source in a pipeline file.
type Config struct {
	Stream    string `yaml:"stream" change:"identity" desc:"The name of the data stream, in the account of the credentials. Give this or stream_arn."`
	StreamARN string `yaml:"stream_arn" change:"identity" desc:"The ARN of the data stream, as arn:aws:kinesis:eu-central-1:123456789012:stream/shop-cdc. It is named in every call, so the stream may be another account's that allows it. The region is that of the ARN."`
	Format    string `yaml:"format" required:"true" enum:"dynamodb_cdc,json" change:"identity" desc:"What the records are: changes as DynamoDB delivers them to a stream, or plain JSON objects, one a record. Records that are gzip are decompressed, and those that the Kinesis Producer Library has aggregated are taken apart."`
	recordformat.Options
	PartitionKey string         `yaml:"partition_key" default:"other" enum:"item,other" change:"identity" desc:"What the producers' partition keys stand for. item: all records of an item have the same one, so that they are in order, and plain JSON with a key needs no version: the later record wins. other: anything else; plain JSON with a key needs a version."`
	Start        string         `yaml:"start" default:"trim_horizon" change:"free" desc:"Where reading begins at the first start of all: trim_horizon, with the oldest records that the stream has; latest, with those that arrive from then on; or a time, as 2024-05-01T12:00:00Z, or a date, with those that arrived from then on. Later it goes on where it was, whatever start says; shards that appear later are read from their first record."`
	Consumer     ConsumerConfig `yaml:"consumer" change:"free" desc:"Enhanced fan-out: a consumer of the stream's, to which the service sends records by itself, with 2 MB a second of each shard for it alone, at a price by the hour and by GB. Left out, shards are polled, which is free, and shared with other readers. It may be given, changed and left out at any start."`
	OnGap        string         `yaml:"on_gap" default:"fail" enum:"fail,wait" change:"free" desc:"What to do when the stream has dropped records that were not read yet. fail: commit what was read, and end with status 3. wait: stay up, not ready, and read the other shards. In either case run --accept-gap goes on behind the gap."`
	awsapi.Config
}

// ConsumerConfig says which consumer of a stream reads it: by name or by ARN.
type ConsumerConfig struct {
	Name string `yaml:"name" change:"free" desc:"The name of the consumer. It is registered at the start where it is not, and never deregistered: see docs/kinesis.md."`
	ARN  string `yaml:"arn" change:"free" desc:"The ARN of a registered consumer, as arn:aws:kinesis:eu-central-1:123456789012:stream/shop-cdc/consumer/starlift:1717000000."`
}

func (c ConsumerConfig) given() bool { return c != ConsumerConfig{} }

// The words of Config.
const (
	partitionKeyItem  = "item"
	partitionKeyOther = "other"
)

var (
	formats    = []string{"dynamodb_cdc", "json"}
	streamName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,128}$`)
	// consumerARN has the region, the stream and the consumer's name.
	consumerARN = regexp.MustCompile(`^arn:aws[a-z-]*:kinesis:([a-z0-9-]+):[0-9]{12}:stream/([a-zA-Z0-9_.-]{1,128})/consumer/([a-zA-Z0-9_.-]{1,128}):[0-9]+$`)
	streamARN   = regexp.MustCompile(`^arn:aws[a-z-]*:kinesis:([a-z0-9-]+):[0-9]{12}:stream/([a-zA-Z0-9_.-]{1,128})$`)
)

// check returns all mistakes of the configuration, joined.
func (c *Config) check() error {
	errs := []error{recordformat.CheckFormat(c.Format, formats...), c.Options.Check(c.Format)}
	wrong := func(message string, path ...string) {
		errs = append(errs, &spec.FieldError{Path: path, Message: message})
	}
	c.checkStream(wrong)
	c.checkConsumer(wrong)
	if _, err := start.Parse(c.Start); err != nil {
		wrong(err.Error(), "start")
	}
	if !slices.Contains([]string{"", partitions.GapFails, partitions.GapWaits}, c.OnGap) {
		wrong(fmt.Sprintf("unknown on_gap %q: want fail or wait", c.OnGap), "on_gap")
	}
	if !slices.Contains([]string{"", partitionKeyItem, partitionKeyOther}, c.PartitionKey) {
		wrong(fmt.Sprintf("unknown partition_key %q: want item or other", c.PartitionKey), "partition_key")
	}
	if c.Format == "json" && len(c.Key) > 0 && !c.Version.Given() && c.PartitionKey != partitionKeyItem {
		wrong("version is missing: records of one item may come over several shards, and nothing tells which is newer: say where the version is, as `version: {from: updated_at, type: timestamp}`, "+
			"or, if all records of an item have the same partition key, `partition_key: item`", "version")
	}
	return errors.Join(append(errs, c.Config.Check()...)...)
}

func (c *Config) checkStream(wrong func(string, ...string)) {
	switch {
	case c.Stream == "" && c.StreamARN == "":
		wrong("stream is missing: give the stream's name, or its ARN as stream_arn", "stream")
	case c.Stream != "" && c.StreamARN != "":
		wrong("stream and stream_arn name a stream each: leave one out", "stream_arn")
	case c.Stream != "" && strings.HasPrefix(c.Stream, "arn:"):
		wrong("this is an ARN: write it as stream_arn", "stream")
	case c.Stream != "" && !streamName.MatchString(c.Stream):
		wrong("the name of a stream is 1 to 128 letters, digits and _.-", "stream")
	case c.StreamARN != "":
		arn := streamARN.FindStringSubmatch(c.StreamARN)
		if arn == nil {
			wrong("this is no ARN of a data stream, as arn:aws:kinesis:eu-central-1:123456789012:stream/shop-cdc", "stream_arn")
		} else if c.Region != "" && c.Region != arn[1] {
			wrong(fmt.Sprintf("the region is not that of stream_arn, %s: leave it out", arn[1]), "region")
		}
	}
}

func (c *Config) checkConsumer(wrong func(string, ...string)) {
	given := c.Consumer
	switch {
	case given.Name != "" && given.ARN != "":
		wrong("name and arn name a consumer each: leave one out", "consumer", "arn")
	case strings.HasPrefix(given.Name, "arn:"):
		wrong("this is an ARN: write it as arn", "consumer", "name")
	case given.Name != "" && !streamName.MatchString(given.Name):
		wrong("the name of a consumer is 1 to 128 letters, digits and _.-", "consumer", "name")
	case given.ARN != "":
		arn := consumerARN.FindStringSubmatch(given.ARN)
		of, _, _ := strings.Cut(given.ARN, "/consumer/")
		switch {
		case arn == nil:
			wrong("this is no ARN of a consumer, as arn:aws:kinesis:eu-central-1:123456789012:stream/shop-cdc/consumer/starlift:1717000000", "consumer", "arn")
		case c.Stream != "" && arn[2] != c.Stream, c.StreamARN != "" && of != c.StreamARN:
			wrong(fmt.Sprintf("the consumer is one of %s, and not of %s", of, c.streamText()), "consumer", "arn")
		case c.Region != "" && arn[1] != c.Region:
			wrong(fmt.Sprintf("the consumer is one in %s, and region says %s", arn[1], c.Region), "consumer", "arn")
		}
	}
}

// streamText is what people call the stream.
func (c *Config) streamText() string {
	if c.StreamARN != "" {
		return c.StreamARN
	}
	return c.Stream
}

// region returns the Region of the stream, as the pipeline file has it; empty = that of the environment.
func (c *Config) region() string {
	if arn := streamARN.FindStringSubmatch(c.StreamARN); arn != nil {
		return arn[1]
	}
	return c.Region
}

// recordFormat returns what the configuration says about the records.
func (c *Config) recordFormat() pipeline.Format { return c.Options.Format(c.Format) }
