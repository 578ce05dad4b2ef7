// Package warehouse is the protocol by which settled rows get into the tables of
// a database exactly once. [Sink] is the protocol; [Database] and [Tx] are what it
// needs of a database; [SQL] is what all transactions in SQL have in common. A
// sink's package is a [Dialect], a Database, and a writer for its spool, which
// it hands over as a [Config].
//
// # Opening
//
// One transaction (Sink.prepareTables) makes the schema and the sinks' own tables, compares
// the token with the checkpoint, compares the tables with those that the sink owns (claims),
// makes or extends them, and records the owner of new ones. Check does the same in a
// transaction that is rolled back.
//
// # An epoch
//
//  1. Write puts settled rows into the spool, by the writer of the dialect, which
//     refuses what the database would refuse. Prepare makes the spool durable; the
//     committable lists what each file holds (StagedTable). Where an epoch has few rows
//     and the dialect's writers are FilelessWriters, no file is made: the rows go with the
//     committable, and are durable by the sync that saves it.
//  2. Sink.Commit is one transaction: it locks the token and reads it. An epoch that was
//     applied already changes nothing (I5). Else it applies each table's rows, first
//     what goes and then what comes, holds every count against the committable, and
//     records the epoch: in the token, one row of TokensTable that is updated in place, and by a
//     row of the audit table. Where the database takes that (Publisher), all of a small epoch goes in one
//     request, and its COMMIT in another: the token is held against the epoch before as it is updated. Only
//     the first commit of an opening, or behind an error, goes step by step.
//
// A commit goes by the committable and the spool alone: the pipeline file may have
// changed since they were written.
//
// # Gathering
//
// Where a commit is dear, several epochs are published as one ([Gather]). Rows
// then wait in the spools of their epochs, as Arrow blocks; the committable says
// which epochs these are (SinkState, RetainEpochs) and how long they may wait
// (FlushBy). The epoch that publishes folds them: a key gets the one change that
// leads from the table before the first epoch to the table after the last. What it
// folds is written to its own spool by the dialect's writer, so a commit does not
// know that it was gathered. The token is the last epoch, and the one that is
// expected is that before the first.
//
// # Rows that the database refuses
//
// Others may put constraints and triggers on a table. Where the dialect says how
// to tell such an error (Refusals), the refused rows are found by bisection in a
// transaction that is rolled back (Sink.findRefused), and named by a
// *pipeline.RefusedError, of which the engine makes dead letters; the next commit
// leaves them out. From then on the table is not in all rows as the state
// says: the rows in question are in RefusedTable, written in the transaction with
// the token, and what comes for them later is applied accordingly.
package warehouse
