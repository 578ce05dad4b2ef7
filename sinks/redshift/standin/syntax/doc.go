// Package syntax reads Redshift's dialect of SQL: it makes trees of statements, and
// refuses what is not in Redshift's grammar.
//
// The grammar is that of the Database Developer Guide's SQL reference and, where the
// guide is silent, PostgreSQL 8.0's, of which Redshift's is a descendant. Nothing newer of
// PostgreSQL's is in it (RETURNING, ON CONFLICT, VALUES as a query, IS DISTINCT FROM,
// SAVEPOINT, …), so that it is refused here, as Redshift does: SQLSTATE
// 42601, `syntax error at or near "…"`, and the position in characters from 1.
//
// A tree says what was written and no more: names are not folded, since that depends on
// a setting of the session, and no name is looked up. Whether a tree makes sense is what
// package translate finds.
package syntax
