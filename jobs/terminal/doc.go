// Package terminal writes for people who read a terminal: the log, tables in columns,
// and a line below the log that is drawn again and again.
package terminal
