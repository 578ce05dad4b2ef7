package dynamodbscan

import (
	"errors"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/internal/recordformat"
	"github.com/starlift-etl/starlift/sources/internal/tablename"
)

// Config is a scan of a DynamoDB table in a pipeline file.
type Config struct {
	Table        string   `yaml:"table" required:"true" change:"identity" desc:"The name of the table, or its ARN, as arn:aws:dynamodb:eu-central-1:123456789012:table/shop. The logical table is its name."`
	Key          []string `yaml:"key" change:"identity" desc:"The attributes of the table's primary key. Left out = as DynamoDB tells. Only tests of pipelines need it, which ask nobody."`
	Segments     int      `yaml:"segments" min:"1" max:"10000" change:"free" desc:"In how many segments the table is scanned side by side. Left out = one for each GB of the table, 1 to 64. A scan that has begun keeps its number."`
	ReadCapacity int      `yaml:"read_capacity" default:"100" min:"1" max:"1000000" change:"free" desc:"How many read capacity units a second the scan may use, all of its segments together, on average. A consistent read uses one for each 4 KB."`
	awsapi.Config
}

// segmentsMax bounds the number of segments: as many cursors are saved.
const segmentsMax = 10_000

// defaultReadCapacity is the ReadCapacity where it is left out.
const defaultReadCapacity = 100

// format is what records of dynamodb_export are.
const format = "dynamodb_export"

// check returns all mistakes of the configuration, joined.
func (c *Config) check() error {
	errs := []error{tablename.Check(c.Table, c.Region), c.options().Check(format)}
	if c.Segments < 0 || c.Segments > segmentsMax {
		errs = append(errs, &spec.FieldError{Path: []string{"segments"}, Message: "segments is out of range: want 1 to 10000"})
	}
	if c.ReadCapacity < 0 {
		errs = append(errs, &spec.FieldError{Path: []string{"read_capacity"}, Message: "read_capacity is out of range: want 1 or more"})
	}
	return errors.Join(append(errs, c.Config.Check()...)...)
}

// options are those of records as a file says them.
func (c *Config) options() *recordformat.Options {
	o := &recordformat.Options{}
	for _, name := range c.Key {
		o.Key = append(o.Key, spec.Paths{name})
	}
	return o
}

// recordFormat returns what the configuration says about the records.
func (c *Config) recordFormat(logical string) pipeline.Format {
	f := c.options().Format(format)
	f.Table = logical
	return f
}
