package load

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/failure"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/manifest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/object"
)

// maxErrors is how many load errors are kept: MAXERROR's limit (dg/copy-parameters-data-load).
const maxErrors = 100_000

// flushBytes is how much of rows is gathered before it is written.
const flushBytes = 64 << 10

// copier is one COPY.
type copier struct {
	loader  *Loader
	options *CopyOptions
	store   *object.Store
	w       io.Writer
	result  *CopyResult
	rows    []byte // that are not written yet
}

// source is an object to load. Entry is the manifest's, if there is one.
type source struct {
	object.Path
	entry *manifest.Entry
}

func (c *copier) run(ctx context.Context) error {
	var err error
	if c.store, err = c.loader.store(&c.options.Access, c.options.Query); err != nil {
		return err
	}
	load := c.parquetFile
	if c.options.Format != Parquet {
		text, err := c.newTextLoad(ctx)
		if err != nil {
			return err
		}
		load = text.file
	}
	sources, err := c.sources(ctx)
	if err != nil {
		return err
	}
	found := 0
	for _, s := range sources {
		err := load(ctx, s)
		if object.NotFound(err) && s.entry != nil {
			if s.entry.Mandatory {
				return c.missing(s)
			}
			continue
		}
		if err != nil {
			return err
		}
		found++
	}
	if found == 0 {
		return c.noPrefix(c.options.Source)
	}
	return c.flush(0)
}

// sources are the objects to load, in the order in which they are.
func (c *copier) sources(ctx context.Context) ([]source, error) {
	at, err := object.Parse(c.options.Source)
	if err != nil {
		return nil, err
	}
	if c.options.Manifest {
		return c.listed(ctx, at)
	}
	objects, err := c.store.List(ctx, at)
	if err != nil {
		return nil, err
	}
	var sources []source
	for _, o := range objects {
		// What stands for a folder in consoles has no data.
		if o.Size > 0 || !strings.HasSuffix(o.Key, "/") {
			sources = append(sources, source{Path: o.Path})
		}
	}
	if len(sources) == 0 {
		return nil, c.noPrefix(at.Key)
	}
	return sources, nil
}

// listed are the objects that a manifest names.
func (c *copier) listed(ctx context.Context, at object.Path) ([]source, error) {
	body, _, err := c.store.Open(ctx, at)
	if object.NotFound(err) {
		if below, listErr := c.store.List(ctx, at); listErr != nil {
			return nil, listErr
		} else if len(below) > 0 {
			return nil, c.failed("COPY with MANIFEST parameter requires full path of an S3 object.")
		}
	}
	if err != nil {
		return nil, object.Reword(err, func(message string) string { return "Problem reading manifest file - " + message }, c.options.Query)
	}
	defer body.Close() //nolint:errcheck // it was only read
	entries, err := manifest.Read(body, c.options.Query)
	if err != nil {
		return nil, err
	}
	sources := make([]source, len(entries))
	for i := range entries {
		path, err := object.Parse(entries[i].URL)
		if err != nil {
			return nil, err
		}
		sources[i] = source{path, &entries[i]}
	}
	return sources, nil
}

// missing is the failure of a mandatory file that is not there.
func (c *copier) missing(s source) error {
	if c.options.Format == Parquet {
		return failure.Spectrum(c.options.Query, 15001, "File not found, File name: "+c.fileName(s.Path))
	}
	return manifest.Missing(c.options.Query)
}

// fileName is an object as the columnar scan names it.
func (c *copier) fileName(at object.Path) string {
	return fmt.Sprintf("https://s3.%s.amazonaws.com/%s/%s", c.loader.options.Region, at.Bucket, at.Key)
}

func (c *copier) noPrefix(prefix string) error {
	return failure.Block{
		Message: fmt.Sprintf("The specified S3 prefix '%s' does not exist", prefix),
		Code:    8001, Query: c.options.Query,
		Location: "s3_utility.cpp:568", Process: "padbmaster [pid=29509]",
	}.Error()
}

func (c *copier) failed(message string) error {
	return failure.Block{
		Message: message, Code: 8001, Query: c.options.Query,
		Location: "s3_utility.cpp:284", Process: "padbmaster [pid=12345]",
	}.Error()
}

// writeError is an error of the writer that the rows go to: nothing is wrong with a file.
type writeError struct{ error }

func (e writeError) Unwrap() error { return e.error }

// flush writes the rows that were gathered if there are more bytes of them than that.
func (c *copier) flush(above int) error {
	if len(c.rows) <= above {
		return nil
	}
	if !c.options.NoLoad {
		if _, err := c.w.Write(c.rows); err != nil {
			return writeError{err}
		}
	}
	c.rows = c.rows[:0]
	return nil
}

// refuse keeps a load error, and fails the load if it was one too many.
func (c *copier) refuse(e LoadError) error {
	c.result.Failed++
	if len(c.result.Errors) < maxErrors {
		c.result.Errors = append(c.result.Errors, e)
	}
	if c.options.IgnoreAllErrors || c.result.Failed < int64(max(c.options.MaxError, 1)) {
		return nil
	}
	table := "stl_load_errors"
	if c.loader.options.Serverless {
		table = "sys_load_error_detail"
	}
	return &pgconn.PgError{
		Severity: "ERROR", Code: "XX000",
		Message: fmt.Sprintf("Load into table '%s' failed.  Check '%s' system table for details.", c.options.Table, table),
	}
}
