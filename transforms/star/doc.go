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
// Surrogate keys are a sequence from 1 for each dimension, assigned in the order
// in which members are first seen (in an epoch, those of late changes last), or
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
// backlog is the list of rows whose facts are not all made. While all sources are
// bounded, a fact that was never emitted is deferred until all of its lookups are
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
// of lookup tables by their keys; facts by grain. The row of a lookup table has its
// postings, the facts that refer to it: the reverse index by which a change of the row
// finds them. Those of a row that many facts refer to are spread over shards, by the
// facts' hashes, so that adding one writes a small piece. A fact has the values that
// it uses of its base row, and the row that was emitted last, so that only what
// differs is emitted.
//
// # An epoch
//
// While the log is read, the newest of all that is brought to a member is kept
// (memberUpdate); what late changes bring, which may turn out to be dead letters, is
// kept as it comes. The end of an epoch takes this in phases, each one sorted pass
// over a keyspace: members with what was brought to them, and their tracked rows;
// changed rows of lookup tables; facts of the changed base rows and of the backlog;
// the lookups of these facts, in the order of their chain; their members; then what
// has changed is emitted and written. Loops over many entries read ahead (prefetch.go).
//
// # Files
//
// New compiles a Star, Star.Open opens its operator; operator.Log and operator.Settled take
// the rows of an epoch, and operator.Finish makes the star's rows of them.
//
//   - config.go, compile.go, compile_fact.go, definition.go, layout.go: from the
//     pipeline file to a Star, and which columns the state has;
//   - operator.go: an epoch from its changes to its end;
//   - members.go, member_state.go, attributes.go, member_updates.go, key_cache.go:
//     members, what the log brings to them, and their surrogate keys;
//   - tracked_rows.go, memberships.go: which rows have a natural key, and when they left;
//   - lookups.go, postings.go: rows of lookup tables and the facts that refer to them;
//   - facts.go, fact_lookups.go, fact_members.go, fact_rows.go, fact_state.go: facts
//     from the marked ones to their rows;
//   - backlog.go, backlog_state.go: which facts are made in which epoch;
//   - output.go: the rows of the star.
package star
