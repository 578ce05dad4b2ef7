// Package locks is Redshift's concurrency: which statements wait for which, which deadlock, and which
// transactions are refused because their concurrent run equals no serial one. It knows tables and
// transactions, but no SQL and no rows.
//
// # Locks
//
// A statement locks the tables it uses before it runs, and a transaction keeps its locks to its end. Redshift
// has three modes: ACCESS SHARE of those that read, SHARE ROW EXCLUSIVE of those that write, ACCESS EXCLUSIVE
// of LOCK, DDL and TRUNCATE (AWS, "How do I find and release locks in Amazon Redshift"; dg/r_LOCK). Requests
// for a table are granted first come, first served: who waits for ACCESS EXCLUSIVE holds back readers that
// come later. A request that closes a cycle of waits is refused (40P01), unless another order of the queues
// resolves it, as where a transaction that has a lock of the table asks for more of it, behind those that wait
// for that lock.
//
// Under SNAPSHOT, COPY and INSERT first share a lock with each other, and then write one after the other. The
// two modes for that (RowExclusive, AppendExclusive) make what dg/c_write_readwrite ("Potential deadlock
// situation … involving a single table") and dg/r_Serializable_isolation_example ("Concurrent write examples
// with snapshot isolation") describe: a second INSERT waits for the first one's transaction, and if that one
// then wants to UPDATE, DELETE or MERGE, both are in a deadlock.
//
// # Snapshots
//
// A transaction's snapshot is taken by its first statement that uses a table, other than LOCK, and after that
// statement's locks were granted: so the second of two DELETEs, which waited, sees what the first has done
// (dg/c_write_readwrite). Snapshots and commits exclude each other here, and take the ones of the database
// behind along, so that both agree on who saw whom.
//
// # Isolation
//
// What is refused belongs to three:
//
//   - SERIALIZABLE is this package's alone. It keeps a graph of the transactions: an edge from one to another
//     says that it has to come before it in a serial order, since it read a table before the other's write of
//     it (the other is not in its snapshot), or the other read or changed what it had written. INSERT and COPY
//     read nothing of their target, and the order of two of them does not matter. The statement that closes a
//     cycle is refused with 1023 (dg/c_serial_isolation); COMMIT never is, since it adds no edge.
//   - SNAPSHOT allows what changes different rows. Two that change the same row are told apart by the rows, so
//     by the database behind: it must keep snapshots (PostgreSQL's REPEATABLE READ), and its 40001 becomes
//     what Txn.RowConflict gives.
//   - Both levels: a table that was created after the snapshot cannot be used (1018,
//     dg/c_serial_isolation-serializable-isolation-troubleshooting), and one that was dropped while a
//     statement waited for its lock, or between the look-up of its name and its lock, is a conflict with a
//     concurrent transaction. A name that is looked up after the DROP is unknown (42P01), and that is the
//     catalog's to say: catalogs are read as they are committed, not by snapshots (dg/c_serial_isolation).
//
// # Memory
//
// Only transactions that may still be part of a cycle are kept: those that run, those that committed after the
// snapshot of one that runs, and those that a kept one has to come before. The last are few: a kept
// transaction that has to come before another must not use what that one wrote, or a cycle would close.
package locks
