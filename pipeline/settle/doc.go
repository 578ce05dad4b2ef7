// Package settle turns the log of a transform's rows into settled rows: per
// epoch at most one row per key, the current one, with the operation that
// leads from the last epoch to this one. It owns last-writer-wins and the other
// policies, and is the only place where versions are compared. Others call it
// changelog normalization, or upsert materialization (Flink).
//
// # Items
//
// The changes of an item are ordered by [pipeline.Version]. The state of an
// item is its newest change: version, and the rows of its image; an image
// without rows, as a deletion leaves it, is a tombstone. A change that is
// in the state has no effect; one that is older can at most change the image before.
//
// Inputs of one logical table may tell times in different units: all are cut to the
// coarsest so far ([LogicalTables.Cut]), which the checkpoint has, before they are
// compared. Versions in the state stay as they were kept.
//
// Changes with equal time are candidates: [pipeline.Newest] decides which one is the newest, by
// the whole set and the image before, so it does not matter where epochs are cut. Of
// candidates with sequence numbers, and of those of plain JSON, only the newest stays in the
// state. Of others all versions do, since each is an edge of the walk that decides, and may
// be delivered again; and the rows of those that may still win (itemPhase.findNewest).
//
// Several inputs of a table may bring one write, each in a way of its own (pipeline.Newest). Where a transform has
// several sources, what that takes is kept: the image before, which changes with sequence numbers alone do
// not need.
//
// The image before is that of the last change of an older time, which is kept with
// its images, since a change that comes late may precede or follow it. Where a time has
// several changes, the image after them may depend on the image before them; so the state
// goes back to a time after which the image is certain, at most four times (past).
//
// # Rows
//
// An item contributes the rows of its image; when its image changes, keys that
// it no longer yields lose its contribution. A key may get contributions from
// several items: its row is the one with the newest version, at equal times
// that of the greater item key.
//
// # Policies
//
// Every table is settled by last-writer-wins; a table may be settled by other policies
// besides ([PolicyTable]), each into rows of its own. A policy keeps a history of each
// item, its changes in the order of their versions, as far as they can be seen in rows,
// or would be if another one came late; and for each row key the contributions of the
// items. It says how a contribution follows from the history, and a row from the
// contributions:
//
//   - which row of the history counts: the newest, each column's newest that is not
//     null, or the first since the item's last removal, in which changes that do
//     not yield it are passed over;
//   - which change ended it: the one that does not yield the row any longer; of first
//     rows, the removal of the item. The contribution is dead then, and what becomes of the
//     row is its fate, by who removed the item: delete, flag or keep;
//   - whose contribution counts: the newest of those that are alive, of first rows the oldest;
//     without any, the one that died last. So a dead contribution of fate delete stays in
//     the state while it may be that one: as long as a tombstone.
//
// All this is a function of the set of changes, whatever order they came in, but for one
// thing: where rows stay only because their items expired (policyRules.releases), the row no
// longer belongs to its item, and a late change by which it would have gone earlier does not
// take it away. So that this does not depend on where epochs are cut, a history takes the
// changes one by one then.
// A history is bounded (historyChangesMax).
//
// # An epoch
//
// A [Settler] settles the tables of one transform. [Settler.Begin] takes the header of
// the epoch. Workers pack each batch ([Packer]): every change becomes one message to its
// item, which has all that settling needs of it, rows and the hashes of their keys
// included; messages to one key group lie together, where its part reads them. So the one
// goroutine that adds packets to the epoch ([Settler.Add]) looks at little: the ordinal of the
// first change, times, which may have been cut since, and the numbers of logical tables; from
// those follow watermarks, and which changes are late.
//
// [Settler.Settle] ends the epoch in phases (type epoch), which a pipeline.Runner runs over
// parts of the key groups, as many as the epoch's size is worth:
//
//	items             itemPhase settles each item by last-writer-wins, and then policyItems
//	                  by each policy, since those have to know which changes came too
//	                  late; what that does to row keys goes to the parts of those
//	rows, policies    rowPhase and policyRows apply it to the row keys, and find the rows
//	                  that change
//	fetch, resume     a row key with one contributor holds no row. Where another item
//	                  contributes, it asks the item (fetchPhase), and goes on when that has
//	                  answered; an epoch in which none asks does without
//	sweep             what is over is forgotten, a bounded number of entries an epoch
//
// A part gets its messages sorted, and those of one item or row key in the order in which
// the changes were read, since their ordinal comes first. So what comes out is the same for
// any number of parts and goroutines. Of what is used there are three kinds:
//
//   - common to all, and unchanged while phases run (type common): the schemas, the policies,
//     the numbers of the logical tables, and their retention horizons, which follow from the header;
//   - of a part (epochPart): what it has come to, and what is left to do when items have answered;
//   - of the goroutine that works on a part (scratch): memory, which the next part uses again.
//
// Settled rows have the hash of their key (packed.HashKey), and come part by part with
// ascending hashes. They share the memory of messages and of the state until [Settler.Release].
//
// # Snapshots
//
// The end of a snapshot ([pipeline.SnapshotEnd]) comes with the header of an epoch that has no
// changes. Each part looks through its items (missingFinder), and those that the snapshot
// does not have get a change like any other, a removal of the snapshot's time: so policies, late changes and
// tombstones need nothing more. Items of the snapshot that became dead letters are marked in
// the state until then, since they are in it.
//
// # State
//
// Two keyspaces, for last-writer-wins and for each policy, both keyed by 128-bit hashes:
// items, and row keys with the items that contribute. The state sees one lookup and one write
// for each item and key of an epoch, in the order of the hashes. An entry's first byte says
// what it is. What belongs to an entry lies in its key group: pages of long values and of trees,
// the contributions of a fan-in key. Keys with columns besides the table's key
// (PolicyTable.ExtraKey) lie in the key group of the row key without them.
//
// A key with one contributor, the usual case, holds only that item's hash, and the
// row's values are in the item alone. One with several holds a tree (pipeline/btree)
// of the items' ranks, by time and item key: the last is the one whose row counts. So a
// key that very many items feed costs a few small pages for each that comes or goes; the
// rows themselves are asked of two items at most.
//
// A policy's key holds the contributions themselves while they are few. Where they take
// more than inlineBytesMax bytes, it is a fan-in key: each is an entry of its own, and a
// tree has their ranks: of those that are alive, of the dead, and for latest_non_null of the
// values of each column. The first or last rank of each kind decides the row (fanIn).
//
// Of an item all is needed at once when it changes: its rows and the candidates, or its
// history. It is one value, in pages if it is long (pipeline/overflow), of which only
// those are written that have changed: an item of very many rows, or with very many
// changes at one instant, costs what has changed.
//
// # Lateness
//
// Tombstones are kept for a time, by the times of the changes that were read. The
// watermark of a partition of a source is the 64th greatest of them (watermark), so that
// a few that are wrong move nothing; that of a source without end is that of its
// partition furthest behind, among those that hold more than was read; a source that
// ends holds everything until it is read, and counts for nothing then (watermarks). None
// is far ahead of the wall time in the epoch's header. Each logical table goes by the
// sources that may bring changes of it: when an epoch begins, its retention horizon moves
// to the least of their watermarks less the time for which tombstones are kept, and never
// falls. What was removed before is forgotten, swept or not.
//
// A change from before the horizon of its table, of an item without state, may be older
// than a deletion that is forgotten; it becomes a dead letter. If a reading of its source
// before this one had read it, it had its effect then, and is only counted. Plain JSON
// has no watermark: what its version column says need not be the time of the change, so
// it holds the horizons of its tables for good.
package settle
