// Package redshift keeps settled tables in an Amazon Redshift database, a cluster's or a
// workgroup's.
//
// The protocol is that of package warehouse, with gathering: Redshift loads many rows about
// as fast as one, so the epochs of an interval are folded and published as one flush. An
// interval without rows sends no statement.
//
// # A flush
//
//  1. Spooled files of the epoch are put on the stage, a folder of S3, with a manifest for
//     each table ([loader]). Nothing is locked meanwhile.
//  2. BEGIN, and LOCK of the sink's own token table: it stops whoever else would write as
//     this sink, and no reader, since it is ACCESS EXCLUSIVE of a table that nobody reads.
//     It comes first because it takes no snapshot: what is read behind it is what the last
//     holder has left. A target or the audit table is never locked.
//  3. The token is read: an epoch that was applied already changes nothing. It has a table of its
//     own, made when the sink is opened, before the transaction of the opening; the audit table
//     is written and never read, since under SERIALIZABLE those who do both abort each other.
//  4. For each table, dimensions before facts: a temporary stage table LIKE the target, COPY of
//     the manifest into it, the count held against the spool, DELETE … USING for what goes
//     and is replaced, INSERT … SELECT for what comes, the stage table dropped. MERGE is of no
//     use: it takes one WHEN MATCHED without conditions, and no deletes.
//  5. The token is written, then the row of the audit table, whose lock is thus held for a
//     moment only; COMMIT.
//  6. Files are removed from the stage when the token is safe; what a crash leaves there is
//     found at the next opening.
//
// Keys are not enforced. Where rows are updated or deleted, DELETE takes the keys of all rows that
// come, so that one that is there already, or is there twice, shows in its count. A flush that only
// inserts is not checked for that: it would have to read the table.
//
// DDL on targets is only done when the sink is opened. An opening locks the table of owners as well,
// which only openings read: of two that want one table, one gets it. Sources: LOCK, BEGIN, COPY, DELETE and
// "Managing concurrent write operations" of the Amazon Redshift Database Developer Guide.
package redshift
