// Package filter lets rows pass, or changes, that match.
//
// # Rows
//
// A row passes where its columns match a pattern (package pattern) and an
// expression (package expression). To the pattern a null is NULL, a date is
// 2006-01-02, a timestamp RFC 3339 in UTC. In a log, deletes pass, and a change
// whose old image yields rows, but whose new image does not or only such as do
// not match, deletes them. Without an old image a log has no such deletes:
// settled rows have, for the settle step is behind the filter and knows which
// rows an item had.
package filter
