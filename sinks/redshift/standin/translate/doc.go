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
//
// Expressions are translated from the inside out, each to a text and a type (value), since
// much of what Redshift does goes by types: the scale of a quotient of decimals, a text that
// is cut by a cast, a comparison with a SUPER. A type that is not known, of a parameter or a
// string, leaves the choice to PostgreSQL, whose rules are those of Redshift's ancestor. What
// a name means is looked up in a scope: elements of FROM, common table expressions, and the
// aliases of the select list, which Redshift lets later expressions use.
//
// A statement that reads or writes a user's table runs on the compute nodes, and is refused
// with a function or a relation of the leader node's in it; nodes.go has these rules.
//
// Errors are sticky: a translator keeps its first, and what is translated after it is
// dropped. So functions return values alone, and read as the grammar does.
//
// To find: functions and what they become, function*.go; operators and decimals, operator.go;
// casts, cast.go; queries, query.go and select.go; FROM and the unnesting of SUPER, from.go;
// changes of rows, dml.go and merge.go; tables and other objects, table*.go and ddl*.go.
package translate
