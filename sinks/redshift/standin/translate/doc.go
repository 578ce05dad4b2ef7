// Package translate decides what Redshift would say of a statement, and makes
// PostgreSQL's SQL of what it takes.
//
// It has the tree of package syntax, a Catalog of what there is, and the session's Env. It
// refuses what Redshift refuses: types and options that do not exist, names that collide
// when they are folded and truncated, functions of the leader node beside a user's table.
// What it does not know it refuses too: functions and relations of the catalog are allowed
// by lists. It does not run anything.
//
// Names: ASCII letters fold to lower case, quoted or not, unless the session sets
// enable_case_sensitive_identifier; a name is cut at 127 bytes, at a character's end. Every
// name that is written is quoted, since the two systems' reserved words differ. Literals are
// written anew with PostgreSQL's escapes.
package translate
