// Package postgres keeps settled tables in a PostgreSQL database.
//
// The protocol is that of package warehouse. An epoch's rows are spooled in
// PostgreSQL's binary COPY format, so that whatever a row can be refused for is found
// before the epoch is saved, and a commit only has to send files: for each table the
// rows to insert, those to update, and the keys of those to delete. A commit takes an
// advisory lock on the token, copies deleted keys and updated rows into temporary
// tables and applies each with one statement, and copies inserted rows straight into
// their table. An epoch of few rows makes no files and no temporary tables: its rows are
// the parameters, an array a column, of statements that are sent in one request (batch), from
// BEGIN to the update of the token; only COMMIT is another one, since it is not cancelled, and
// what the statements did is looked at before it.
//
// Tables have the pipeline's key as their primary key: updates and deletes find
// their rows by it, and a row that somebody else has put in is refused. Columns
// that a table has besides the pipeline's keep their values.
//
// What a row can be refused for is checked before the epoch is saved, as far as the
// types go: the engine asks for it in the log (pipeline.ValueValidator), so that a
// change is blamed for it, and the spool checks it once more. Which errors are about
// rows even so, because of a constraint or trigger that somebody has put on a table,
// the dialect says.
//
// Connections are those of package pgconn. While a call is at work, InspectCall asks
// over a second one what the server does for the first.
package postgres
