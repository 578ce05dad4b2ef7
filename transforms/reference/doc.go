// Package reference joins rows to a reference: a table beside the pipeline, which may change at any
// moment. New compiles a Join, whose mappers look rows up in a snapshot; its watcher polls
// the source, which makes snapshots by a snapshotBuilder.
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
// # Sources
//
// A source reads the whole of a reference: a file (CSV with a header, JSON objects one a line, or
// Parquet), a DynamoDB table, which it scans, or the result of a query. Each column has the
// type that the pipeline file gives it, string where it says nothing; a value that does not
// fit makes the whole reference none, and the message names its place. In CSV an empty field is null.
//
// The source is polled once every refresh. What it reads is built beside the version in use, which
// is then replaced at once; when reading fails, or breaks off half-way, the last valid version
// stays. A file is read only when it has not been written to for a second, and has not
// changed while it was read, so that a file that is half written never replaces a whole one. (A
// writer that pauses for longer has to write another file and rename it.)
//
// # Versions
//
// A version of a file is the time at which it was last changed, in µs since 1970. A table and a query
// tell no such time: their version is when the reading began that found something else than the
// one before; equal rows, in whatever order, are no new version. It is one more than the version
// before it where it is not greater. The engine pins each epoch to one version, and gives the
// epoch that version again when it has to be tried again in the same process (I6). Where a process
// dies, the epoch that it had not saved is made with the version that the next one loads; what was
// saved is not made again. A changed reference does not touch rows that were
// given out already. The column that version_column names says, in each row,
// which version it was joined to.
package reference
