// Package derive computes columns: it adds to each row of its inputs, behind the row's own,
// columns that expressions compute. New compiles a Derive; rowMapper.derive computes a row.
//
// The expressions are those of package expression, over the columns of the row
// and the derived columns above. Names and types are checked when the pipeline
// is built. A result that does not fit its type, or a division by zero, makes a
// dead letter of the whole change, a null, or the end of the run, as on_error
// says; in a row that is deleted it is null.
//
// Columns of the key stay what they are, and a row is never left out, so a log
// stays the log it was and settled rows stay settled.
package derive
