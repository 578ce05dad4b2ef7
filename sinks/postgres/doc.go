// Package postgres keeps settled tables in a PostgreSQL database.
//
// An epoch's rows are spooled in PostgreSQL's binary COPY format, so that
// whatever a row can be refused for is found before the epoch is saved, and a
// commit only has to send files: for each table the rows to insert, those to
// update, and the keys of those to delete. A commit is one transaction: it takes
// a lock on the pipeline's tokens and reads the last one, copies deleted keys
// and updated rows into temporary tables and applies each with one statement,
// copies inserted rows straight into their table, and writes the token. Every
// count is held against the committable.
//
// Tables have the pipeline's key as their primary key: updates and deletes find
// their rows by it, and a row that somebody else has put in is refused. Columns
// that a table has besides the pipeline's keep their values.
//
// What a row can be refused for is checked before the epoch is saved, as far as the
// types go: the engine asks for it in the log (pipeline.ValueValidator), so that a change is
// blamed for it, and the spool checks it once more. A constraint or trigger that somebody has put on a table may refuse
// rows even so. Then the rows are found by bisection in a transaction that is
// rolled back, and told by a *pipeline.RefusedError; the next commit leaves them
// out. A table that lacks a row which the state has, or still has one that the
// state has not, is remembered in the table starlift_refused, in the transaction
// with the token, and later changes of such a row are applied accordingly.
//
// After an error the connection is dropped, and the next try makes another. What
// became of a COMMIT without an answer is read from the token (I5). Errors that
// time can heal are marked with pipeline.Transient, and the engine repeats the
// transaction as a whole.
//
// Requests are the extended protocol's with parameters as text, unnamed: there
// are no prepared statements that a changed table or a pooler could break.
package postgres
