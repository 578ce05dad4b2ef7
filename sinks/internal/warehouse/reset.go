package warehouse

import (
	"context"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// resetAll lists what the schema holds of a pipeline, and drops it if r.Do: the tables
// that TablesTable says are its, and its rows in the sinks' own tables.
func (s *Sink) resetAll(ctx context.Context, tx Tx, r *pipeline.Reset) ([]pipeline.TargetObject, error) {
	recorded, all, err := s.resetTables(ctx, tx, r)
	if err != nil {
		return nil, err
	}
	for _, t := range r.Tables {
		if recorded[s.cfg.Dialect.fold(t.Name)] {
			continue
		}
		rows := false
		there, err := s.findTable(ctx, tx, t.Name)
		if err == nil && there != nil {
			rows, err = tx.HasRows(ctx, t.Name)
		}
		switch {
		case err != nil:
			all = append(all, pipeline.TargetObject{Name: s.nameOf(t.Name), KeptBecause: err.Error()})
		case rows:
			all = append(all, pipeline.TargetObject{Name: s.nameOf(t.Name), KeptBecause: "it has no row in " + TablesTable + ": something else has written it, or an older starlift; drop it yourself if nobody needs it"})
		}
	}
	if t, ok := tx.(TokenDropper); ok {
		names, err := t.DropTokens(ctx, s.cfg.Name, r)
		if err != nil {
			return nil, fmt.Errorf("tokens: %w", err)
		}
		for _, name := range names {
			all = append(all, pipeline.TargetObject{Name: s.nameOf(name)})
		}
	}
	own := []string{RefusedTable}
	for _, t := range s.cfg.Dialect.ownTables() {
		own = append(own, t.Name)
	}
	for _, own := range own {
		there, err := s.findTable(ctx, tx, own)
		n := int64(0)
		if err == nil && there != nil {
			n, err = tx.CountOwn(ctx, own, s.cfg.Name, r)
		}
		if err != nil {
			return nil, fmt.Errorf("table %q: %w", own, err)
		}
		if n > 0 {
			all = append(all, pipeline.TargetObject{Name: spec.Count(n, "row") + " of " + s.nameOf(own)})
		}
	}
	return all, nil
}

// TokenDropper is a Tx of a database that keeps tokens in tables of their own.
type TokenDropper interface {
	// DropTokens returns the names of the tables of tokens that a reset of the sink takes away, and
	// with r.Do it does. EpochsTable and TablesTable are as they were.
	DropTokens(ctx context.Context, sink string, r *pipeline.Reset) ([]string, error)
}

// nameOf names a table for people.
func (s *Sink) nameOf(table string) string { return "table " + QualifiedName(s.cfg.Schema, table) }

// resetTables drops the tables that are recorded for the pipeline, and returns the
// names of all that are recorded, as the dialect compares them.
func (s *Sink) resetTables(ctx context.Context, tx Tx, r *pipeline.Reset) (recorded map[string]bool, all []pipeline.TargetObject, err error) {
	recorded = map[string]bool{}
	if there, err := s.findTable(ctx, tx, TablesTable); err != nil || there == nil {
		return recorded, nil, err
	}
	owners, err := tx.TableOwners(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", TablesTable, err)
	}
	for _, o := range owners {
		recorded[s.cfg.Dialect.fold(o.Table)] = true
		object := pipeline.TargetObject{Name: s.nameOf(o.Table)}
		switch {
		case o.Pipeline != r.Pipeline:
			object.KeptBecause = fmt.Sprintf("it belongs to pipeline %q", o.Pipeline)
		case !r.Owns(s.cfg.Name, o.Pipeline, o.Sink):
			continue
		default:
			there, err := s.findTable(ctx, tx, o.Table)
			if err != nil {
				return nil, nil, err
			}
			if there == nil {
				continue // its record goes
			}
			object.Name += r.OfState(o.StateID)
			if r.Do {
				if err := tx.DropTable(ctx, o.Table); err != nil {
					return nil, nil, fmt.Errorf("dropping table %s.%s: %w", s.cfg.Schema, o.Table, err)
				}
			}
		}
		all = append(all, object)
	}
	return recorded, all, nil
}
