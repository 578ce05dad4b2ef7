package dynamodbexport

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/file"
	"github.com/starlift-etl/starlift/sources/internal/exportrequest"
	"github.com/starlift-etl/starlift/sources/internal/recordformat"
	"github.com/starlift-etl/starlift/sources/internal/tablename"
)

// Config is a source of exports in a pipeline file.
type Config struct {
	URL      string               `yaml:"url" required:"true" change:"free" desc:"A prefix of S3, as s3://bucket/exports, below which the exports of one table are, at any depth; they are read in the order of time. Or a folder. DynamoDB is asked to write exports there."`
	Table    string               `yaml:"table" change:"identity" desc:"The name of the table, or its ARN. The logical table is its name. Left out = the one that the exports name. It is needed to ask for exports."`
	Key      []string             `yaml:"key" change:"identity" desc:"The attributes of the table's primary key. Left out = those that another source of the table knows, that the exports name, or that DynamoDB tells of table."`
	Every    spec.Duration        `yaml:"every" min:"15m" max:"24h" change:"free" desc:"Go on for ever: after a full export, the one that is there or else one that is asked for, ask DynamoDB for an incremental export of each time as long as this, and read it. The table needs point-in-time recovery. Left out = read what is there once."`
	Request  exportrequest.Config `yaml:"request" change:"free" desc:"How exports that DynamoDB is asked for get to S3."`
	DynamoDB awsapi.Config        `yaml:"dynamodb" change:"free" desc:"How DynamoDB is reached where it is asked; the keys beside url are for S3. Left out, region and assume_role are those beside url."`
	bloburl.ReaderConfig
}

// format is the one of package file in which exports are read.
const format = "dynamodb_export"

// check returns all mistakes of the configuration but for those that package file finds in
// the key.
func (c *Config) check() (errs []error) {
	wrong := func(message string, path ...string) {
		errs = append(errs, &spec.FieldError{Path: path, Message: message})
	}
	if c.URL == "" {
		wrong("url is missing: give the prefix below which the exports are, as s3://bucket/exports", "url")
	} else {
		errs = append(errs, c.ReaderConfig.Check("url", c.URL)...)
	}
	if c.Table != "" {
		if _, err := tablename.Parse(c.Table); err != nil {
			wrong(err.Error(), "table")
		}
	}
	errs = append(errs, spec.BelowKey("request", c.Request.Check())...)
	errs = append(errs, spec.BelowKey("dynamodb", c.DynamoDB.Check())...)
	if e := time.Duration(c.Every); e != 0 {
		if e < exportrequest.WindowMin || e > exportrequest.WindowMax || e%time.Second != 0 {
			wrong(fmt.Sprintf("every must be from 15m to 24h, in whole seconds: DynamoDB makes incremental exports of no other time, and this is %s", e), "every")
		}
		errs = append(errs, c.checkRequest()...)
	}
	return errs
}

// checkRequest returns what keeps exports from being asked for.
func (c *Config) checkRequest() (errs []error) {
	if c.Table == "" {
		errs = append(errs, &spec.FieldError{Path: []string{"table"}, Message: "table is missing: DynamoDB is asked for exports of it"})
	}
	if _, err := c.Request.Destination(c.URL); err != nil && c.URL != "" {
		errs = append(errs, &spec.FieldError{Path: []string{"url"}, Message: err.Error()})
	}
	return errs
}

// fileAt returns a source of the exports below a path.
func (c *Config) fileAt(name, path string) (*file.Source, error) {
	f := file.Config{Path: path, Format: format, ReaderConfig: c.ReaderConfig}
	f.Options = recordformat.Options{Table: c.tableName()}
	for _, k := range c.Key {
		f.Key = append(f.Key, spec.Paths{k})
	}
	return file.New(name, f)
}

// tableName returns the name of the table; empty = the file does not say it.
func (c *Config) tableName() string {
	t, _ := tablename.Parse(c.Table) // which was checked
	return t.Name
}

// dynamoDB returns how DynamoDB is reached.
func (c *Config) dynamoDB() awsapi.Config {
	d := c.DynamoDB
	t, _ := tablename.Parse(c.Table) // which was checked
	if d.Region = cmp.Or(d.Region, t.Region, c.Region); d.AssumeRole == (awsapi.AssumeRole{}) {
		d.AssumeRole = c.AssumeRole
	}
	return d
}

// isOf reports whether a data file's cursor is of an export, by its id.
func isOf(partition, export string) bool {
	return strings.HasPrefix(partition, export+":") || slices.Contains(strings.Split(partition, "/"), export)
}
