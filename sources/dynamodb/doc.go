// Package dynamodb reads a DynamoDB table: a snapshot of it, an export or a scan, and its stream,
// Kinesis or DynamoDB Streams, from before the snapshot on and for ever.
//
// # Hand-off
//
// The stream's start is fixed, and saved, before a snapshot is begun; it is read at once and all the
// while. The snapshot's items have a version that is five minutes before its time, so that any
// later change wins whichever is read first. Until it is read to its end the source holds the
// retention of tombstones: a deletion of the meantime is never forgotten before the item that it deletes
// comes out of the snapshot. An export is taken only if the stream has all changes since then.
//
// The phase is a cursor of the source's own, beside those of the stream's partitions and of the snapshot's, saved
// with the epochs: so a crash at any point goes on where it was, and never asks for the
// same export twice.
//
// # Repair
//
// After a gap the same is done again, from the oldest record that is left; and when the export
// is read, items of which it has none, and nothing newer is known, are removed (pipeline.SnapshotEnd).
package dynamodb
