// Package packed keeps rows and versions as bytes, for the keyed state.
//
// A row is the number of its columns, a bitmap of its nulls, then the values
// that are not null, in order. A value is little-endian where its type has a
// fixed width, and follows its length otherwise, so equal values are equal
// bytes. [AppendRow] and [Pack] write rows, [ReadRow] and [Value] read them; a [Cursor] reads
// other encodings.
package packed
