package dynamodbstreams

import (
	"errors"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/partitions"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/internal/recordformat"
	"github.com/starlift-etl/starlift/sources/internal/start"
	"github.com/starlift-etl/starlift/sources/internal/tablename"
)

// Config is a DynamoDB Streams source in a pipeline file.
type Config struct {
	Table        string `yaml:"table" required:"true" change:"identity" desc:"The name of the table, or its ARN, as arn:aws:dynamodb:eu-central-1:123456789012:table/shop. The logical table is its name. Its stream must have new images (NEW_IMAGE or NEW_AND_OLD_IMAGES)."`
	Start        string `yaml:"start" default:"trim_horizon" change:"free" desc:"Where reading begins at the first start of all: trim_horizon, with the oldest records that the stream has; latest, with changes that are made from then on; or a time, as 2024-05-01T12:00:00Z, or a date, with changes from then on. Older records are read too, and have no effect. Later it goes on where it was, whatever start says."`
	OnGap        string `yaml:"on_gap" default:"fail" enum:"fail,wait" change:"free" desc:"What to do when the stream has dropped records that were not read yet. fail: commit what was read, and end with status 3. wait: stay up, not ready, and read the other shards. In either case run --accept-gap goes on behind the gap, and backfill --repair of a dynamodb source mends it."`
	TTLDeletes   string `yaml:"ttl_deletes" enum:"delete,flag,keep" change:"identity" desc:"What becomes of rows that go because DynamoDB's time to live removes their item, in tables that do not say it themselves: delete takes them out, flag leaves them and says so in is_deleted and deleted_at, keep leaves them. Left out = what on_delete of the table says."`
	TTLAttribute string `yaml:"ttl_attribute" change:"identity" desc:"The table's TTL attribute. A deletion of an item whose value of it, in seconds since 1970, was past then counts as one of time to live, even if the record does not say so: in a replica Region of a global table it looks like a user's. It needs old images."`
	awsapi.Config
}

// format is the name of the records' format.
const format = "dynamodb_cdc"

// check returns all mistakes of the configuration, joined.
func (c *Config) check() error {
	o := c.options()
	errs := []error{tablename.Check(c.Table, c.Region), o.Check(format)}
	if _, err := start.Parse(c.Start); err != nil {
		errs = append(errs, &spec.FieldError{Path: []string{"start"}, Message: err.Error()})
	}
	if !slices.Contains([]string{"", partitions.GapFails, partitions.GapWaits}, c.OnGap) {
		errs = append(errs, &spec.FieldError{Path: []string{"on_gap"}, Message: fmt.Sprintf("unknown on_gap %q: want fail or wait", c.OnGap)})
	}
	return errors.Join(append(errs, c.Config.Check()...)...)
}

// options returns what the configuration says about the records, as sources of other kinds do.
func (c *Config) options() recordformat.Options {
	o := recordformat.Options{TTLDeletes: c.TTLDeletes, TTLAttribute: c.TTLAttribute}
	if t, err := tablename.Parse(c.Table); err == nil {
		o.Table = t.Name
	}
	return o
}

// recordFormat returns the format of the records, which do not name their table themselves.
func (c *Config) recordFormat() pipeline.Format {
	o := c.options()
	return o.Format(format)
}
