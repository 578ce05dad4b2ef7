package warehouse

import (
	"context"
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

// Session runs statements in one transaction.
type Session interface {
	// Texts returns a query's rows as texts.
	Texts(ctx context.Context, query string) ([][]string, error)
	Exec(ctx context.Context, statement string) error
	// Present looks a table up. Something else of that name is an error.
	Present(ctx context.Context, table string) (Present, error)
}

// Reset lists what the schema holds of a pipeline, and drops it if r.Do: the tables
// that TablesTable says are its, and its rows in the sinks' own tables.
func (d *Dialect) Reset(ctx context.Context, s Session, schema, sink string, r *pipeline.Reset) ([]pipeline.TargetObject, error) {
	recorded, all, err := d.resetTables(ctx, s, schema, sink, r)
	if err != nil {
		return nil, err
	}
	for _, t := range r.Tables {
		if recorded[d.key(t.Name)] {
			continue
		}
		p, err := s.Present(ctx, t.Name)
		switch {
		case err != nil:
			all = append(all, pipeline.TargetObject{Name: tableName(schema, t.Name), KeptBecause: err.Error()})
		case p.Rows:
			all = append(all, pipeline.TargetObject{Name: tableName(schema, t.Name), KeptBecause: "it has no row in " + TablesTable + ": something else has written it, or an older starlift; drop it yourself if nobody needs it"})
		}
	}
	for _, own := range []string{RefusedTable, EpochsTable, TablesTable} {
		n, err := resetRows(ctx, s, schema, own, sink, r)
		if err != nil {
			return nil, fmt.Errorf("table %q: %w", own, err)
		}
		if n != "0" {
			all = append(all, pipeline.TargetObject{Name: fmt.Sprintf("%s rows of %s", n, tableName(schema, own))})
		}
	}
	return all, nil
}

func tableName(schema, table string) string { return "table " + In(schema, table) }

// resetTables drops the tables that are recorded for the pipeline, and returns the
// names of all that are recorded, as the dialect compares them.
func (d *Dialect) resetTables(ctx context.Context, s Session, schema, sink string, r *pipeline.Reset) (recorded map[string]bool, all []pipeline.TargetObject, err error) {
	recorded = map[string]bool{}
	if p, err := s.Present(ctx, TablesTable); err != nil || !p.Is {
		return recorded, nil, err
	}
	rows, err := s.Texts(ctx, fmt.Sprintf(`SELECT "table", "pipeline", "state_id", "sink" FROM %s WHERE lower("schema") = lower(%s) ORDER BY "table"`, In(schema, TablesTable), Literal(schema)))
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", TablesTable, err)
	}
	for _, row := range rows {
		table, o := row[0], Owner{row[1], row[2], row[3]}
		recorded[d.key(table)] = true
		h := pipeline.TargetObject{Name: tableName(schema, table)}
		switch {
		case o.Pipeline != r.Pipeline:
			h.KeptBecause = fmt.Sprintf("it belongs to pipeline %q", o.Pipeline)
		case !r.Owns(sink, o.Pipeline, o.Sink):
			continue
		default:
			p, err := s.Present(ctx, table)
			if err != nil {
				return nil, nil, err
			}
			if !p.Is {
				continue // its record goes
			}
			h.Name += r.OfState(o.StateID)
			if r.Do {
				if err := s.Exec(ctx, "DROP TABLE "+In(schema, table)); err != nil {
					return nil, nil, fmt.Errorf("dropping table %s.%s: %w", schema, table, err)
				}
			}
		}
		all = append(all, h)
	}
	return recorded, all, nil
}

// resetRows deletes the pipeline's rows in one of the sinks' own tables, and returns
// how many there are.
func resetRows(ctx context.Context, s Session, schema, table, sink string, r *pipeline.Reset) (string, error) {
	if p, err := s.Present(ctx, table); err != nil || !p.Is {
		return "0", err
	}
	which := fmt.Sprintf(`FROM %s WHERE "pipeline" = %s`, In(schema, table), Literal(r.Pipeline))
	if table == TablesTable {
		which += fmt.Sprintf(` AND lower("schema") = lower(%s)`, Literal(schema))
	}
	for _, other := range r.Sinks {
		if other != sink {
			which += fmt.Sprintf(` AND "sink" <> %s`, Literal(other))
		}
	}
	n, err := s.Texts(ctx, "SELECT count(*) "+which)
	if err != nil {
		return "", err
	}
	if r.Do && n[0][0] != "0" {
		err = s.Exec(ctx, "DELETE "+which)
	}
	return n[0][0], err
}

// Literal quotes a text.
func Literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
