// Package filter lets rows pass that match (Filter), or changes whose items match (Changes).
//
// # Rows
//
// A row passes where its columns match a pattern (package pattern) and an
// expression (package expression). To the pattern a null is NULL, a date is
// 2006-01-02, a timestamp RFC 3339 in UTC, a list matches by its elements. A test that no
// value of a column's type passes is a mistake. In a log, deletes pass, and a change
// whose old image yields rows, but whose new image does not or only such as do
// not match, deletes them. Without an old image a log has no such deletes:
// settled rows have, for the settle step is behind the filter and knows which
// rows an item had.
//
// # Changes
//
// A change passes where its new image matches a pattern, as in the where of an
// unnest table, $meta and $expr included. One of which $expr can't be computed is a dead letter,
// unless on_error says otherwise; a removal passes then. One that does not match goes on as if it had
// removed its item: an item that no longer matches is gone for what is behind the
// filter, and one that never did is not there to be removed. It is never
// unmatched. Removals always pass.
package filter
