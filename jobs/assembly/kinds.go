package assembly

import (
	"fmt"
	"os"

	"github.com/starlift-etl/starlift/jobs/fixture"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sinks/duckdb"
	"github.com/starlift-etl/starlift/sinks/parquet"
	"github.com/starlift-etl/starlift/sinks/postgres"
	"github.com/starlift-etl/starlift/sinks/redshift"
	"github.com/starlift-etl/starlift/sources/dynamodb"
	"github.com/starlift-etl/starlift/sources/dynamodbexport"
	"github.com/starlift-etl/starlift/sources/dynamodbscan"
	"github.com/starlift-etl/starlift/sources/dynamodbstreams"
	"github.com/starlift-etl/starlift/sources/file"
	"github.com/starlift-etl/starlift/sources/kinesis"
	"github.com/starlift-etl/starlift/transforms/derive"
	"github.com/starlift-etl/starlift/transforms/filter"
	"github.com/starlift-etl/starlift/transforms/reference"
	"github.com/starlift-etl/starlift/transforms/star"
	"github.com/starlift-etl/starlift/transforms/unnest"
)

// kind is a type of node of section T: its keys in a pipeline file, and its constructor.
type kind[T any] struct {
	spec  spec.Kind
	build func(name string, config any) (T, error)
}

// of returns the kind of a package with this Config and this New.
func of[C, N, T any](desc string, build func(string, C) (N, error)) kind[T] {
	return kind[T]{
		spec: spec.Kind{New: func() any { return new(C) }, Desc: desc},
		build: func(name string, config any) (node T, err error) {
			c, ok := config.(*C)
			if !ok {
				return node, fmt.Errorf("configuration is %T, want %T", config, new(C))
			}
			n, err := build(name, *c)
			if err != nil {
				return node, err
			}
			return any(n).(T), nil
		},
	}
}

// DuckDBVersion is the version of DuckDB in this binary, or "".
func DuckDBVersion() string { return duckdb.Version() }

// rowKind is a type of transform that reads rows: its constructor gets the tables that it reads.
type rowKind[T any] struct {
	spec  spec.Kind
	build func(name string, config any, inputs []*pipeline.Table) (T, error)
}

// ofRows returns the rowKind of a package with this Config and this New.
func ofRows[C, N, T any](desc string, build func(string, C, []*pipeline.Table) (N, error)) rowKind[T] {
	return rowKind[T]{
		spec: spec.Kind{New: func() any { return new(C) }, Desc: desc},
		build: func(name string, config any, inputs []*pipeline.Table) (node T, err error) {
			c, ok := config.(*C)
			if !ok {
				return node, fmt.Errorf("configuration is %T, want %T", config, new(C))
			}
			n, err := build(name, *c, inputs)
			if err != nil {
				return node, err
			}
			return any(n).(T), nil
		},
	}
}

// The node types of this binary. Transforms read changes or rows.
var (
	sourceKinds = map[string]kind[pipeline.Source]{
		"file": of[file.Config, *file.Source, pipeline.Source]("Local files, or objects of S3, once or for ever: change records, a DynamoDB export, or plain JSON; plain, gzip, zstd or bzip2.", file.New),
		"dynamodb_export": of[dynamodbexport.Config, pipeline.Source, pipeline.Source](
			"Exports of a DynamoDB table on S3: those that are there, or, for ever, those that DynamoDB is asked for.", dynamodbexport.New),
		"kinesis":          of[kinesis.Config, *kinesis.Source, pipeline.Source]("An Amazon Kinesis data stream: the changes of a DynamoDB table, or plain JSON.", kinesis.New),
		"dynamodb_scan":    of[dynamodbscan.Config, *dynamodbscan.Source, pipeline.Source]("A DynamoDB table, all of its items once, by a parallel scan.", dynamodbscan.New),
		"dynamodb":         of[dynamodb.Config, *dynamodb.Source, pipeline.Source]("A DynamoDB table: an export or a scan of it, and its stream from before that on, handed over without a hole.", dynamodb.New),
		"dynamodb_streams": of[dynamodbstreams.Config, *dynamodbstreams.Source, pipeline.Source]("The stream of a DynamoDB table (DynamoDB Streams): its changes of the last 24 hours, and from then on.", dynamodbstreams.New),
	}
	transformKinds = map[string]kind[pipeline.ChangeTransform]{
		"unnest": of[unnest.Config, *unnest.Unnest, pipeline.ChangeTransform]("Turns single-table items into typed tables.", unnest.New),
	}
	statefulKinds = map[string]rowKind[pipeline.StatefulTransform]{
		"star": ofRows[star.Config, *star.Star, pipeline.StatefulTransform]("Builds a star schema: dimensions with surrogate keys, and facts that find their members through other tables.", star.New),
	}
	// filterKinds filter changes; a type may be among rowKinds as well.
	filterKinds = map[string]kind[pipeline.ChangeFilter]{
		"filter": of[filter.Config, *filter.Changes, pipeline.ChangeFilter]("", filter.NewChanges),
	}
	rowKinds = map[string]rowKind[pipeline.RowTransform]{
		"derive": ofRows[derive.Config, *derive.Derive, pipeline.RowTransform]("Adds columns that expressions compute.", derive.New),
		"filter": ofRows[filter.Config, *filter.Filter, pipeline.RowTransform]("Lets pass the rows that match a pattern or an expression, or the changes whose items match a pattern.", filter.New),
		"reference_join": ofRows[reference.Config, *reference.Join, pipeline.RowTransform](
			"Joins rows to a table in a file, in DynamoDB or of a query, which may change at any moment.", reference.New),
	}
	sinkKinds = map[string]kind[pipeline.Sink]{
		"parquet":  of[parquet.Config, *parquet.Sink, pipeline.Sink]("Parquet files in a folder, on the local disk or on S3.", parquet.New),
		"duckdb":   of[duckdb.Config, *duckdb.Sink, pipeline.Sink]("Tables in a DuckDB file.", duckdb.New),
		"postgres": of[postgres.Config, *postgres.Sink, pipeline.Sink]("Tables in a PostgreSQL database.", postgres.New),
		"redshift": of[redshift.Config, *redshift.Sink, pipeline.Sink]("Tables in an Amazon Redshift database, of a cluster or a workgroup.", redshift.New),
	}
)

