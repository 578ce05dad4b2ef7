// Package dynamodbexport reads exports of a DynamoDB table on S3, asks DynamoDB for them, and
// follows a table by incremental exports on a schedule.
//
// Reading them is package file's (dynamodb_export): manifests, checksums, their order in time. What
// is here is where they come from. There are three sources of one [Config]:
//
//   - Source reads what is below the url, to its end;
//   - requestSource asks for a full export, waits for it, and reads it: backfill --request-export;
//   - IncrementalSource (every) never ends: it reads a full export, then asks for an incremental
//     one of each window, waits for it, and reads it.
//
// # One thing after the other
//
// The last two are a sequence: one goroutine that saves, asks, waits and reads. What it is about is a
// cursor of the source's own, beside those of the data files:
//
//	request is saved → DynamoDB is asked → the ARN is saved → it is COMPLETED → its files are read
//	                                                    → the end of the window is saved, and the files' cursors go
//
// To be saved is to be committed (Records.SaveNow, Committed), so a process that is killed anywhere
// goes on there. Between the first save and the second the export is looked for before it is asked for
// (package exportrequest). The end of a window is saved behind its records, in one
// checkpoint with the end of the cursors of its files: so nothing is read twice, nothing is
// left out, and the cursors of two exports are never there together.
//
// # Windows
//
// A window begins where the one before has ended; the first one at the time of the full export, neither
// later nor earlier: of an item that is made and deleted within a window its export says nothing, so if the
// full export had it, it would stay. It is as long as every says, or, where more than that is
// to be caught up on, a multiple of it up to 24 hours. An export is asked for when its window
// can be restored, as DescribeContinuousBackups says it, some five minutes after its end.
//
// Where the begin of a window can't be restored any longer, since point-in-time recovery was off, or
// the pipeline was, for longer than it reaches, changes are lost: a gap, which is saved, and which
// --accept-gap accepts.
//
// # Failures
//
// What lasts, as a missing right or an export that has failed, ends a backfill. The source without end
// stays up: it says so (Report), is not ready, and tries again, seldom. A bad file ends both.
//
// # Retention of tombstones
//
// The records of an export come in no order of time. So from when one is to be read until its end is
// saved the source says that it has partitions of which nothing is read (Progress.Unread).
package dynamodbexport
