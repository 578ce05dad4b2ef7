// Package datetime reads dates and times, and writes them. Times are µs since 1970
// in UTC, from year 1 to 9999, dates days since then. The shape of RFC 3339 is read
// and written by hand, other layouts by package time.
//
// A [Format] says how they are written: in RFC 3339, in a layout, or as a number of
// units since 1970; in which zone they are local; and what becomes of what is
// finer than a microsecond. Columns and versions are read by the same formats.
//
// # Local times
//
// A time without an offset is UTC, or, with a zone, local there. Of two instants
// with one local time, when clocks are put back, it is the earlier; one that clocks
// skip is taken as if they had not been put forward yet. A date with a zone is that
// of an instant there; of a local time it is the one that is written.
//
// What does not fit is said in words that follow the value in a message.
package datetime
