package redshift

import (
	"errors"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Config is a redshift sink in a pipeline file.
type Config struct {
	DSN         string                `yaml:"dsn" required:"true" secret:"connection" change:"identity" desc:"The database, as a URL (postgres://user:password@host:5439/database?sslmode=verify-full) or as libpq's keywords and values. With iam it has no password."`
	Schema      string                `yaml:"schema" default:"public" change:"identity" desc:"The schema of the tables. It is made when it is missing."`
	IAM         *IAMConfig            `yaml:"iam" change:"free" desc:"Temporary credentials in the place of a password, asked for whenever a connection is made."`
	Stage       StageConfig           `yaml:"stage" required:"true" enum:"none" change:"free" desc:"The folder on S3 from which Redshift copies; none = rows are sent as INSERT statements, for small pipelines."`
	Flush       FlushConfig           `yaml:"flush" change:"free" desc:"When gathered rows are loaded."`
	OnOverflow  string                `yaml:"on_overflow" default:"dead_letter" enum:"dead_letter,truncate,fail" change:"content" desc:"What becomes of a text of more than 65,535 bytes, or than the n of its type (and of a document or a byte string that is too long): dead_letter treats the value as on_error of its column says, truncate cuts a text at a character, fail ends the run. Keys, documents and byte strings are never cut."`
	NUL         string                `yaml:"nul" default:"dead_letter" enum:"dead_letter,strip" change:"content" desc:"What becomes of the character U+0000 in texts and JSON, which Redshift does not store: dead_letter treats the value as on_error of its column says, strip takes the character out. In keys, and natural keys of dimensions, it is never taken out."`
	Tables      spec.Map[TableConfig] `yaml:"tables" change:"free" desc:"By table: its distribution, sort key and encodings, for when it is made. Left out = Redshift chooses, and changes its mind (AUTO)."`
	LoadedAt    bool                  `yaml:"loaded_at" change:"free" desc:"Adds a column _loaded_at (timestamp) with the time of the flush that wrote the row last."`
	QueryGroup  string                `yaml:"query_group" change:"free" desc:"The query group of the sink's statements, by which workload management may give them a queue."`
	AnalyzeRows int64                 `yaml:"analyze_rows" default:"1000000" min:"0" change:"free" desc:"ANALYZE a table after a flush that changed so many of its rows; 0 = never."`
}

// StageConfig is where rows wait for a COPY.
type StageConfig struct {
	// None says that rows are sent as INSERT statements.
	None bool
	S3   S3StageConfig
}

// S3StageConfig is a stage on S3.
type S3StageConfig struct {
	URL     string `yaml:"url" required:"true" change:"free" desc:"The folder, as s3://bucket/prefix, in the region of the cluster. Files are there for the time of a flush."`
	IAMRole string `yaml:"iam_role" required:"true" change:"free" desc:"The role with which Redshift reads the folder, as arn:aws:iam::123456789012:role/copy; several with commas are a chain; default = the default role of the cluster or workgroup."`
	bloburl.WriterConfig
}

// DecodeNode implements spec.NodeDecoder.
func (c *StageConfig) DecodeNode(n *spec.Node) error {
	switch {
	case n.Kind() == spec.Mapping:
		return n.Decode(&c.S3)
	case n.Text() == "none":
		c.None = true
		return nil
	}
	return &spec.FieldError{Message: "stage wants none, or a mapping with url and iam_role"}
}

// Alternatives implements spec.Alternatives.
func (StageConfig) Alternatives() []any { return []any{"", S3StageConfig{}} }

// FlushConfig says when gathered rows are loaded.
type FlushConfig struct {
	Interval spec.Duration `yaml:"interval" default:"60s" min:"1s" change:"free" desc:"How long rows may wait for others. A flush wakes a paused workgroup, and keeps it awake: choose hours where a bill matters more than freshness."`
}

// TableConfig is how a table is laid out when it is made.
type TableConfig struct {
	DistStyle string           `yaml:"diststyle" enum:"auto,even,key,all" change:"free" desc:"How rows are spread over slices. key needs distkey, and is implied by it."`
	DistKey   string           `yaml:"distkey" change:"free" desc:"The column by whose value rows are spread: the one that joins, and that the table's key has."`
	SortKey   []string         `yaml:"sortkey" change:"free" desc:"The columns by which rows are sorted (COMPOUND)."`
	Encode    spec.Map[string] `yaml:"encode" change:"free" desc:"Encodings by column, as az64, zstd, raw. With one, the table is no longer ENCODE AUTO."`
}

// IAMConfig says whose temporary credentials are asked for.
type IAMConfig struct {
	Cluster      string        `yaml:"cluster" change:"free" desc:"The identifier of a provisioned cluster."`
	Workgroup    string        `yaml:"workgroup" change:"free" desc:"The name of a serverless workgroup."`
	CustomDomain string        `yaml:"custom_domain" change:"free" desc:"The custom domain name of a cluster, in the place of its identifier. A workgroup with one is named by workgroup all the same."`
	User         string        `yaml:"user" change:"free" desc:"The database user of a cluster, for GetClusterCredentials. Left out = the user is made of the caller's identity (GetClusterCredentialsWithIAM). A workgroup has none."`
	AutoCreate   bool          `yaml:"auto_create" change:"free" desc:"Make user if there is none."`
	Groups       []string      `yaml:"groups" change:"free" desc:"Groups that user joins for the session, besides those that it is in."`
	Duration     spec.Duration `yaml:"duration" default:"15m" min:"15m" max:"1h" change:"free" desc:"How long the credentials can be used to connect."`
	awsapi.Config
}

// parse reads how the database is reached, or returns all mistakes of the configuration.
func (c *Config) parse() (pgconn.Config, error) {
	server, err := c.access()
	return server, errors.Join(checkSchema(c.Schema), c.checkLayouts(), c.Stage.check(), err)
}

var _ spec.Canonical = Config{}

// Canonical implements spec.Canonical: dsn is the database, whoever connects to it
// and however.
func (c Config) Canonical(string) any {
	if server, err := c.parse(); err == nil {
		c.DSN = server.Canonical()
	}
	return c
}
