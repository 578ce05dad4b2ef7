// Package failure makes the errors that a load or an unload ends with, in the shape that
// Redshift gives them: SQLSTATE XX000, a short message, and a detail that is a block of
// error, code, context, query, location and process.
package failure

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// Block is such an error. Message stands in the error itself and again in the block.
type Block struct {
	Message string
	Code    int
	Context string
	Query   int64
	// Location and Process are the source's line and the process that fails. What real
	// clusters show for the same failure is used where it is known.
	Location, Process string
}

const rule = "-----------------------------------------------"

// Error makes the error that a client sees.
func (b Block) Error() *pgconn.PgError {
	detail := fmt.Sprintf("\n  %[1]s\n  error:  %[2]s\n  code:      %[3]d\n  context:   %[4]s\n  query:     %[5]d\n  location:  %[6]s\n  process:   %[7]s\n  %[1]s\n",
		rule, b.Message, b.Code, b.Context, b.Query, b.Location, b.Process)
	return &pgconn.PgError{Severity: "ERROR", Code: "XX000", Message: b.Message, Detail: detail}
}

// Spectrum is a failure of the columnar scan, whose message is always the same: what is
// wrong stands in the context.
func Spectrum(query int64, code int, context string) *pgconn.PgError {
	return Block{
		Message: "Spectrum Scan Error", Code: code, Context: context, Query: query,
		Location: "dory_util.cpp:945", Process: "fetchtask_thread [pid=19465]",
	}.Error()
}

// Unsupported is what the stand-in refuses because it cannot do it, by its name.
func Unsupported(what string) *pgconn.PgError {
	return &pgconn.PgError{
		Severity: "ERROR", Code: "0A000", Message: what + " is not supported by this stand-in for Redshift",
	}
}

// Invalid is a value of an option that Redshift refuses.
func Invalid(format string, args ...any) *pgconn.PgError {
	return &pgconn.PgError{Severity: "ERROR", Code: "22023", Message: fmt.Sprintf(format, args...)}
}

// NullValue is a NULL of a columnar file for a column that takes none.
func NullValue(query int64, column string) *pgconn.PgError {
	e := Block{
		Message: "Cannot insert a NULL value into column " + column, Code: 8007, Query: query,
		Location: "column.cpp:411", Process: "query0_30 [pid=17220]",
	}.Error()
	e.ColumnName = column
	return e
}
