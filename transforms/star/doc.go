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
// Surrogate keys are a sequence from 1 for each dimension, given in the order in
// which members are first seen (in an epoch, those of late changes last), or 63
// bits of a hash of the dimension's name and the natural key. Key 0 is the unknown member, a row of nulls. A fact that
// refers to a member that no item has brought yet makes an inferred member,
// which has its natural key only; it is completed when the item arrives, and
// stays otherwise.
//
// # Facts
//
// A fact is a row of its base table, settled as merge and on_delete say. Its
// lookups are rows of other tables, found by their keys; a key may come from the
// base row or from an earlier lookup. Members are found by values of the base
// row and the lookups, measures are such values or computed from them. Where a
// lookup's row is not there, its values are null; a null natural key, and a date
// outside of the calendar, give key 0.
//
// A fact is made again when its base row, or a column it uses of a lookup's row,
// changes, once an epoch. Very many facts may refer to one row, or wait: an epoch
// makes a bounded number, and further epochs, which need no input, the others.
// The state holds the rows whose facts are due. While all sources are
// bounded, a fact that was never given out waits until all of its lookups are
// there, or the sources have ended: otherwise most would be inserted first and
// updated later.
//
// # Deletes
//
// on_delete of a fact is that of its base row. A fact that is flagged or kept
// goes on following its lookups. on_delete of a dimension follows the rows of
// its table that have the natural key: keep, the usual one, ignores deletes;
// flag says when there is no such row any longer; delete takes the member away,
// but where a fact refers to it an inferred member stays in its place.
//
// # State
//
// Three keyspaces: members by dimension and natural key; rows of lookup tables
// by their keys, each with the hashes of the facts that refer to it; facts by
// grain. A fact holds the values it uses of its base row, and the row that was
// given out last, so that only what differs is given out again. The facts of a
// row that many refer to are spread over segments, by their hashes, so that
// adding one rewrites a small piece.
//
// While the log is read, of all rows that a member is offered the newest is kept;
// those of late changes, which may turn out to be dead letters, all are. The end
// of an epoch takes it in phases, each one sorted pass over a keyspace: members,
// with what they were offered; changed rows of lookup tables; facts of the changed
// base rows and of the changed lookup rows; the lookups of those facts, in the
// order of their chain; their members; then what has changed is written back.
package star
