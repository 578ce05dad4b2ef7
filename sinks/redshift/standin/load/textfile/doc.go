// Package textfile takes text files apart into records and fields: delimited, CSV, fixed
// widths and JSON (dg/copy-parameters-data-format). A Reader gives one record after the
// other and never stops at a bad one: what is wrong with it is told in its place, and
// reading goes on at the next line.
//
// A record is at most 4 MB long (dg/r_COPY), which bounds what a Reader keeps in memory.
package textfile
