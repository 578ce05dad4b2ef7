package warehouse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

const (
	// refusedRowsMax is the number of rows of an epoch that may be refused: if there are more,
	// something else is wrong than the rows.
	refusedRowsMax = 1000
	// retryPassesMax is how often refused rows are tried again because others were accepted.
	retryPassesMax = 16
)

// bisection finds the rows of an epoch that the database refuses, in a transaction
// that is rolled back. Rows are tried many at a time, and half of them when they
// are refused, on top of all that was taken before them.
type bisection struct {
	*exceptions
	found []refusedRow
}

type refusedRow struct {
	part    *part
	number  int64
	message string
}

// findRefused returns the rows that the database refuses besides those that are
// excluded already; nil = it is not about rows.
func (s *Sink) findRefused(ctx context.Context, c *pipeline.Committable, files *Files, all []StagedTable, excluded []exclusion) (refused *pipeline.RefusedError, err error) {
	db, ok := s.cfg.Database.(Rehearser)
	if !ok {
		return nil, errors.New("a database that refuses rows does not rehearse transactions")
	}
	err = db.Rehearse(ctx, func(ctx context.Context, tx Tx) error {
		applied, err := s.alreadyApplied(ctx, tx, c)
		if err != nil || applied {
			return err
		}
		e, err := s.newExceptions(tx, c.Epoch, excluded)
		if err != nil {
			return err
		}
		b := &bisection{exceptions: e}
		refused, err = b.run(ctx, files, all)
		return err
	})
	return refused, err
}

func (b *bisection) run(ctx context.Context, files *Files, all []StagedTable) (*pipeline.RefusedError, error) {
	// Deferred constraints would be checked at COMMIT, which tells nothing of single rows.
	if _, err := b.Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE"); err != nil {
		return nil, err
	}
	for i := range all {
		for _, p := range b.partsOf(&all[i]) {
			if err := p.load(ctx, files); err != nil {
				return nil, err
			}
			if err := b.search(ctx, p, 1, p.rows); err != nil {
				return nil, fmt.Errorf("table %q: %w", p.table.Table, err)
			}
		}
	}
	if err := b.retry(ctx); err != nil {
		return nil, err
	}
	return b.refused(ctx)
}

// search tries a part's rows with these numbers.
func (b *bisection) search(ctx context.Context, p *part, first, last int64) error {
	err := b.attempt(ctx, p, first, last)
	switch {
	case !b.isRefusal(err):
		return err
	case first == last:
		return b.refuse(ctx, p, first, err)
	}
	middle := first + (last-first)/2
	if err := b.search(ctx, p, first, middle); err != nil {
		return err
	}
	return b.search(ctx, p, middle+1, last)
}

func (b *bisection) isRefusal(err error) bool {
	return err != nil && b.Dialect.Refusals.IsRefusal(err)
}

// attempt applies rows, or leaves everything as it was.
func (b *bisection) attempt(ctx context.Context, p *part, first, last int64) error {
	if _, err := b.Exec(ctx, "SAVEPOINT attempt"); err != nil {
		return err
	}
	err := p.apply(ctx, first, last)
	if err == nil {
		_, err = b.Exec(ctx, "RELEASE SAVEPOINT attempt")
		return err
	}
	if b.isRefusal(err) {
		if _, back := b.Exec(ctx, "ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt"); back != nil {
			return back
		}
	}
	return err
}

// refuse notes a row that is refused alone.
func (b *bisection) refuse(ctx context.Context, p *part, number int64, why error) error {
	if b.Dialect.Refusals.IsDuplicate(why) && p.op == pipeline.OpInsert {
		there, err := b.Query(ctx, fmt.Sprintf("SELECT 1 FROM %s t JOIN %s s ON %s WHERE s.%s = %d", b.in(p.table.Table), p.stage, p.table.JoinOnKey("t", "s"), p.number, number))
		if err != nil {
			return err
		}
		if len(there) > 0 {
			return fmt.Errorf("%w (%s)", errRowIsThere, why.Error())
		}
	}
	if len(b.found) == refusedRowsMax {
		return fmt.Errorf("more than %d rows of one epoch are refused; the last one: %s", refusedRowsMax, why.Error())
	}
	b.found = append(b.found, refusedRow{p, number, b.Dialect.Refusals.Reason(why)})
	return nil
}

// retry tries the refused rows again as long as some of them are accepted: a row may refer to
// another one that was inserted after it.
func (b *bisection) retry(ctx context.Context) error {
	for range retryPassesMax {
		before := len(b.found)
		var still []refusedRow
		for _, f := range b.found {
			err := b.attempt(ctx, f.part, f.number, f.number)
			switch {
			case b.isRefusal(err):
				still = append(still, f)
			case err != nil:
				return err
			}
		}
		b.found = still
		if len(still) == 0 || len(still) == before {
			return nil
		}
	}
	return nil
}

// refused returns what was found, with the rows themselves.
func (b *bisection) refused(ctx context.Context) (*pipeline.RefusedError, error) {
	if len(b.found) == 0 {
		return nil, nil
	}
	e := &pipeline.RefusedError{}
	excluded := slices.Clone(b.excluded)
	for _, f := range b.found {
		p := f.part
		rows, err := b.Query(ctx, fmt.Sprintf("SELECT %s FROM (SELECT %s FROM %s s WHERE s.%s = %d) r", b.Dialect.Refusals.RowOf, Quoted(p.columns()), p.stage, p.number, f.number))
		if err != nil {
			return nil, fmt.Errorf("reading a refused row: %w", err)
		}
		e.Rows = append(e.Rows, pipeline.RefusedRow{Table: p.table.Table, Op: p.op, Row: json.RawMessage(rows[0][0]), Message: f.message})
		excluded = append(excluded, exclusion{p.table.Table, p.suffix, f.number, f.message})
	}
	var err error
	e.Exclude, err = json.Marshal(excluded)
	return e, err
}
