package reference

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
)

// query is a reference that is the result of a query. Each reading has a connection of its own and
// a transaction that can only read; the result is of one snapshot of the database, as any query's.
type query struct {
	cfg       SQLConfig
	server    pgconn.Config
	layout    *layout
	normalize normalization
}

var _ source = (*query)(nil)

// aroundQuery is what connecting and ending the transaction may take besides the query.
const aroundQuery = 20 * time.Second

// sql compiles a reference that is a query.
func (c *compiler) sql(s *SQLConfig) {
	q := &query{cfg: *s, layout: &c.join.layout, normalize: c.join.normalize}
	if strings.Trim(s.Query, "; \t\r\n") == "" {
		c.wrong("the query is empty: want one SELECT", "reference", "source", "query")
	}
	var err error
	if q.server, err = pgconn.Parse(s.DSN); err != nil {
		c.sourceMistakes(err)
		return
	}
	c.join.describe, c.join.watch.source = q.String(), q
}

// String implements source.
func (q *query) String() string { return "query of " + q.server.Canonical() }

func (q *query) open(context.Context, pipeline.Env) error { return nil }

func (q *query) close() {}

// read implements source. A result tells no version: whether it is another one, its rows say.
func (q *query) read(ctx context.Context, _ bool) (*snapshot, error) {
	within, cancel := context.WithTimeout(ctx, time.Duration(q.cfg.Timeout)+aroundQuery)
	defer cancel()
	rows := &resultReader{snapshotBuilder: newSnapshotBuilder(q.String(), q.layout)}
	rows.row = func(i int) string { return fmt.Sprintf("row %d", i+1) }
	if err := q.run(within, rows); err != nil {
		return nil, q.failed(ctx, err)
	}
	return rows.finish(q.normalize)
}

// settings begin a transaction in which the query can only read, ends in time, and answers with
// texts that depend on no setting of the server or the role. They are what Redshift takes too, which
// has 2 as the most of extra_float_digits.
const settings = `BEGIN READ ONLY; SET LOCAL statement_timeout TO %d; SET LOCAL datestyle TO 'ISO, YMD'; SET LOCAL timezone TO 'UTC'; SET LOCAL extra_float_digits TO 2`

func (q *query) run(ctx context.Context, rows *resultReader) error {
	conn, err := pgconn.Connect(ctx, q.server)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) // the transaction ends with it
	if _, err := conn.Exec(ctx, fmt.Sprintf(settings, time.Duration(q.cfg.Timeout).Milliseconds())); err != nil {
		return err
	}
	// A read-only transaction does not keep a COPY from writing a file of the server, or from running a
	// program there: only what has a result is run.
	columns, parameters, err := conn.Describe(ctx, q.cfg.Query)
	if err != nil {
		return err
	}
	if err := rows.begin(columns, parameters); err != nil {
		return err
	}
	return conn.Rows(ctx, q.cfg.Query, rows.add)
}

// failed says what failed, and what to do.
func (q *query) failed(ctx context.Context, err error) error {
	var refused *refusedRowError
	if errors.As(err, &refused) {
		return refused.error
	}
	if ctx.Err() != nil { // the server says that the query was cancelled
		return fmt.Errorf("%s: %w", q, ctx.Err())
	}
	advice := ""
	switch pgconn.Code(err) {
	case "25006":
		return fmt.Errorf("%s: the query may only read: %s", q, pgconn.Message(err))
	case "57014":
		advice = fmt.Sprintf(" (timeout is %s)", q.cfg.Timeout)
	case "42601":
		advice = " (the query has to be one SELECT)"
	}
	return pgconn.Classify(ctx, fmt.Errorf("%s: %w%s", q, err, advice))
}

// refusedRowError is the error of a result that can't be a reference: it is none of the server's.
type refusedRowError struct{ error }

// resultReader makes rows of a query's result.
type resultReader struct {
	*snapshotBuilder
	where []int                 // the column of the result, by that of the layout
	texts []func([]byte) []byte // by column of the layout
}

