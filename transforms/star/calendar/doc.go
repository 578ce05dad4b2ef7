// Package calendar makes the rows of a calendar dimension, one for each day.
//
// A day is counted since 1970-01-01, in the proleptic Gregorian calendar, and is
// of one of the years 1 to 9999. Its surrogate key is the number yyyymmdd, so a
// fact's key comes from its date alone. A row depends on nothing but its day and
// the month in which fiscal years start.
package calendar
