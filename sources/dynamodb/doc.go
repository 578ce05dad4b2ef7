// Package dynamodb reads a DynamoDB table: a snapshot of it, an export or a scan, and its stream,
// Kinesis or DynamoDB Streams, from before the snapshot on and for ever.
//
// [Source] is made of two sources, which know nothing of each other: one of the stream, and one of
// the snapshot, which ends. Their partitions are its own, with stream/ or snapshot/ before their
// names, and their records are handed over as they come.
//
// # Hand-off
//
//	stream opened → its start is saved → snapshot fixed → read → committed → forgotten
//	      └──────────── read at once, all the while, and for ever ─────────────────────→
//
// The stream's start is saved, with the phase that says so, before an export is asked for or a scan
// begun: in one epoch, so that there is never one without the other. Nothing of the snapshot
// begins before Committed has told that it is. The snapshot's items have a version that is five
// minutes before its time, so that any later change wins, whichever is read first.
//
// An export, found or asked for, is taken only if that version is not before the time since which the
// stream has all changes (pipeline.StartReporter); else changes would be in neither. So where
// the stream has just begun, the export is asked for five minutes later. A scan needs no such rule:
// what it reads has all changes before the scan began, and the stream has all since.
//
// Until the snapshot is committed, pipeline.Progress.Unread says that something was not read. So no
// retention horizon moves, and a deletion that the stream has brought is remembered until the
// item has come out of the snapshot: also across restarts, and when the stream is quiet.
//
// # Phase
//
// The phase is a partition of the source's own, whose cursor is what has been decided: a pass
// for the bootstrap, and one for a repair. What follows from the pass alone is done when it
// is saved, and not before:
//
//	the stream's start, and what was found        → an export is asked for, or the snapshot opened
//	the request for an export (its id)            → DynamoDB is asked; the same request, as often as needed
//	the export's ARN                              → it is waited for
//	the export's folder and time                  → it is read
//	the end, with the snapshot's cursors dropped  → nothing holds tombstones any longer
//
// A process that is killed anywhere goes on behind what is saved, and asks for nothing twice.
// While a bootstrap is not done, another kind of bootstrap is refused, and so is another table of the
// same name; later neither matters.
//
// # Repair
//
// After a gap a second pass does the same again (WithRepair, backfill --repair): it accepts the
// gap, and reads an export which is new enough for the place where the stream goes on. When all of
// it is committed, the items are removed that it does not have and that nothing newer is known of
// (pipeline.SnapshotEnd), a part of the table at a time, each of which is saved. A repair that was
// interrupted is gone on with by backfill --repair, and by run.
package dynamodb
