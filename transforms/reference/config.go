package reference

import (
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Config is a reference_join node of a pipeline file.
type Config struct {
	Reference     ReferenceConfig  `yaml:"reference" required:"true" change:"content" desc:"The table that rows are joined to."`
	On            spec.Map[string] `yaml:"on" required:"true" change:"content" desc:"For each column of the rows, the column of the reference that has to be equal. No two rows of the reference may be equal in all of them."`
	How           string           `yaml:"how" default:"left" enum:"left,inner" change:"content" desc:"What becomes of a row without a match: left leaves the added columns null, inner leaves the row out."`
	Columns       ColumnsConfig    `yaml:"columns" change:"content" desc:"The columns of the reference to add: a list of names, or a mapping of new names to columns of the reference. Left out = none."`
	Drop          []string         `yaml:"drop" change:"content" desc:"Columns of the rows that are left out; not those of the key."`
	Normalize     []string         `yaml:"normalize" enum:"trim,case" change:"content" desc:"How texts are compared: trim leaves out white space at both ends, case tells no upper from lower case. Two keys of the reference that become equal count as repeated."`
	VersionColumn string           `yaml:"version_column" change:"content" desc:"Adds an int64 column of this name with the version of the reference that the row was joined to: when it was changed, in µs since 1970."`
}

// ReferenceConfig is the table that rows are joined to.
type ReferenceConfig struct {
	Source       SourceConfig     `yaml:"source" required:"true" change:"content" desc:"Where the table is: a file, a DynamoDB table, or a query of a SQL database. Its type decides on its keys."`
	Types        spec.Map[string] `yaml:"types" change:"identity" desc:"The types of the reference's columns, by name: string (also for those left out), bool, int32, int64, double, decimal(p,s), date, time, timestamp, timestamptz, uuid, varchar(n), char(n)."`
	Refresh      spec.Duration    `yaml:"refresh" min:"1ms" change:"free" desc:"How often the source is looked at. A file is read again when it has changed, a DynamoDB table and a query every time. Left out = 10s for a file, 1m for sql, 5m for dynamodb_table."`
	MaxStaleness spec.Duration    `yaml:"max_staleness" min:"1ms" change:"free" desc:"/readyz fails when it has not been known for this long that the version in use is the newest: the source is gone, or can't be read. Left out = never."`
}

// SourceConfig is where a reference comes from: the one of these whose Type is set.
type SourceConfig struct {
	File          FileConfig
	DynamoDBTable DynamoDBTableConfig
	SQL           SQLConfig
}

// FileConfig is a file that holds a reference.
type FileConfig struct {
	Type      string `yaml:"type" required:"true" enum:"file" change:"content" desc:"file: a file of rows."`
	Path      string `yaml:"path" required:"true" change:"content" desc:"The file, relative to the working directory, or an object as s3://bucket/key. Replace a file by renaming a finished one onto it."`
	Format    string `yaml:"format" enum:"csv,ndjson,parquet" change:"content" desc:"How the file is written: CSV with a header, JSON objects one a line, or Parquet. Left out = by the end of its name: .csv, .ndjson, .jsonl or .json, .parquet."`
	Delimiter string `yaml:"delimiter" default:"," change:"content" desc:"What stands between the fields of a CSV line: one character."`
	bloburl.ReaderConfig
}

// DynamoDBTableConfig is a DynamoDB table that holds a reference: an item is a row, and its
// columns are document paths.
type DynamoDBTableConfig struct {
	Type         string `yaml:"type" required:"true" enum:"dynamodb_table" change:"content" desc:"dynamodb_table: a DynamoDB table, which is scanned. Columns are attributes, or document paths such as address.city."`
	Table        string `yaml:"table" required:"true" change:"content" desc:"The table's name, or its ARN."`
	Index        string `yaml:"index" change:"content" desc:"A secondary index to scan in the place of the table: one that only the items of the reference are in, where the table holds others too. Its reads are eventually consistent, those of a table are consistent."`
	ReadCapacity int    `yaml:"read_capacity" default:"100" min:"1" max:"1000000" change:"free" desc:"How many read capacity units a second a scan may use, on average. A consistent read uses one for each 4 KB."`
	awsapi.Config
}

// SQLConfig is a query whose result is a reference.
type SQLConfig struct {
	Type    string        `yaml:"type" required:"true" enum:"sql" change:"content" desc:"sql: a query of a database that speaks PostgreSQL's protocol. Columns are those of its result."`
	DSN     string        `yaml:"dsn" required:"true" secret:"connection" change:"content" desc:"The database, as a URL (postgres://user:password@host:5432/database) or as libpq's keywords and values. What is left out comes from libpq's variables (PGHOST, PGPASSWORD, …) and ~/.pgpass."`
	Query   string        `yaml:"query" required:"true" change:"content" desc:"One SELECT, which is run in a read-only transaction."`
	Timeout spec.Duration `yaml:"timeout" default:"1m" min:"1ms" max:"1d" change:"free" desc:"How long the query may take, on the server and until its last row is read."`
}

// The types of sources.
const (
	typeFile          = "file"
	typeDynamoDBTable = "dynamodb_table"
	typeSQL           = "sql"
)

// The refreshes of sources that say nothing of it: looking at a file costs nothing, a query
// the database's time, and a scan is paid for by the item.
const (
	fileRefresh          = 10 * time.Second
	sqlRefresh           = time.Minute
	dynamoDBTableRefresh = 5 * time.Minute
)

// DecodeNode implements spec.NodeDecoder.
func (c *SourceConfig) DecodeNode(n *spec.Node) error {
	if n.Kind() != spec.Mapping {
		return n.Decode(&c.File)
	}
	kind := ""
	if t := n.Get("type"); t != nil {
		kind = t.Text()
	}
	switch kind {
	case typeFile:
		return n.Decode(&c.File)
	case typeDynamoDBTable:
		return n.Decode(&c.DynamoDBTable)
	case typeSQL:
		return n.Decode(&c.SQL)
	case "":
		return &spec.FieldError{Message: "source has no type: one of file, dynamodb_table, sql"}
	}
	return &spec.FieldError{Path: []string{"type"}, Name: kind, Known: []string{typeFile, typeDynamoDBTable, typeSQL},
		Message: fmt.Sprintf("type wants one of file, dynamodb_table, sql, not %q", kind)}
}

// Alternatives implements spec.Alternatives.
func (SourceConfig) Alternatives() []any {
	return []any{FileConfig{}, DynamoDBTableConfig{}, SQLConfig{}}
}

var _ spec.Canonical = Config{}

// Canonical implements spec.Canonical: a query is of the same database, whoever connects to it
// and however.
func (c Config) Canonical(string) any {
	sql := &c.Reference.Source.SQL
	if server, err := pgconn.Parse(sql.DSN); sql.DSN != "" && err == nil {
		sql.DSN = server.Canonical()
	}
	return c
}

// ColumnsConfig are the columns that a join adds, by their names in the rows.
type ColumnsConfig struct{ spec.Map[string] }

// DecodeNode implements spec.NodeDecoder.
func (c *ColumnsConfig) DecodeNode(n *spec.Node) error {
	if n.Kind() == spec.Mapping {
		return n.Decode(&c.Map)
	}
	var names []string
	err := n.Decode(&names)
	for _, name := range names {
		c.Map = append(c.Map, spec.Entry[string]{Name: name, Value: name})
	}
	return err
}

// Alternatives implements spec.Alternatives.
func (ColumnsConfig) Alternatives() []any { return []any{[]string{}, spec.Map[string]{}} }
