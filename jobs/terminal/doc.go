// Package terminal writes for people who read a terminal: NewLog makes the log, Table prints
// rows in columns, and Console keeps a line below the log that is redrawn, such as a bar.
package terminal
