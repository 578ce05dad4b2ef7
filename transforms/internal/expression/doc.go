// Package expression computes with the columns of rows: expressions over packed
// values, for measures, derived columns and filters.
//
// Integers and decimals are exact rational numbers until the result is
// converted: a decimal is rounded to its scale, an integer to the nearest, half
// away from zero. A literal such as 0.1 is exactly what it says. Where a double
// takes part, the arithmetic is that of doubles.
//
// An expression is null where a column that it uses is null. One that says
// itself what null means, by ??, nil or a condition, is computed instead: then
// an operation or comparison with null is null, and a null condition is false.
package expression
