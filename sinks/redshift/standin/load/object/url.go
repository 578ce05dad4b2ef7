package object

import (
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/failure"
)

// Path is a place in S3: an object, or all whose keys begin with Key.
type Path struct{ Bucket, Key string }

// Parse reads s3://bucket/key. The error is a *pgconn.PgError.
func Parse(url string) (Path, error) {
	rest, ok := strings.CutPrefix(url, "s3://")
	if !ok {
		return Path{}, failure.Invalid("Invalid S3 path %q: it has to begin with s3://", url)
	}
	bucket, key, _ := strings.Cut(rest, "/")
	if bucket == "" {
		return Path{}, failure.Invalid("Invalid S3 path %q: it has no bucket", url)
	}
	return Path{bucket, key}, nil
}

// String is s3://bucket/key.
func (p Path) String() string { return "s3://" + p.Bucket + "/" + p.Key }

// With returns the path with more at its end.
func (p Path) With(suffix string) Path { return Path{p.Bucket, p.Key + suffix} }
