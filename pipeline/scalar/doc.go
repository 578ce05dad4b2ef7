// Package scalar reads the values of columns from their text: bools here, numbers
// and times by their own packages. What does not fit is said in words that follow the value in a message.
package scalar
