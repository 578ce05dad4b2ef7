// Package columnar writes Arrow records to Parquet files, column by column.
//
// Pages are made straight from Arrow's buffers, with parquet-go's metadata,
// level encoding and codecs underneath: Arrow's validity bitmap is Parquet's
// bit-packed definition level of a flat optional column, and a fixed-width
// column without nulls is its own PLAIN page. parquet-go's column writers would
// copy each value into a 24-byte [parquet.Value] first.
//
// An [Encoder] turns records into one [RowGroup], whose bytes do not depend on
// where they will stand. So a row group can be spooled now and copied into a
// file later, without being decoded ([File.Copy]). Rows that are too few for a
// row group of their own are kept as Arrow IPC blocks ([AppendBlock]).
//
// Files use what every reader knows: data pages of version 1, PLAIN and
// RLE_DICTIONARY, optional flat columns, and lists of three levels, in the declared order, converted and
// logical types, one codec for the whole file. Where readers differ, a [Profile]
// says for whom the file is. Decimals that are stored as bytes have no minimum and maximum.
package columnar
