// Package star builds a star schema from the rows of typed tables: dimensions
// with surrogate keys, a calendar, and facts that find their members through
// other tables, whichever arrives first.
//
// # Dimensions
//
// A dimension reads the log of its table. Each upsert with a natural key that
// has no null makes a member, with a surrogate key that never changes. The
// attributes are those of the upsert with the highest version ever seen,
// whichever item brought it: the newest by time, at equal times that of the
// greater item key, and of one item the newest as pipeline.Newest has it; of
// several rows in one change, the last. Later deletes do not revert them.
//
// Surrogate keys are a sequence from 1 for each dimension, in the order of epochs and, of
// the new members of one, in that of the hashes of their natural keys; or
// 63 bits of a hash of the dimension's name and the natural key. Key 0 is the
// unknown member, a row of nulls. A fact that refers to a member that no item has
// brought yet infers the member, which has its natural key only; it is completed
// when the item arrives, and stays otherwise.
//
// # Facts
//
// A fact is a row of its base table, settled as merge and on_delete say. Its
// lookups are rows of other tables, found by their keys; a key may come from the
// base row or from an earlier lookup. Foreign keys refer to the members whose
// natural keys are values of the base row and the lookups; measures are such
// values or computed from them. Where a lookup's row is not there, its values are
// null; a null in a natural key, and a date outside of the calendar, make key 0.
//
// A fact is made again when its base row, or a column that it uses of a lookup's
// row, changes, once an epoch. Very many facts may refer to one row: an epoch makes
// a bounded number of them, and further epochs, which need no input, the others. The
// backlog is the rows whose facts are not all made; epochs take them in turn, by their hashes.
// While all sources are bounded, a fact that was never emitted is deferred until all of its lookups are
// there, or the sources have ended: otherwise most would be inserted first and
// updated later. (Kimball calls these early-arriving facts.)
//
// # Deletes
//
// on_delete of a fact is that of its base row. A fact that is flagged or kept goes
// on following its lookups. on_delete of a dimension follows the rows of its table
// that have the natural key: keep, the usual one, ignores deletes; flag says when
// there is no such row any longer; delete takes the member away, but while facts
// refer to it an inferred member stays in its place, so facts are counted
// (memberState.refCount).
//
// Rows that are followed so are tracked rows. When a row left a flagged member
// depends on all changes that there were, and on no order (trackedRow.departures).
//
// # State
//
// Three keyspaces: members by dimension and natural key, with the tracked rows; rows
// of lookup tables by their keys; facts by grain. What there is of one row, as a row that is
// looked up, a fact and a tracked row, lies under the hash of its key, mixed with what it is of:
// so it is in one key group. The row of a lookup table has its
// postings, the facts that refer to it: the reverse index by which a change of the row
// finds them. Those of a row that many facts refer to are spread over shards, by the
// facts' hashes, so that adding one writes a small piece. A fact has the values that
// it uses of its base row, and the row that was emitted last, so that only what
// differs is emitted. The backlog lies in the key groups of its rows.
//
// # An epoch
//
// While an epoch is read, what came is only gathered. Its end goes through phases (epoch.go has
// them all, in their order). Each runs on parts, ranges of key groups, side by side; a part has
// the members, tracked rows, rows of lookup tables and facts of its key groups, and says by
// messages what it wants of those of others:
//
//	log          each part some of the log       newest upserts → members, natural keys → tracked rows
//	rows         settled rows                    tracked rows → members; changed rows of lookups join the backlog
//	backlog      rows of the backlog             marks, with the row if it is short → facts
//	facts        base rows and marks: the facts that are made
//	for each lookup of the chain:
//	  ask rows     facts                         questions, which fact refers to which row → rows
//	  answer rows  rows of lookups               the row → facts
//	ask members  facts                           questions, references that are counted → members
//	members      all that was said to members    keys of those that are there → facts
//	             (new members are counted, and parts told where their numbers begin)
//	keys         new members get keys; members are emitted and written; keys → facts
//	emit         facts are emitted and written, and rows of lookups with their postings
//
// A part asks once for each row that no mark has brought, and for each member whose surrogate key its cache does not
// have. It gets its messages sorted, unless they are answers, goes through its entries in the order
// of their hashes, and the parts' rows are emitted in the order of the parts: so nothing depends on
// how many parts there are. A small epoch is one part, on the caller's goroutine.
//
// # Files
//
// New compiles a Star, Star.Open opens its operator; operator.Log and operator.Settled gather
// an epoch, and operator.Finish makes the star's rows of it.
//
//   - config.go, compile.go, compile_fact.go, definition.go, layout.go: from the
//     pipeline file to a Star, and which columns the state has;
//   - operator.go, epoch.go, part.go: an epoch, its phases, and what a part is;
//   - scratch.go, read_ahead.go: memory of a goroutine that runs a phase, and how long loops
//     wait for many rows at a time;
//   - messages.go: what parts say to each other;
//   - log_packer.go, log_part.go: the log, from the workers to members;
//   - members.go, member_state.go, attributes.go, key_cache.go: members and their surrogate
//     keys (memberPart);
//   - tracked_rows.go, memberships.go: which rows have a natural key, and when they left
//     (trackedPart);
//   - lookups.go, postings.go, backlog.go: rows of lookup tables, the facts that refer to
//     them, and which of these are made in which epoch (lookupPart);
//   - facts.go, fact_members.go, fact_rows.go, fact_state.go: facts from the marked ones to
//     their rows (factPart);
//   - output.go: the rows of the star.
package star
