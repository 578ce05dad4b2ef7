// Package parquet is the sink that writes Parquet files to a folder, on a disk or on S3.
//
// # Layout
//
//	<url>/<table>/[partition=value/…]<pipeline>-<sink>-<state id>-<first epoch>-<last epoch>-<part>.parquet
//
// A file's name depends on what is in it, never on the attempt that wrote it. The url
// is a store of objects (package blob).
//
// # Segments and files
//
// The rows of an epoch go to segments, one per table. As soon as
// there are enough rows of one partition for a row group of their own, they are
// encoded, once and for good; what is left at the end of the epoch waits as
// Arrow IPC. A segment is a row of such extents. It is pending until those of all
// epochs since the last publication reach roll.size or roll.age, or the sources
// end: then Prepare writes the files to the epoch's spool. Row groups are copied as
// they are, the rest is encoded. One file is open at a time for each table being written, however
// many partitions there are.
//
// A small segment makes no file: it goes with the committable, and is kept in memory. When many
// are pending they are folded into a file of Arrow blocks, and many of those into one of row
// groups (gatherLimits). So a row is written three times at most before it is published, and an
// epoch that publishes thousands has as little to encode as one that publishes some.
//
// Spooling all rows as Arrow first would cost more than encoding them.
//
// # Exactly once
//
// Prepare leaves synced files in the spool, and the committable lists them with what
// they hold: the size and, where they go over a network, the checksum that was taken while
// they were written. Commit uploads them, several at a time, which is a rename where that
// can be: a file is in the spool, or it is published with this content, or both (I5). What
// has another content under our name is refused. A file that is published is noted in the
// spool, and not looked at again: it may have been deleted since.
//
// A sink publishes nothing of an epoch before all files of the one before are there, so
// those below the greatest last epoch in its names are a consistent cut (docs/lake.md).
//
// Open removes what a crash left of uploads, and refuses a folder that holds files of
// this state which are newer than the state. Older versions prepared files beside their
// final names, as .<name>.tmp: those that a committable names are published.
//
// # Reading the code
//
// A row goes through epoch.Write, withMetadata, tableSpool, byPartition and segmentWriter. A
// file is written by epoch.Prepare and fileWriter, and published by Sink.Commit, which notes
// it in publishedFile. Sink.Open
// compares the folders with their owners (claims); Sink.Reset removes what is the pipeline's.
package parquet
