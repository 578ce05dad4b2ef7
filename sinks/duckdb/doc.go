// Package duckdb keeps settled tables in a DuckDB file.
//
// An epoch's rows are spooled as Parquet, one file a table, with each row's
// operation. A commit is one transaction: it reads the token, takes the keys of
// updated and deleted rows out of each table, puts the inserted and updated
// rows in, both set-based from the spooled file, and writes the token. Where a
// table has columns besides the pipeline's, rows are updated in place, so that
// those keep their values. Tables have no primary key and no index: rows arrive
// settled, and an index would make every insert slower.
//
// A commit goes by the committable and the spool alone, so that an epoch saved
// before a crash is applied though the pipeline file was changed meanwhile.
//
// The token is the last row of the pipeline, state folder and sink in
// starlift_epochs, which is the audit table for people as well. A token that is
// neither the epoch's own nor that of the one before is refused (TokenError).
//
// Tables are made when they are missing. Columns that a table lacks are added;
// columns that it has besides stay, null in new rows; nothing is dropped.
//
// A commit takes buffers for each column, however few its rows are, and for values as
// large as they are. What DuckDB may take is sized by the columns; a commit that
// finds too little is tried again with one thread, and with more memory where the
// pipeline file does not limit it.
//
// DuckDB is a C++ library: without cgo, New returns an error.
package duckdb
