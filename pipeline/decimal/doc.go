// Package decimal reads decimal numbers from their text and has their one order.
//
// A number is an optional sign, digits, an optional fraction and an optional
// exponent: what JSON and DynamoDB write, with leading zeros and a plus besides.
// Nothing is rounded, and nothing passes through floating point but [Float].
// There are two readings. [Parse] takes a number of any length apart, without
// copying where it has no fraction; comparing, spelling and cutting are made of
// that. [Scaled] gives what a column holds, an integer of 128 bits, and reads the
// usual short numbers in one pass.
package decimal
