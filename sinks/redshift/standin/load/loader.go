package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/failure"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/object"
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

// Check refuses options that no COPY could work with.
func (o Options) Check() error {
	if o.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil {
		return fmt.Errorf("the S3 endpoint: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("the S3 endpoint %q is no URL of the form http://host:port", o.Endpoint)
	}
	return nil
}

// Loader runs COPYs and UNLOADs. Its methods may be called at the same time.
type Loader struct {
	options Options
	http    *http.Client
}

// New returns a loader. Nothing is opened.
func New(options Options) *Loader {
	if options.Region == "" {
		options.Region = "us-east-1"
	}
	if options.Slices <= 0 {
		options.Slices = 2
	}
	if options.Credentials == nil {
		options.Credentials = environment()
	}
	if options.TempDir == "" {
		options.TempDir = os.TempDir()
	}
	return &Loader{options: options, http: &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}}
}

// Close closes the connections to S3 that are idle. It is called when no statement runs.
func (l *Loader) Close() { l.http.CloseIdleConnections() }

// Copy loads what o says and writes its rows to w in PostgreSQL's COPY text format, for
// COPY table (columns) FROM STDIN with the columns of o. If it fails, what was written
// must not be loaded. The result is never nil. The error is a *pgconn.PgError, w's own, or
// the context's cause.
func (l *Loader) Copy(ctx context.Context, o *CopyOptions, w io.Writer) (*CopyResult, error) {
	c := &copier{loader: l, options: o, w: w, result: &CopyResult{}}
	return c.result, plain(ctx, c.run(ctx))
}

// Unload writes rows to S3. Objects that were made before it failed stay, as UNLOAD's do,
// which is no part of a transaction. The error is a *pgconn.PgError, that of rows, or the context's
// cause. The result is never nil.
func (l *Loader) Unload(ctx context.Context, o *UnloadOptions, rows Rows) (*UnloadResult, error) {
	u := &unloader{loader: l, options: o, result: &UnloadResult{}}
	return u.result, plain(ctx, u.run(ctx, rows))
}

// plain is the error that a caller is told: without what this package keeps beside it, and
// as a client may see it, unless it is the caller's own.
func plain(ctx context.Context, err error) error {
	var write writeError
	var read readError
	var shown *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &write):
		return write.error
	case errors.As(err, &read):
		return read.error
	case errors.As(err, &shown):
		return shown
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		return err
	}
	return &pgconn.PgError{Severity: "ERROR", Code: "XX000", Message: err.Error()}
}

// store is S3 for one statement, if it may have it.
func (l *Loader) store(access *Access, query int64) (*object.Store, error) {
	for _, role := range access.Roles {
		if slices.Contains(l.options.RefusedRoles, role) {
			return nil, failure.Block{
				Message: fmt.Sprintf("User arn:aws:redshift:%s:123456789012:dbuser:standin/%s is not authorized to assume IAM Role %s",
					l.options.Region, access.User, role),
				Code: 8001, Context: "IAM Role=" + role, Query: query,
				Location: "xen_aws_credentials_mgr.cpp:272", Process: "padbmaster [pid=12345]",
			}.Error()
		}
	}
	keys := l.options.Credentials
	if l.options.StatementKeys && access.KeyID != "" {
		keys = static(access.KeyID, access.Secret, access.Token)
	}
	return object.New(object.Options{
		Endpoint: l.options.Endpoint, Region: l.options.Region, Credentials: keys,
		Denied: l.options.DeniedBuckets, Query: query, HTTP: l.http,
	}), nil
}

func static(id, secret, token string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token}, nil
	})
}

// environment are the credentials of the environment's variables, or some that nobody has.
func environment() aws.CredentialsProvider {
	if id := os.Getenv("AWS_ACCESS_KEY_ID"); id != "" {
		return static(id, os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN"))
	}
	return static("standin", "standin", "")
}
