// Package parquetfile reads Parquet files as the columnar scan of Redshift does, and writes
// them as UNLOAD does.
//
// What Redshift's scan accepts is less than what Parquet allows, and a library that reads
// all of Parquet would hide that. So a Reader judges first, by the footer and by the header
// of every page: the number of columns, each column's physical type, its annotation and its
// length, codecs, encodings and the version of pages. The rules are those that public
// evidence has; where there is none, what is not known to load is refused. Only then the
// values are read, by parquet-go, one page a column at a time.
//
// The scan's messages are known to be Impala's, so its words are used where no report shows
// Redshift's.
package parquetfile
