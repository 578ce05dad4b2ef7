package backend

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/names"
)

// rewordings are how PostgreSQL 8.0, and Redshift with it, said what PostgreSQL says
// otherwise today.
var rewordings = []struct {
	pattern *regexp.Regexp
	text    string
}{
	{regexp.MustCompile(`^invalid input syntax for type (?:smallint|integer|bigint): `), "invalid input syntax for integer: "},
	{regexp.MustCompile(`^permission denied for (?:table|view|materialized view|sequence|foreign table) `), "permission denied for relation "},
	{regexp.MustCompile(`^must be owner of (?:table|view|materialized view|sequence|index) `), "must be owner of relation "},
	{regexp.MustCompile(`You might need to add explicit`), "You may need to add explicit"},
}

var ours = regexp.MustCompile(`\brs\.([a-z_0-9]+)`)

// reword tells a text of PostgreSQL in Redshift's words. Names of the schema rs are told as
// Redshift's own; what stands in quotes is the client's, and stays.
func reword(text string) string {
	for _, r := range rewordings {
		text = r.pattern.ReplaceAllString(text, r.text)
	}
	parts := strings.Split(text, `"`)
	for i := 0; i < len(parts); i += 2 {
		parts[i] = ours.ReplaceAllString(strings.ReplaceAll(parts[i], "rs.varbyte", "binary varying"), "$1")
	}
	return strings.Join(parts, `"`)
}

// Redshift returns what Redshift says where PostgreSQL says this. An error that both have
// in common comes back as it is.
func Redshift(e *pgconn.PgError) *pgconn.PgError {
	out := *e
	// Where in its own source, and in which of its statements, PostgreSQL stopped tells a
	// client nothing: it has sent another text.
	out.File, out.Line, out.Routine, out.InternalQuery, out.InternalPosition, out.Where = "", 0, "", "", 0, ""
	out.SchemaName, out.TableName, out.ColumnName, out.DataTypeName, out.ConstraintName = "", "", "", "", ""
	out.Message, out.Detail, out.Hint = reword(e.Message), reword(e.Detail), reword(e.Hint)
	switch e.Code {
	case "40001":
		// The row was changed by a transaction that committed after this one's snapshot
		// (dg/c_serial_isolation-serializable-isolation-troubleshooting).
		out.Code, out.Message, out.Hint = "XX000", "1023", ""
		out.Detail = "Serializable isolation violation on table in Redshift"
	case "42501":
		// PostgreSQL 8.0 tells no kinds of relations apart.
		out.Message = relationKinds.ReplaceAllString(e.Message, "$1 relation ")
	case "28P01":
		out.Code = "28000"
	case "42703", "42P01":
		// What it would have guessed is PostgreSQL's name.
		out.Hint = ""
	case "23502":
		// The row, which PostgreSQL tells, is not told.
		out.Code, out.Message = "XX000", "Cannot insert a NULL value into column "+e.ColumnName
		out.Detail = block(out.Message, 8007, "query execution")
	}
	return &out
}

// block is how the service tells of an error in a running query; rs.assert_block is the same
// of an error that a function of ours raises.
func block(message string, code int, context string) string {
	const line = "-----------------------------------------------"
	return fmt.Sprintf("\n  %s\n  error:  %s\n  code:      %d\n  context:   %s\n  query:     0\n  location:  padb\n  process:   padbmaster\n  %s\n", line, message, code, context, line)
}

// Redshift is the function, with full names in the place of their short forms.
func (c *Conn) Redshift(e *pgconn.PgError) *pgconn.PgError {
	out := Redshift(e)
	out.Message, out.Detail = c.FullNames(out.Message), c.FullNames(out.Detail)
	return out
}

// FullNames returns a text with full names in the place of their short forms.
func (c *Conn) FullNames(text string) string {
	var b strings.Builder
	for {
		i, length := names.FindShort(text)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:i])
		b.WriteString(c.FullName(text[i : i+length]))
		text = text[i+length:]
	}
}

var relationKinds = regexp.MustCompile(`^(permission denied for|must be owner of) (?:table|view|materialized view) `)

// where names the line of a file of the template that failed.
func where(file, sql string, err error) string {
	pg := (*pgconn.PgError)(nil)
	if !errors.As(err, &pg) || pg.Position <= 0 {
		return file
	}
	text := []rune(sql)
	before := string(text[:min(int(pg.Position), len(text))])
	return fmt.Sprintf("%s:%d", file, 1+strings.Count(before, "\n"))
}
