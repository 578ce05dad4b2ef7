package load

import (
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// Column is a column that is loaded or unloaded.
type Column = schema.Column

// Format is how rows lie in a file.
type Format uint8

// The formats of files (dg/copy-parameters-data-format, dg/r_UNLOAD).
const (
	Delimited Format = iota // the default: fields between "|"
	CSV
	FixedWidth
	JSON
	Parquet
)

// Compression is of a whole text file.
type Compression uint8

// The compressions of text files.
const (
	None Compression = iota
	GZIP
	BZIP2
	ZSTD
	LZOP
)

// Access is what a statement says of its rights to S3.
type Access struct {
	// User is the database's user, for the text of a refused role.
	User string
	// Roles is a chain of roles' ARNs; "default" is the cluster's default role.
	Roles []string
	// KeyID, Secret and Token are of ACCESS_KEY_ID and the like. They are used only if
	// Options.StatementKeys says so.
	KeyID, Secret, Token string
}

// CopyOptions is a COPY whose options are checked. Its zero values are Redshift's defaults.
type CopyOptions struct {
	Table string
	// Columns are those to load, in the order of the file's fields: the column list, or
	// all of the table's without the identity columns that EXPLICIT_IDS does not name.
	Columns []Column
	// Query is the statement's number, for errors.
	Query  int64
	Access Access
	// Source is s3://bucket/prefix; with Manifest it is the manifest's whole key.
	Source   string
	Manifest bool

	Format      Format
	Compression Compression
	Text        TextOptions
	// SerializeToJSON loads groups, lists and maps of Parquet into SUPER.
	SerializeToJSON bool
	FillRecord      bool
	// AcceptInvalid has invalid UTF-8 replaced, byte by byte, by Replacement ('?' = 0).
	AcceptInvalid bool
	Replacement   byte

	// MaxError is the number of load errors that fails the load; 0 and 1 are the same.
	MaxError        int
	IgnoreAllErrors bool
	// NoLoad checks the files and writes no row.
	NoLoad bool
}

// TextOptions are of the formats that are text (dg/copy-parameters-data-conversion).
type TextOptions struct {
	// Delimiter and Quote are a character each; zero is the format's default.
	Delimiter, Quote byte
	// Widths are of FixedWidth, in characters, one a column.
	Widths []int
	// JSONPaths is of JSON: "" and "auto", "auto ignorecase", "noshred", or the URL of a
	// file of paths.
	JSONPaths string
	// Encoding is "" and "utf8", "utf16", "utf16le", "utf16be" or "iso88591".
	Encoding string

	IgnoreHeader     int
	IgnoreBlankLines bool
	// Null is of NULL AS, if NullSet; else it is `\N`.
	Null    string
	NullSet bool

	EmptyAsNull, BlanksAsNull, TrimBlanks bool
	Escape, RemoveQuotes                  bool
	TruncateColumns, RoundDecimals        bool
	AcceptAnyDate                         bool
	// DateFormat and TimeFormat are patterns, "auto", or for times "epochsecs" or
	// "epochmillisecs"; empty is Redshift's default.
	DateFormat, TimeFormat string
}

// LoadError is a row that could not be loaded, as stl_load_errors and
// sys_load_error_detail tell it. Texts are not padded here.
type LoadError struct {
	File string // s3://bucket/key
	Line int64  // from 1; of JSON the line at which the object begins
	// Column, Type and Length are empty if the row as a whole is at fault.
	Column, Type, Length string
	Position             int // of the error in its field, in bytes
	RawLine, RawValue    string
	Code                 int
	Reason               string
}

// CopyResult is what a COPY did. It is there with an error too: the load errors are read
// after the statement has failed.
type CopyResult struct {
	Rows   int64 // loaded, or with NoLoad good
	Failed int64 // rows with a load error
	// Errors are at most 100,000, MAXERROR's limit.
	Errors []LoadError
	Files  []FileResult
}

// FileResult is an object that was read, for stl_load_commits and the like.
type FileResult struct {
	URL   string
	Lines int64 // rows, good and bad
	Bytes int64 // of the object
}

// UnloadOptions is an UNLOAD whose options are checked. Its zero values are Redshift's
// defaults, but for Serial, which is PARALLEL OFF.
type UnloadOptions struct {
	Columns []Column
	Query   int64
	Access  Access
	// Target is s3://bucket/prefix.
	Target string

	Format      Format
	Compression Compression
	// Delimiter is a character; zero is the format's default.
	Delimiter byte
	Widths    []int
	Header    bool
	Null      string
	NullSet   bool
	AddQuotes bool
	Escape    bool
	// PartitionBy are columns by name; they are not in the files unless Include says so.
	PartitionBy []string
	Include     bool
	Manifest    bool
	Verbose     bool

	AllowOverwrite, CleanPath bool
	Serial                    bool
	// MaxFileSize and RowGroupSize are in bytes; zero is 6.2 GB and 32 MB.
	MaxFileSize, RowGroupSize int64
	// Extension is put at the end of each file's name in place of the format's own.
	Extension string
}

// UnloadResult is what an UNLOAD wrote.
type UnloadResult struct {
	Rows  int64
	Files []FileResult
}

// Rows are rows to unload. A value is PostgreSQL's text for it, as COPY and the wire's
// text format give it: a timestamp in the ISO datestyle, bytea in hex.
type Rows interface {
	// Next returns the next row, nil for NULL, valid until the following call. At the end
	// the error is io.EOF.
	Next() ([][]byte, error)
}
