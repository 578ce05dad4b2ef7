// Package load is the data path of COPY and UNLOAD: it reads objects of S3 and gives rows
// as PostgreSQL's COPY takes them, and it writes rows to objects. It knows no SQL: what to
// do is said by CopyOptions and UnloadOptions, which are checked already.
//
// A COPY goes
//
//	prefix or manifest ─► objects ─► file's format ─► rows of fields ─► values ─► COPY text
//	      object, manifest             textfile, parquetfile             convert
//
// one object after the other, with a buffer of some rows: of a Parquet file one page a
// column. A row is written when all of its values were taken, so what the caller hands on
// to PostgreSQL is never refused there for its form.
//
// Failures are of three kinds. What is wrong with a row of a text file is a LoadError; it
// is gathered until there are as many as MAXERROR says, and then the load fails with a
// reference to them (dg/r_STL_LOAD_ERRORS). What is wrong with a Parquet file fails the
// load at once, with a Spectrum error that says what it is. Everything else, such as a
// missing object, fails it too, in the words of the service. All three are *pgconn.PgError.
// What this package does not do it refuses by name with SQLSTATE 0A000.
package load
