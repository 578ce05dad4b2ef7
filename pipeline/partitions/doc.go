// Package partitions makes a pipeline.Source of a pipeline.PartitionSource: it reads
// partitions side by side that appear and end while it runs.
//
// # Life of a partition
//
//	found → its start is saved → its parents have ended → read, again and again → ended → forgotten
//	                                                          ↓
//	                                                         gap → accepted, and read on
//
// Found: Discover lists it, the end of its parent names it, or a cursor is saved of it. Its
// first cursor is saved, read or not: one that is gone later though it was never read is a gap.
//
// Saved: where it begins at a place that can't be found again (Partition.Start), nothing is
// asked for before Committed tells that the place is durable. So a process that is killed
// between its first start and its first record begins at the same place again.
//
// Waits for its parents, all that are known and have not ended (I4). A parent that was never seen
// is none to wait for, once a discovery has not listed it that began after the child was named. The
// ordinals of its records go on above those of its parents.
//
// Read: it stands in the schedule by the time at which it is to be read next; one read of it is
// in flight at a time, which keeps its order. What a read brings is handed over; a time up to
// which the partition is known to be read (ReadUntil) is saved with the records; where there are
// none, soon after an opening and once a minute.
//
// Ended: that is its last cursor, so that its children go on after a restart. It is
// forgotten when a discovery that began after the end does not list it any longer
// and its children are being read. So what upstream still lists is never taken for new, and
// the number of cursors is bounded by what upstream keeps.
//
// # Failures
//
// A partition that can't be read fails by itself; others go on. What is Retryable is tried again
// after a back-off with jitter (100 ms to 5 s), and keeps the pipeline from being ready when it has
// failed for 30 seconds. Anything else, as missing rights or a key that is disabled, does so at
// once, and is tried again every 15 seconds: the process stays up and goes on when it is
// mended. The same holds for discoveries. Only a bounded source ends with such an error,
// and a start: what Connect or the first Discover returns and is not Retryable ends it, and
// what is Retryable does after two minutes. What a PartitionSource does against its contract
// ends the run.
//
// # Gaps
//
// Records that are gone before they were read are a gap. It is saved in the partition's cursor,
// with the time span that is lost. With on_gap: fail, Read returns it when Committed tells
// that it is saved, and so all that was read before; Open returns it before it connects, as
// long as nobody accepts it. With on_gap: wait, the partition and its children wait, and the
// others are read. A bounded source ends with it at once.
//
// SourceOptions.AcceptGap accepts the gaps that are saved, and those that are found before
// anything was read at a saved cursor: the partition is read on behind them. The cursor keeps
// them for status, and is kept for 30 days for that.
//
// # Who does what
//
// One goroutine, dispatcher.run, owns all partitions and what is known of them. Each read is a
// goroutine (dispatcher.read), which ends with its result. Reads are bounded by their number,
// but for those that have hung for a second, so that these starve no others; and by the
// memory of all that is read, being read, or handed over and not freed (memory). Each gets a
// share of it as its allowance. While much waits to be handed over, none begins (outbox.full). Nothing is done for a partition that is not to be read now, so
// thousands of quiet ones cost their requests only. [Source] is what the engine sees of all this.
package partitions
