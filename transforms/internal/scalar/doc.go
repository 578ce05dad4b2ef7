// Package scalar reads the values of columns from their text: numbers by integer
// arithmetic, never rounded, and times by hand where their shape is RFC 3339.
// What does not fit is said in words that follow the value in a message.
package scalar
