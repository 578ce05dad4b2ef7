package backend

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Redshift returns what Redshift says where PostgreSQL says this. An error that both have
// in common comes back as it is.
func Redshift(e *pgconn.PgError) *pgconn.PgError {
	out := *e
	// Where in its own source, and in which of its statements, PostgreSQL stopped tells a
	// client nothing: it has sent another text.
	out.File, out.Line, out.Routine, out.InternalQuery, out.InternalPosition, out.Where = "", 0, "", "", 0, ""
	switch e.Code {
	case "40001":
		// The row was changed by a transaction that committed after this one's snapshot
		// ("Serializable isolation", dg/c_serial_isolation-serializable-isolation-troubleshooting).
		out.Code, out.Message, out.Hint = "XX000", "1023", ""
		out.Detail = "Serializable isolation violation on table in Redshift"
	case "22003":
		// Of a DECIMAL beyond 38 digits, which PostgreSQL would keep.
		if strings.HasPrefix(e.Message, "Numeric data overflow") {
			out.Code = "XX000"
		}
	case "28P01":
		out.Code = "28000"
	}
	return &out
}

// where names the line of a file of the template that failed.
func where(file, sql string, err error) string {
	pg, ok := err.(*pgconn.PgError)
	if !ok || pg.Position <= 0 {
		return file
	}
	text := []rune(sql)
	before := string(text[:min(int(pg.Position), len(text))])
	return fmt.Sprintf("%s:%d", file, 1+strings.Count(before, "\n"))
}
