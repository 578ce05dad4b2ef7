// Package reference joins rows to a reference: a table in a file, which may be
// replaced at any moment. New compiles a Join, whose mappers look rows up in a snapshot; its
// watcher polls the file, and a snapshotBuilder reads it.
//
// # The join
//
// A row finds the one row of the reference that has the values of on in its key,
// and gets the chosen columns of it. Without one, a left join leaves the columns
// null and an inner join leaves the row out. A null matches nothing. Deletes
// always pass. A reference with a repeated key is no reference: it is refused as
// a whole, for which of the two rows would be meant is not to be guessed. Its
// rows with a null in the key match nothing and are let be.
//
// # The file
//
// The file is read whole: CSV with a header, JSON objects one a line, or Parquet.
// Each column has the type that the pipeline file gives it, string where it says
// nothing; a value that does not fit makes the whole file no reference, and the
// message names the line and column. In CSV an empty field is null.
//
// The file is polled once every refresh. When it has changed it is loaded beside the version
// in use, which is then replaced at once; when loading fails, the last valid version stays. A
// file is loaded only when it has not been written to for a second, and has not changed while
// it was read, so that a file that is half written never replaces a whole one. (A writer that
// pauses for longer has to write another file and rename it.)
//
// # Versions
//
// A version is the time at which the file was last changed, in µs since 1970, or
// one more than the version before it where that is not less. The engine pins
// each epoch to one version, and gives the epoch that version again when it has
// to be tried again in the same process (I6). Where a process dies, the epoch that
// it had not saved is made with the version that the next one loads; what was
// saved is not made again. A changed reference does not touch rows that were
// given out already. The column that version_column names says, in each row,
// which version it was joined to.
package reference
