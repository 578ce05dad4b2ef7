package load

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/failure"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/manifest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/object"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

const (
	// maxFileSize is what S3 takes at once, which is less than the service's 6.2 GB.
	maxFileSize = 5_000_000_000
	// maxPartitions is how many partitions are written at once: each has an open file.
	maxPartitions = 500
	// nullPartition is the folder of rows whose partition column is NULL.
	nullPartition = "__HIVE_DEFAULT_PARTITION__"
)

// unloader is one UNLOAD.
type unloader struct {
	loader  *Loader
	options *UnloadOptions
	store   *object.Store
	target  object.Path
	result  *UnloadResult

	written []int // the columns that are in the files, by position
	parts   []int // those that make partitions
	outputs map[string]*output
	cleaned map[string]bool // partitions' folders
	entries []manifest.File
}

// output is a file that is written, and those that follow it as it reaches its size.
type output struct {
	folder string
	slice  int
	part   int
	file   *unloadFile // nil = none is open
}

func (u *unloader) run(ctx context.Context, rows Rows) (err error) {
	if err := u.check(); err != nil {
		return err
	}
	if u.store, err = u.loader.store(&u.options.Access, u.options.Query); err != nil {
		return err
	}
	if err := u.makeRoom(ctx); err != nil {
		return err
	}
	u.outputs, u.cleaned = map[string]*output{}, map[string]bool{}
	defer func() {
		for _, o := range u.outputs {
			if o.file != nil {
				o.file.discard()
			}
		}
	}()
	parallel := u.loader.options.Slices
	if u.options.Serial || len(u.parts) > 0 {
		parallel = 1
	}
	for n := 0; ctx.Err() == nil; n++ {
		row, err := rows.Next()
		if err == io.EOF {
			return u.finish(ctx)
		}
		if err != nil {
			return readError{err}
		}
		if err := u.write(ctx, row, n%parallel); err != nil {
			return err
		}
		u.result.Rows++
	}
	return context.Cause(ctx)
}

// readError is an error of the rows to unload: nothing is wrong with S3.
type readError struct{ error }

func (e readError) Unwrap() error { return e.error }

// check refuses what cannot be unloaded as it is asked.
func (u *unloader) check() error {
	o := u.options
	var err error
	if u.target, err = object.Parse(o.Target); err != nil {
		return err
	}
	if o.Compression == BZIP2 || o.Compression == LZOP {
		return failure.Unsupported("UNLOAD with BZIP2")
	}
	if len(o.PartitionBy) > 0 && !strings.HasSuffix(u.target.Key, "/") {
		u.target = u.target.With("/")
	}
	for _, name := range o.PartitionBy {
		i := slices.IndexFunc(o.Columns, func(c Column) bool { return c.Name == name })
		if i < 0 {
			return failure.Invalid("partition column %q is not in the query's result", name)
		}
		switch o.Columns[i].Type.Kind {
		case schema.Smallint, schema.Integer, schema.Bigint, schema.Numeric, schema.Real, schema.Boolean,
			schema.Char, schema.Varchar, schema.Date, schema.Timestamp:
		default:
			return failure.Invalid("column %q of type %s cannot be a partition column", name, o.Columns[i].Type)
		}
		u.parts = append(u.parts, i)
	}
	for i := range o.Columns {
		if o.Include || !slices.Contains(u.parts, i) {
			u.written = append(u.written, i)
		}
	}
	if len(u.written) == 0 {
		return failure.Invalid("UNLOAD has to write at least one column that is no partition column")
	}
	if o.Format == FixedWidth && len(o.Widths) != len(u.written) {
		return failure.Invalid("FIXEDWIDTH has %d columns, and %d are unloaded", len(o.Widths), len(u.written))
	}
	return u.checkColumns()
}

// checkColumns refuses types that a format does not have, and names that it would have twice.
func (u *unloader) checkColumns() error {
	o := u.options
	seen := map[string]bool{}
	for _, i := range u.written {
		c := o.Columns[i]
		named := o.Format == Parquet || o.Format == JSON
		if named && seen[c.Name] {
			return failure.Invalid("column %q is twice in the query's result: names have to be unique for Parquet and JSON", c.Name)
		}
		seen[c.Name] = true
		switch c.Type.Kind {
		case schema.Geometry, schema.Geography, schema.HLLSketch, schema.IntervalYearToMonth, schema.IntervalDayToSecond, schema.Invalid:
			return failure.Unsupported(fmt.Sprintf("UNLOAD of column %q of type %s", c.Name, c.Type))
		case schema.Varbyte:
			if o.Format != Delimited && o.Format != CSV {
				return failure.Invalid("column %q of type %s can only be unloaded to text or CSV", c.Name, c.Type)
			}
		case schema.Time, schema.TimeTZ:
			if o.Format == Parquet {
				return failure.Unsupported(fmt.Sprintf("UNLOAD of column %q of type %s to Parquet", c.Name, c.Type))
			}
		}
	}
	return nil
}

// makeRoom finds out whether files are in the way, and removes them if CLEANPATH says so.
func (u *unloader) makeRoom(ctx context.Context) error {
	if u.options.AllowOverwrite {
		return nil
	}
	there, err := u.store.List(ctx, u.target)
	if err != nil || len(there) == 0 {
		return err
	}
	if u.options.CleanPath {
		if len(u.parts) > 0 {
			return nil // only folders that get new files are cleaned
		}
		return u.remove(ctx, there)
	}
	return &pgconn.PgError{
		Severity: "ERROR", Code: "XX000",
		Message: "Specified unload destination on S3 is not empty. Consider using a different bucket / prefix, manually removing the target files in S3, or using the ALLOWOVERWRITE option.",
	}
}

