// Package server is a stand-in for Amazon Redshift: it speaks the Postgres protocol as a
// cluster does, and takes and refuses what a cluster takes and refuses. Tests start it in
// their process (Start); the command in the folder above serves it to everyone else.
//
//	client ── input ── session ── syntax.Parse ── translate.Statement ── locks ── PostgreSQL
//	                                  └── load (COPY, UNLOAD: S3 ⇄ rows)
//
// A session is one goroutine: it reads a message, does what it says, and answers. Another
// reads the connection ahead of it, so that a client that is gone is noticed while a
// statement runs. Each session has a connection to PostgreSQL of its own, on which it
// opens and ends transactions itself: the client's BEGIN never gets there.
//
// # A statement
//
// It is parsed, and translated by what the catalog says in the session's transaction. Its
// locks are waited for, and then, if the transaction has no snapshot yet, PostgreSQL's
// transaction is begun anew, so that it sees what was committed by those it waited for;
// the statement is then translated again. LOCK, SET and SHOW take no snapshot
// (dg/c_serial_isolation). Rows go to the client as they come: no result is kept.
//
// # Transactions
//
// An error ends the transaction at once, with its locks; in a block the session then
// answers 25P02 until the block's end. Outside of a block each Query message, and all
// messages up to a Sync, are one transaction. Whatever ends a session rolls back.
package server
