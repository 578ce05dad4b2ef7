// Package unnest turns the changes of items into the rows of typed tables.
//
// Each item goes to every table whose where matches it (package pattern). A
// table makes one row of an item, or one of each element of a list, set or map, at any
// depth. A column takes a value by its path, may cut a piece out of its text or
// compute with it, and converts it to its type.
//
// # Values and types
//
// A missing value and NULL are null. A value that does not fit its type is a
// dead letter of the whole change, a null, or the end of the run, as on_error
// says. What fits:
//
//   - string: a string as it is, a number with its digits as the record has
//     them, a bool as true or false, a binary as its base64 text;
//   - bool: a bool, the numbers 1 and 0, their texts, the strings true and false, and
//     those of true_values and false_values;
//   - varchar(n), char(n): what a string takes, of n characters at most;
//   - uuid: the text of one, 8-4-4-4-12 hexadecimal digits, which become lower case;
//   - time: 15:04, 15:04:05 or 15:04:05.999999, before 24:00;
//   - int64, int32, decimal(p,s): a number or its text, converted by integer
//     arithmetic and never rounded: 5.0 and 5e2 are integers, 5.5 is none, and
//     a decimal with more fraction digits than its column has must end in
//     zeros;
//   - double: a number or its text, the nearest double;
//   - timestamp, timestamptz: RFC 3339 with any offset or none (UTC), T or a space between
//     date and time, a fraction of which the digits behind the microseconds are
//     zeros or what precision makes of them; or as format and zone say (package
//     datetime); years 1 to 9999;
//   - date: 2006-01-02, or the date of a timestamp in UTC or the zone;
//   - binary: a binary, decoded;
//   - json: any value, as plain JSON; a string that holds a JSON object or list as
//     that. $item is the item, and $rest what no column takes of it by its from
//     (compile_whole.go).
//
// $meta.created_at and $meta.arrived_at are times: a timestamp, a date, an int64
// of µs since 1970, or RFC 3339 text.
//
// # Expressions
//
// Expressions are those of package expression. Their names are document paths,
// the explode's aliases, ordinals and keys, $meta fields, and value, which is what the
// column's from leads to. They are found when the pipeline is built, so that
// only what is used is decoded. Values are those of plain JSON: numbers exact,
// sets sorted lists, binaries their base64 text; of $meta the times are
// timestamps. A string that is the result is converted like one of the item,
// and so is a number where format says how times are written as numbers; other
// results are converted as package expression does.
//
// # The log
//
// A change of which the expression of a where can't be computed is a dead letter. So was
// that of such an old image, which therefore has no row.
//
// The rows are a log: for each change that is no dead letter, first the rows
// that its old image yields and its new image does not, by key, as deletes,
// then the rows that its new image yields, as upserts, in the order of the
// list, the sorted set, or the sorted keys of the map. A removal deletes all rows of its old image. One that tells nothing but the
// key, as DynamoDB's do without an old image, is never unmatched: the item is gone,
// whichever table had it. It deletes the rows that the key yields, where either
// where looks at the key alone, or no other item can have the row. Of first rows
// only removals delete, whatever kind of event where asks for. Tables without a
// key that ask for removals get the rows that the old image, or the key, yields, as
// upserts. A change that gives its item another key is two
// changes of one record: that of the old item, with the deletes, and that of the
// new one. What no table wants needs neither key nor version. Deletes are made only of tables that have a
// key and whose consumers ask for them. A value of an old image that does not
// convert is null; a row whose key does not is left out. A change is atomic:
// one bad row in one table, and none of its rows is in any.
//
// # Parts
//
// A pipeline file's tables are compiled once (compile.go), and bound to each format of
// records (bind.go). A mapper, one a worker, decides which tables want a record
// (mapper.go, removal.go) and makes a change or a dead letter of it; its rowMaker makes
// the rows of an image (rows.go), of the levels of an explode one in the other (explode.go,
// compile_explode.go); a valueReader reads a cell (value_reader.go, evaluate.go); a
// tableBuilder and its columnBuilders hold the batch (table_builder.go, column_builder.go). tableCoverage
// looks for paths that no record has (coverage.go).
//
// # How it is fast
//
// A mapper decodes each record once, into slots for the values
// that any table wants; lists are walked once more, element by element. Values
// are converted from the record's bytes right into column buffers in Arrow's
// layout, with no memory taken per row or cell. The buffers can take back their
// last cells, so rows are written as they come and a change that fails is cut
// off again. The rare order of deletes before upserts, with both in one change,
// is made by moving the rows at the end of the buffers.
package unnest
