// Package activity is what a stand-in remembers of what happened in it, and shows in the
// system tables of a cluster that no database has: sessions, statements, locks and load
// errors (stv_sessions, stl_query, svv_transactions, stl_load_errors …).
//
// Its history is bounded: the last statements, load errors and loaded files of the process
// are kept, whatever became of their transactions, as a cluster's are. Columns are those
// that the Database Developer Guide has on the page of each relation; what the stand-in
// has nothing to say about is 0 or empty.
package activity
