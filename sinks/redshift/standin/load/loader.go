package load

import (
	"context"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/failure"
)

// Options are of the server as a whole.
type Options struct {
	// Endpoint is S3's, addressed by path; empty is AWS's own.
	Endpoint string
	// Region is the buckets'; empty = us-east-1.
	Region string
	// Credentials are what S3 is accessed with, whatever a statement says; nil = those of
	// the environment, and any if there are none.
	Credentials aws.CredentialsProvider
	// StatementKeys has keys that a statement gives used in place of Credentials.
	StatementKeys bool
	// Serverless has errors name sys_load_error_detail in place of stl_load_errors.
	Serverless bool
	// RefusedRoles are ARNs that no user may assume.
	RefusedRoles []string
	// DeniedBuckets answer with 403 to everything.
	DeniedBuckets []string
	// PageV2 accepts Parquet's data pages of version 2, which no writer is known to have
	// loaded into Redshift.
	PageV2 bool
	// Slices is how many files a parallel UNLOAD writes at once; 0 = 2.
	Slices int
	// TempDir is where Parquet files are kept while they are read; empty = the system's.
	TempDir string
}

// Loader runs COPYs and UNLOADs. Its methods may be called at the same time.
type Loader struct {
	options Options
}

// New returns a loader. Nothing is opened.
func New(options Options) *Loader {
	if options.Region == "" {
		options.Region = "us-east-1"
	}
	if options.Slices <= 0 {
		options.Slices = 2
	}
	if options.TempDir == "" {
		options.TempDir = os.TempDir()
	}
	return &Loader{options: options}
}

// Copy loads what o says and writes its rows to w in PostgreSQL's COPY text format, for
// COPY table (columns) FROM STDIN with the columns of o. If it fails, what was written
// must not be loaded. The result is never nil. The error is a *pgconn.PgError, or w's own.
func (l *Loader) Copy(ctx context.Context, o *CopyOptions, w io.Writer) (*CopyResult, error) {
	return &CopyResult{}, failure.Unsupported("COPY")
}

// Unload writes rows to S3. The error is a *pgconn.PgError, or that of rows.
func (l *Loader) Unload(ctx context.Context, o *UnloadOptions, rows Rows) (*UnloadResult, error) {
	return &UnloadResult{}, failure.Unsupported("UNLOAD")
}
