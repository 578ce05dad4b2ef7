package parquetfile

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/failure"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// Options say how a file is read.
type Options struct {
	Columns []schema.Column
	// File is the object's URL in errors, https://s3.region.amazonaws.com/bucket/key.
	File string
	// Location is the source's, s3://bucket/prefix, which names columns in errors.
	Location string
	Query    int64

	FillRecord      bool
	SerializeToJSON bool
	AcceptInvalid   bool
	Replacement     byte // 0 = '?'
	PageV2          bool
}

// The codes of the scan's errors. Older clusters have the first for more cases.
const (
	codeFile   = 15001
	codeSchema = 15007
)

func (o *Options) fail(code int, format string, args ...any) *pgconn.PgError {
	return failure.Spectrum(o.Query, code, fmt.Sprintf(format, args...))
}

// corrupt tells a file that cannot be read to its end. An error that a client may see, such
// as one of S3, stays what it is.
func (o *Options) corrupt(err error) error {
	var told *pgconn.PgError
	if errors.As(err, &told) {
		return told
	}
	return o.fail(codeFile, "File '%s' is corrupt: %v", o.File, err)
}

// column is how errors name a column of the file.
func (o *Options) column(name string) string { return o.Location + "." + name }
