package translate

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// The SQLSTATEs that the translation itself finds.
const (
	codeSyntax             = "42601"
	codeDuplicateColumn    = "42701"
	codeAmbiguousAlias     = "42P09"
	codeUndefinedColumn    = "42703"
	codeUndefinedObject    = "42704"
	codeDuplicateAlias     = "42712"
	codeGrouping           = "42803"
	codeMismatch           = "42804"
	codeWrongObject        = "42809"
	codeCannotCoerce       = "42846"
	codeUndefinedFunction  = "42883"
	codeUndefinedParameter = "42P02"
	codeUndefinedTable     = "42P01"
	codeDuplicateTable     = "42P07"
	codeInvalidTable       = "42P16"
	codeActiveTransaction  = "25001"
	codeNotSupported       = "0A000"
	codeInvalidParameter   = "22023"
	codeTooManyColumns     = "54011"
	codeInvalidSchema      = "3F000"
	codeInternal           = "XX000"
)

// unsupportedOnTables is what a query is refused with that needs the compute nodes for its
// tables and the leader node for a function or a type.
const unsupportedOnTables = "Specified types or functions (one per INFO message) not supported on Redshift tables."

// refusal makes an error of the service's.
func refusal(code, format string, args ...any) *pgconn.PgError {
	return &pgconn.PgError{Severity: "ERROR", Code: code, Message: fmt.Sprintf(format, args...)}
}

// unknownToStandin says that the stand-in itself does not know what the service would do.
func unknownToStandin(what string) *pgconn.PgError {
	e := refusal(codeNotSupported, "%s is not supported by the stand-in", what)
	e.Hint = "Redshift may take it. The stand-in refuses what it cannot judge."
	return e
}

// fail keeps the first error of a translation. What is translated after it is dropped, so
// that the functions of this package need not hand errors up.
func (t *translator) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// refuse fails with an error of the service's.
func (t *translator) refuse(code, format string, args ...any) {
	if t.err == nil {
		t.err = refusal(code, format, args...)
	}
}

// refuseAt is refuse with the position of a byte of the statement.
func (t *translator) refuseAt(pos int, code, format string, args ...any) {
	if t.err == nil {
		e := refusal(code, format, args...)
		// What stands in a view's text has no position in the client's.
		if t.depth == 0 && pos <= len(t.text.Source) {
			e.Position = syntax.Position(t.text.Source, pos)
		}
		t.err = e
	}
}
