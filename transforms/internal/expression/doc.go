// Package expression computes: columns from values of items, derived columns,
// conditions and measures from columns of rows. There is this one language for
// all of them, which docs/expressions.md describes.
//
// # Values
//
// Numbers are exact rationals until the result is converted: a decimal is rounded
// to its scale, an integer to the nearest, half away from zero. A literal such as
// 0.1 is exactly what it says. Where a double takes part, the arithmetic and the
// comparison are those of doubles. Dates and timestamps are values of their own;
// strings are of characters, and no function gives a part of one.
//
// An expression is null where a variable that it uses is null. One that says
// itself what null means, by ??, nil or a condition, is computed instead: then
// an operation, comparison or function with null is null, and a null condition is
// false. The left of two operands is computed first, and decides where it is null.
//
// # How it works
//
// The text is parsed by the parser of expr-lang, and by nothing else of it. The
// compiler turns the tree into closures and checks the kinds that each part may
// have; what can't be right is a mistake with its place in the text. What is
// constant is computed once. Functions are a table: parameters, what they give,
// and code; those with predicates, or literals that are checked, compile
// themselves.
//
// A number whose numerator and denominator fit 64 bits takes no memory, nor do
// texts that are taken as they are. Values share the memory of the record that
// they come from, for as long as one evaluation lasts.
//
// An evaluation is bounded in steps and in text, and a number in its digits, so
// that no expression holds up a pipeline: what goes beyond is an error of the
// value. Nothing depends on the clock, on the zone or the files of the host, or
// on the order of maps (I6).
package expression
