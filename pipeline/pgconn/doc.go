// Package pgconn is how nodes talk to a server that speaks PostgreSQL's protocol:
// the connection string, connections and transactions, and which errors time can
// heal.
//
// After an error the connection is dropped, and the next try makes another: a new
// one has nothing left of what went wrong. What became of a COMMIT without an
// answer is for the caller to find out. Errors that time can heal are marked with
// pipeline.Transient.
//
// What servers differ in is said by the caller: defaults of the connection string
// ([Defaults]), credentials that last for a while only and are asked for whenever a
// connection is made ([Login]), and errors with a meaning of their own (Client.Reason).
//
// Requests with parameters are the extended protocol's, unnamed and as text. The statements
// of a [Batch] are prepared, by name, unless the connection's transactions are in other sessions
// than its own, as they are behind a pooler.
package pgconn
