// Package parquet is the sink that writes Parquet files to a folder.
//
// # Layout
//
//	<url>/<table>/[partition=value/…]<pipeline>-<sink>-<state id>-<first epoch>-<last epoch>-<part>.parquet
//
// A file's name depends on what is in it, never on the attempt that wrote it.
// Until it is committed it is called .<name>.tmp.
//
// # Gathering
//
// The rows of an epoch go to segments in its spool, one per table. As soon as
// there are enough rows of one partition for a row group of their own, they are
// encoded, once and for good; what is left at the end of the epoch waits as
// Arrow IPC. A segment is a row of such pieces. When the gathered epochs reach
// roll.size or roll.age, or the sources end, Prepare writes the files under
// their temporary names: row groups are copied as they are, the rest is
// encoded. One file is open at a time for each table being written, however
// many partitions there are.
//
// Spooling all rows as Arrow first would cost more than encoding them.
//
// # Exactly once
//
// Prepare leaves synced files under temporary names, and the committable lists
// them. Commit renames them: a file is either still temporary, or final with
// the committable's size (I5). Open removes temporary files that no committable names,
// and refuses a folder that holds files of this state which are newer than the
// state.
package parquet
