package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

const (
	// maxRefused bounds the rows of an epoch that are found to be refused: more
	// are no matter of rows.
	maxRefused = 1000
	// maxPasses bounds how often refused rows are tried again, each time because
	// others were taken.
	maxPasses = 16
)

// refusals are the SQLSTATEs, or their classes, by which the server says that it
// does not take a row.
var refusals = []string{
	"22",    // data exceptions
	"23",    // constraints
	"44",    // WITH CHECK OPTION
	"P0001", // RAISE in a trigger
	"54000", // a limit of the server, such as an index entry's length
}

// refuses reports whether an error is about rows rather than about all else.
func refuses(err error) bool {
	state := code(err)
	return state != "" && (slices.Contains(refusals, state) || slices.Contains(refusals, state[:min(2, len(state))]))
}

// readWithout returns the rows that a committable leaves out.
func readWithout(r *pipeline.Committable) (all []leftOut, err error) {
	if r.Exclude == nil {
		return nil, nil
	}
	if err := json.Unmarshal(r.Exclude, &all); err != nil {
		return nil, fmt.Errorf("committable of epoch %d: %w", r.Epoch, err)
	}
	return all, nil
}

// trial finds the rows of an epoch that the server refuses, in a transaction that
// is rolled back. Rows are tried many at a time, and half of them when they are
// refused, on top of all that was taken before them.
type trial struct {
	c     *conn
	found []found
}

type found struct {
	part    *part
	number  int64
	message string
}

// findRefused returns the rows that the server refuses besides those left out
// already; none = it is not about rows.
func (s *Sink) findRefused(ctx context.Context, r *pipeline.Committable, all []warehouse.Staged, without []leftOut) (refused *pipeline.RefusedError, err error) {
	err = s.try(ctx, func(ctx context.Context, c *conn) error {
		if err := c.begin(ctx); err != nil {
			return err
		}
		if refused, err = s.tryAll(ctx, c, r, all, without); err != nil {
			return err
		}
		return c.exec(ctx, "ROLLBACK")
	})
	return refused, err
}

func (s *Sink) tryAll(ctx context.Context, c *conn, r *pipeline.Committable, all []warehouse.Staged, without []leftOut) (*pipeline.RefusedError, error) {
	due, remembers, err := s.due(ctx, c, r)
	if err != nil || !due {
		return nil, err
	}
	// What is checked at COMMIT otherwise is checked at each row here.
	if err := c.exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE"); err != nil {
		return nil, err
	}
	t := &trial{c: c}
	for i := range all {
		for _, p := range s.partsOf(c, &all[i], without) {
			if err := p.load(ctx, r.Epoch, remembers); err != nil {
				return nil, err
			}
			if err := t.search(ctx, p, 1, p.rows); err != nil {
				return nil, fmt.Errorf("table %q: %w", p.st.Table, err)
			}
		}
	}
	if err := t.again(ctx); err != nil {
		return nil, err
	}
	return t.refused(ctx, without)
}

// search tries a part's rows with these numbers.
func (t *trial) search(ctx context.Context, p *part, first, last int64) error {
	err := t.attempt(ctx, p, first, last)
	switch {
	case !refuses(err):
		return err
	case first == last:
		return t.refuse(ctx, p, first, err)
	}
	middle := first + (last-first)/2
	if err := t.search(ctx, p, first, middle); err != nil {
		return err
	}
	return t.search(ctx, p, middle+1, last)
}

// attempt applies rows, or leaves everything as it was.
func (t *trial) attempt(ctx context.Context, p *part, first, last int64) error {
	if err := t.c.exec(ctx, "SAVEPOINT attempt"); err != nil {
		return err
	}
	err := p.apply(ctx, first, last)
	switch {
	case err == nil:
		return t.c.exec(ctx, "RELEASE SAVEPOINT attempt")
	case refuses(err):
		if back := t.c.exec(ctx, "ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt"); back != nil {
			return back
		}
	}
	return err
}

// refuse notes a row that is refused alone.
func (t *trial) refuse(ctx context.Context, p *part, number int64, why error) error {
	if code(why) == uniqueViolation && p.end == inserted {
		there, err := t.c.query(ctx, fmt.Sprintf("SELECT 1 FROM %s t JOIN %s s ON %s WHERE s.%s = %d", warehouse.In(p.s.schema, p.st.Table), p.stage, p.st.OnKey(), p.number, number))
		if err != nil {
			return err
		}
		if len(there) > 0 {
			return fmt.Errorf("%w (%s)", warehouse.Changed("a row to be inserted is there"), why.Error())
		}
	}
	if len(t.found) == maxRefused {
		return fmt.Errorf("more than %d rows of one epoch are refused; the last one: %s", maxRefused, why.Error())
	}
	var server *pgconn.PgError
	errors.As(why, &server)
	t.found = append(t.found, found{p, number, fmt.Sprintf("%s (SQLSTATE %s)", server.Message, server.Code)})
	return nil
}

// again tries refused rows once more while any of them is taken: it may have
// wanted another one that came behind it.
func (t *trial) again(ctx context.Context) error {
	for range maxPasses {
		before := len(t.found)
		var still []found
		for _, f := range t.found {
			err := t.attempt(ctx, f.part, f.number, f.number)
			switch {
			case refuses(err):
				still = append(still, f)
			case err != nil:
				return err
			}
		}
		t.found = still
		if len(still) == 0 || len(still) == before {
			return nil
		}
	}
	return nil
}

// refused returns what was found, with the rows themselves.
func (t *trial) refused(ctx context.Context, without []leftOut) (*pipeline.RefusedError, error) {
	if len(t.found) == 0 {
		return nil, nil
	}
	ops := map[string]pipeline.Op{inserted: pipeline.OpInsert, updated: pipeline.OpUpdate, deleted: pipeline.OpDelete}
	e := &pipeline.RefusedError{}
	without = slices.Clone(without)
	for _, f := range t.found {
		p := f.part
		rows, err := t.c.query(ctx, fmt.Sprintf("SELECT row_to_json(r) FROM (SELECT %s FROM %s s WHERE s.%s = %d) r", warehouse.Quoted(p.columns()), p.stage, p.number, f.number))
		if err != nil {
			return nil, fmt.Errorf("reading a refused row: %w", err)
		}
		e.Rows = append(e.Rows, pipeline.RefusedRow{Table: p.st.Table, Op: ops[p.end], Row: json.RawMessage(rows[0][0]), Message: f.message})
		without = append(without, leftOut{p.st.Table, p.end, f.number, f.message})
	}
	var err error
	e.Exclude, err = json.Marshal(without)
	return e, err
}
