// Package syntax reads Redshift's dialect of SQL: it makes trees of statements, and
// refuses what is not in Redshift's grammar.
//
// The grammar is that of the Database Developer Guide's SQL reference and, where the
// guide is silent, PostgreSQL 8.0's, of which Redshift's is a descendant: its precedence of
// operators, its backslashes in literals, its places for reserved words. Nothing newer of
// PostgreSQL's is in it (RETURNING, ON CONFLICT, VALUES as a query, IS DISTINCT FROM, …), so
// that it is refused here, as Redshift does: SQLSTATE 42601, `syntax error at or near "…"`,
// and the position in characters from 1. What the grammar has and the service answers by
// another error than that of the syntax (SAVEPOINT, CHECK, DISTINCT ON, CREATE INDEX) is
// 0A000.
//
// The parser is one of recursive descent over a lexer that is asked for one token after the
// other, so that a statement of 16 MB takes the memory of its tree. It goes back nowhere
// but over a few tokens, and bounds the depth of trees (54001), so that whoever walks them
// may recurse.
//
// A tree says what was written and no more: names are not folded, since that depends on
// a setting of the session, and no name is looked up. Whether a tree makes sense is what
// package translate finds.
package syntax