// The compiler checks here that the nodes have the capabilities that are found by type
// assertion.
var (
	_ pipeline.Source            = (*file.Source)(nil)
	_ pipeline.KeylessSource     = (*file.Source)(nil)
	_ ttlSource                  = (*file.Source)(nil)
	_ pipeline.KeyFinder         = (*file.Source)(nil)
	_ pipeline.FormatReporter    = (*file.Source)(nil)
	_ pipeline.Source            = (*dynamodb.Source)(nil)
	_ ttlSource                  = (*dynamodb.Source)(nil)
	_ pipeline.FormatReporter    = (*dynamodb.Source)(nil)
	_ pipeline.Repairer          = (*dynamodb.Source)(nil)
	_ pipeline.ExportRequester   = (*dynamodb.Source)(nil)
	_ pipeline.Source            = (*kinesis.Source)(nil)
	_ pipeline.KeylessSource     = (*kinesis.Source)(nil)
	_ ttlSource                  = (*kinesis.Source)(nil)
	_ pipeline.FormatReporter    = (*kinesis.Source)(nil)
	_ pipeline.KeyFinder         = (*dynamodbexport.Source)(nil)
	_ pipeline.KeylessSource     = (*dynamodbexport.Source)(nil)
	_ pipeline.FormatReporter    = (*dynamodbexport.Source)(nil)
	_ pipeline.ExportRequester   = (*dynamodbexport.IncrementalSource)(nil)
	_ pipeline.KeyFinder         = (*dynamodbexport.IncrementalSource)(nil)
	_ pipeline.Source            = (*dynamodbscan.Source)(nil)
	_ pipeline.KeyFinder         = (*dynamodbscan.Source)(nil)
	_ pipeline.FormatReporter    = (*dynamodbscan.Source)(nil)
	_ pipeline.Source            = (*dynamodbstreams.Source)(nil)
	_ ttlSource                  = (*dynamodbstreams.Source)(nil)
	_ pipeline.FormatReporter    = (*dynamodbstreams.Source)(nil)
	_ fixture.Substitutable      = (*reference.Join)(nil)
	_ pipeline.ChangeTransform   = (*unnest.Unnest)(nil)
	_ ttlTables                  = (*unnest.Config)(nil)
	_ pipeline.InsertOnlyLog     = (*unnest.Unnest)(nil)
	_ warner                     = (*unnest.Unnest)(nil)
	_ warner                     = (*redshift.Sink)(nil)
	_ pipeline.StatefulTransform = (*star.Star)(nil)
	_ pipeline.ChangeFilter      = (*filter.Changes)(nil)
	_ pipeline.RowTransform      = (*derive.Derive)(nil)
	_ pipeline.RowTransform      = (*filter.Filter)(nil)
	_ pipeline.RowTransform      = (*reference.Join)(nil)
	_ pipeline.TargetLister      = (*parquet.Sink)(nil)
	_ pipeline.TargetLister      = (*duckdb.Sink)(nil)
	_ pipeline.TargetLister      = (*postgres.Sink)(nil)
	_ pipeline.TargetLister      = (*redshift.Sink)(nil)
	_ pipeline.Resettable        = (*parquet.Sink)(nil)
	_ pipeline.Resettable        = (*duckdb.Sink)(nil)
	_ pipeline.Resettable        = (*postgres.Sink)(nil)
	_ pipeline.Resettable        = (*redshift.Sink)(nil)
	_ pipeline.Sink              = (*parquet.Sink)(nil)
	_ pipeline.Sink              = (*duckdb.Sink)(nil)
	_ pipeline.Sink              = (*postgres.Sink)(nil)
	_ pipeline.Sink              = (*redshift.Sink)(nil)
)

func specs[T any](kinds map[string]kind[T]) map[string]spec.Kind {
	m := make(map[string]spec.Kind, len(kinds))
	for name, k := range kinds {
		m[name] = k.spec
	}
	return m
}

// Kinds returns the types of nodes that a pipeline file can name.
func Kinds() spec.Kinds {
	transforms := specs(transformKinds)
	for name, k := range statefulKinds {
		transforms[name] = k.spec
	}
	for name, k := range rowKinds {
		transforms[name] = k.spec
	}
	return spec.Kinds{Sources: specs(sourceKinds), Transforms: transforms, Sinks: specs(sinkKinds), DeadLetters: func() any { return new(bloburl.WriterConfig) }}
}

// OpenRecords returns a source of the records in a file that a test names, in the format of
// the source that they stand for. Lines of an export need no manifests; a folder is read as an
// export with manifests.
func OpenRecords(path string, f pipeline.Format) (pipeline.Source, error) {
	c := file.Config{Path: path, Format: "dynamodb_cdc"}
	for _, k := range f.Key {
		c.Key = append(c.Key, spec.Paths{k})
	}
	info, err := os.Stat(path)
	switch {
	case f.Encoding == pipeline.JSON:
		c.Format = "json"
	case f.Encoding == pipeline.DynamoDBExport && err == nil && info.IsDir():
		c.Format = "dynamodb_export"
	}
	return file.New("file", c)
}