func (u *unloader) remove(ctx context.Context, objects []object.Info) error {
	keys := make([]string, len(objects))
	for i, o := range objects {
		keys[i] = o.Key
	}
	return u.store.Delete(ctx, u.target.Bucket, keys)
}

// write adds a row to the file of its partition and slice.
func (u *unloader) write(ctx context.Context, row [][]byte, slice int) error {
	if len(row) != len(u.options.Columns) {
		return failure.Invalid("a row has %d values of %d columns", len(row), len(u.options.Columns))
	}
	folder := u.folder(row)
	id := fmt.Sprintf("%d/%s", slice, folder)
	o := u.outputs[id]
	if o == nil {
		if len(u.outputs) == maxPartitions {
			return failure.Unsupported(fmt.Sprintf("UNLOAD to more than %d partitions", maxPartitions))
		}
		o = &output{folder: folder, slice: slice}
		u.outputs[id] = o
		if err := u.cleanFolder(ctx, folder); err != nil {
			return err
		}
	}
	if o.file == nil {
		var err error
		if o.file, err = u.create(); err != nil {
			return err
		}
	}
	values := make([][]byte, len(u.written))
	for i, column := range u.written {
		values[i] = row[column]
	}
	if err := o.file.append(values); err != nil {
		return err
	}
	if o.file.size() >= u.fileSize() {
		return u.upload(ctx, o)
	}
	return nil
}

// fileSize is MAXFILESIZE; of Parquet it is a multiple of the row groups' size.
func (u *unloader) fileSize() int64 {
	size := u.options.MaxFileSize
	if size == 0 || size > maxFileSize {
		size = maxFileSize
	}
	if group := u.rowGroup(); u.options.Format == Parquet && size > group {
		size -= size % group
	}
	return size
}

func (u *unloader) rowGroup() int64 {
	if u.options.RowGroupSize > 0 {
		return u.options.RowGroupSize
	}
	return 32 << 20
}

// folder is where a row's partition lies below the target, by Hive's convention.
func (u *unloader) folder(row [][]byte) string {
	var b strings.Builder
	for _, i := range u.parts {
		b.WriteString(hiveEscape(u.options.Columns[i].Name))
		b.WriteByte('=')
		if row[i] == nil {
			b.WriteString(nullPartition)
		} else {
			b.WriteString(hiveEscape(string(row[i])))
		}
		b.WriteByte('/')
	}
	return b.String()
}

// hiveEscape has %XX for what cannot stand in a folder's name.
func hiveEscape(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; c < 0x20 || c == 0x7f || strings.IndexByte(`"#%'*/:=?\{[]^`, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// cleanFolder removes what a partition has before its first new file.
func (u *unloader) cleanFolder(ctx context.Context, folder string) error {
	if !u.options.CleanPath || len(u.parts) == 0 || u.cleaned[folder] {
		return nil
	}
	u.cleaned[folder] = true
	there, err := u.store.List(ctx, u.target.With(folder))
	if err != nil {
		return err
	}
	return u.remove(ctx, there)
}

// upload ends a file and makes it an object.
func (u *unloader) upload(ctx context.Context, o *output) error {
	file := o.file
	o.file = nil
	defer file.discard()
	size, err := file.finish()
	if err != nil {
		return err
	}
	at := u.target.With(o.folder + u.name(o))
	o.part++
	if err := u.store.Put(ctx, at, file.temp, size); err != nil {
		return err
	}
	u.result.Files = append(u.result.Files, FileResult{URL: at.String(), Lines: file.rows, Bytes: size})
	u.entries = append(u.entries, manifest.File{URL: at.String(), Bytes: size, Rows: file.lines()})
	return nil
}

// name is a file's name below its folder.
func (u *unloader) name(o *output) string {
	name := fmt.Sprintf("%04d_part_%02d", o.slice, o.part)
	if u.options.Serial {
		name = fmt.Sprintf("%03d", o.part)
	}
	extension := u.options.Extension
	switch {
	case extension != "":
	case u.options.Format == Parquet:
		extension = "parquet"
	case u.options.Compression == GZIP:
		extension = "gz"
	case u.options.Compression == ZSTD:
		extension = "zst"
	}
	if extension != "" {
		name += "." + extension
	}
	return name
}

// finish uploads what is open, in the order of its names, and the manifest. Without a row
// there is neither.
func (u *unloader) finish(ctx context.Context) error {
	ids := make([]string, 0, len(u.outputs))
	for id := range u.outputs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if o := u.outputs[id]; o.file != nil {
			if err := u.upload(ctx, o); err != nil {
				return err
			}
		}
	}
	if !u.options.Manifest || len(u.entries) == 0 {
		return nil
	}
	var columns []schema.Column
	for _, i := range u.written {
		columns = append(columns, u.options.Columns[i])
	}
	text, err := manifest.Write(u.entries, columns, u.options.Verbose, u.options.Format == Parquet)
	if err != nil {
		return err
	}
	return u.store.Put(ctx, u.target.With("manifest"), strings.NewReader(string(text)), int64(len(text)))
}

// create opens a temporary file, with a writer of the format before it.
func (u *unloader) create() (*unloadFile, error) {
	temp, err := os.CreateTemp(u.loader.options.TempDir, "standin-unload-*")
	if err != nil {
		return nil, err
	}
	f := &unloadFile{temp: temp}
	if err := f.open(u); err != nil {
		f.discard()
		return nil, err
	}
	return f, nil
}
