// Package warehouse holds what the sinks of SQL warehouses have in common: the
// DDL of tables and the comparison with what is there, the names that are
// refused, the spool of settled rows, the set-based statements that apply it,
// and the tokens.
//
// What differs between databases is in a [Dialect]: a value, which the sink's
// package makes. Statements are standard SQL otherwise, with every identifier
// quoted.
package warehouse