// begin holds the result's columns against those that are wanted.
func (r *resultReader) begin(result []pgconn.Column, parameters int) error {
	names := make([]string, len(result))
	for i, c := range result {
		names[i] = c.Name
	}
	fail := func(format string, args ...any) error {
		return &refusedRowError{fmt.Errorf("%s: %s", r.source, fmt.Sprintf(format, args...))}
	}
	if parameters > 0 {
		return fail("the query has parameters, as $%d: write values in their places", parameters)
	}
	if len(result) == 0 {
		return fail("the query has no result: want one SELECT")
	}
	for i, name := range names {
		if r.layout.index(name) >= 0 && slices.Contains(names[:i], name) {
			return fail("two columns of the result are named %q: give one of them another name", name)
		}
	}
	var err error
	if r.where, err = r.find(names, filePosition{}, ""); err != nil {
		return &refusedRowError{err}
	}
	for c, i := range r.where {
		want, have := r.typeOf(c), result[i]
		t, known := resultTypes[have.Type]
		switch {
		case !known && have.Type >= firstOwnType && want.Base() == pipeline.String: // an enum, or an extension's text
			t = resultType{text: asIs}
		case !known:
			return fail("column %s has a type (OID %d) that a reference can't have: cast it in the query, as %s::text", have.Name, have.Type, have.Name)
		case !slices.Contains(t.kinds, want.Base()):
			return fail("column %s is %s in the result, and %s in the pipeline file: say so under types of the reference, or cast it in the query", have.Name, t.name, want)
		}
		r.texts = append(r.texts, t.text)
	}
	return nil
}

// add appends a row.
func (r *resultReader) add(values [][]byte) error {
	for c, i := range r.where {
		if values[i] == nil {
			r.builders[c].AppendNull()
			continue
		}
		if err := r.value(c, r.texts[c](values[i]), filePosition{}); err != nil {
			return &refusedRowError{err}
		}
	}
	if err := r.endRow(filePosition{}); err != nil {
		return &refusedRowError{err}
	}
	return nil
}

// resultType is a type of PostgreSQL: which kinds a column of it may be read as, and how its texts
// are those of our values.
type resultType struct {
	name  string
	kinds []pipeline.Kind
	text  func([]byte) []byte
}

// firstOwnType is the least OID of types that a database has besides the server's own
// (FirstNormalObjectId in PostgreSQL's access/transam.h).
const firstOwnType = 16384

func asIs(text []byte) []byte { return text }

// boolText returns true or false of t or f.
func boolText(text []byte) []byte {
	if string(text) == "t" {
		return []byte("true")
	}
	return []byte("false")
}

// unpadded returns a char(n) without the blanks at its end, which mean nothing
// (https://www.postgresql.org/docs/current/datatype-character.html).
func unpadded(text []byte) []byte { return []byte(strings.TrimRight(string(text), " ")) }

// zoned returns a timestamptz as RFC 3339 has it: settings make all of them UTC's.
func zoned(text []byte) []byte { return []byte(strings.TrimSuffix(string(text), "+00") + "Z") }

var (
	textKinds   = []pipeline.Kind{pipeline.String}
	numberKinds = []pipeline.Kind{pipeline.Int64, pipeline.Decimal, pipeline.Double}
)

// resultTypes are the types by their OIDs (PostgreSQL's catalog/pg_type.dat). Numbers are read as any
// number that holds their value.
var resultTypes = map[uint32]resultType{
	16:   {"bool", []pipeline.Kind{pipeline.Bool}, boolText},
	18:   {`"char"`, textKinds, asIs},
	19:   {"name", textKinds, asIs},
	20:   {"int8", numberKinds, asIs},
	21:   {"int2", numberKinds, asIs},
	23:   {"int4", numberKinds, asIs},
	25:   {"text", textKinds, asIs},
	700:  {"float4", []pipeline.Kind{pipeline.Double}, asIs},
	701:  {"float8", []pipeline.Kind{pipeline.Double}, asIs},
	705:  {"unknown", textKinds, asIs},
	1042: {"char(n)", textKinds, unpadded},
	1043: {"varchar", textKinds, asIs},
	1083: {"time", textKinds, asIs},
	1082: {"date", []pipeline.Kind{pipeline.Date}, asIs},
	1114: {"timestamp", []pipeline.Kind{pipeline.Timestamp}, asIs},
	1184: {"timestamptz", []pipeline.Kind{pipeline.Timestamp}, zoned},
	1700: {"numeric", numberKinds, asIs},
	2950: {"uuid", textKinds, asIs},
}
