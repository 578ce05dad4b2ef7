// Package duckdb keeps settled tables in a DuckDB file.
//
// The protocol is that of package warehouse. An epoch's rows are spooled as Parquet,
// one file a table, with each row's operation; a commit reads these files. It takes
// the keys of updated and deleted rows out of each table, and puts the inserted and
// updated rows in. Where a table has columns besides the pipeline's, rows are updated
// in place, so that those keep their values. Tables have no primary key and no index:
// rows arrive settled, and an index would make every insert slower.
//
// Nobody else can open the file meanwhile: DuckDB locks it. So the token needs no
// lock of its own.
//
// What is committed is in DuckDB's log until a checkpoint compresses it: when the log has
// 64 MB, and when the file is closed. The checkpoint also merges row groups that are not full,
// unless epochs are large and take few rows out.
//
// A commit takes buffers for each column, however few its rows are, and for values as
// large as they are. What DuckDB may take is sized by the columns; a commit that
// finds too little is tried again with one thread, and with more memory where the
// pipeline file does not limit it.
//
// DuckDB is a C++ library: without cgo, New returns an error.
package duckdb
