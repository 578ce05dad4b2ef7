package recordformat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Options are the keys of a source that say how its records are written, but for format itself.
type Options struct {
	Table     string       `yaml:"table" change:"identity" desc:"Logical name of the table that the records belong to. By default the one that the records or the export name. Where there are exports of several tables: which of them is read."`
	Key       []spec.Paths `yaml:"key" change:"identity" desc:"Attributes that identify an item, for records that do not say it themselves: items of full exports, and plain JSON. Change records whose Keys are others end the run. Of plain JSON they are document paths, and a list in the list gives alternatives, of which the first counts that is there and not null: [[after.id, before.id]]. Plain JSON without a key is append only."`
	Before    spec.Paths   `yaml:"before" change:"identity" desc:"Where plain JSON records have the item as it was before the change; alternatives of the key tell which of its attributes are there, as in key: [[row.id, old.id]] with before: old. By default before, beside after, and before-image, beside data, as Debezium and AWS DMS have them. A change of the key deletes the item with the old one."`
	Version   Version      `yaml:"version" change:"identity" desc:"Where plain JSON records say which of two is newer. By default the later record in reading order wins."`
	Operation Operation    `yaml:"operation" change:"identity" desc:"Where plain JSON records say that they delete. By default none does."`

	// TTLDeletes has no default: left out is not the same as delete.
	TTLDeletes   string `yaml:"ttl_deletes" enum:"delete,flag,keep" change:"identity" desc:"What becomes of rows that go because DynamoDB's time to live removes their item, in tables that do not say it themselves: delete takes them out, flag leaves them and says so in is_deleted and deleted_at, keep leaves them. For dynamodb_cdc. Left out = what on_delete of the table says."`
	TTLAttribute string `yaml:"ttl_attribute" change:"identity" desc:"The table's TTL attribute. A deletion of an item whose value of it, in seconds since 1970, was past then counts as one of time to live, even if the record does not say so: in a replica Region of a global table it looks like a user's. It needs old images. For dynamodb_cdc."`
}

// Version says where a plain JSON record carries its version.
type Version struct {
	From      spec.Paths `yaml:"from" change:"identity" desc:"Document path of the version in the record, or a list of paths, of which the first counts that is there and not null."`
	Type      string     `yaml:"type" enum:"int64,timestamp,date" change:"identity" desc:"Type of the version."`
	Format    string     `yaml:"format" change:"identity" desc:"How a timestamp or date is written: a layout as in Go (2006-01-02 15:04:05), unix, unix_ms or unix_us. By default RFC 3339."`
	Zone      string     `yaml:"zone" change:"identity" desc:"The time zone of timestamps and dates that are written without an offset, by its IANA name, as Europe/Berlin. By default UTC. It is as in columns of unnest."`
	Precision string     `yaml:"precision" enum:"truncate,round" change:"identity" desc:"What becomes of the part of a timestamp that is finer than microseconds: truncate leaves it out, round takes the nearest microsecond. By default such a record is a dead letter."`
}

// Given reports whether the pipeline file says anything of it.
func (v *Version) Given() bool {
	return len(v.From) > 0 || v.Type != "" || v.Format != "" || v.Zone != "" || v.Precision != ""
}

// Operation says where a plain JSON record carries its operation.
type Operation struct {
	From   spec.Paths `yaml:"from" change:"identity" desc:"Document path of the operation in the record, or a list of paths, of which the first counts that is there and not null."`
	Delete []string   `yaml:"delete" change:"identity" desc:"The values that mean a delete; every other value is an upsert."`
}

var encodings = map[string]pipeline.Encoding{
	"dynamodb_cdc":    pipeline.DynamoDBCDC,
	"dynamodb_export": pipeline.DynamoDBExport,
	"json":            pipeline.JSON,
}

// Encoding returns the encoding that key format names; 0 = there is none of that name.
func Encoding(format string) pipeline.Encoding { return encodings[format] }

// CheckFormat returns the mistake in the value of key format, as a *spec.FieldError, where it is
// not one of the source's own.
func CheckFormat(format string, known ...string) error {
	switch {
	case format == "":
		return &spec.FieldError{Path: []string{"format"}, Message: "format is missing: give one of " + strings.Join(known, ", ")}
	case !slices.Contains(known, format):
		return &spec.FieldError{Path: []string{"format"}, Message: fmt.Sprintf("unknown format %q", format), Name: format, Known: known}
	}
	return nil
}

// Keyless reports whether records of the format have no key: nothing says which item they are
// of, so their rows can only be appended.
func (o *Options) Keyless(format string) bool {
	return encodings[format] == pipeline.JSON && len(o.Key) == 0
}

// Format returns what the options say about records of the format.
func (o *Options) Format(format string) pipeline.Format {
	f := pipeline.Format{Encoding: encodings[format], Table: o.Table, Before: o.Before, TTLAttribute: o.TTLAttribute}
	var elsewhere [][]string
	some := false
	for _, paths := range o.Key {
		first, others := alternatives(paths)
		f.Key = append(f.Key, first)
		elsewhere, some = append(elsewhere, others), some || len(others) > 0
	}
	if some {
		f.KeyElse = elsewhere
	}
	f.Version.From, f.Version.Else = alternatives(o.Version.From)
	f.Version.Type, f.Version.Format = o.Version.Type, o.Version.Format
	f.Version.Zone, f.Version.Precision = o.Version.Zone, o.Version.Precision
	f.Operation.From, f.Operation.Else = alternatives(o.Operation.From)
	f.Operation.Delete = o.Operation.Delete
	return f
}

// alternatives returns the first of some paths, and the others.
func alternatives(p spec.Paths) (first string, others []string) {
	if len(p) == 0 {
		return "", nil
	}
	return p[0], p[1:]
}
