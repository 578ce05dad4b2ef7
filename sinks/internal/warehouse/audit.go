package warehouse

import (
	"context"
	"fmt"
	"time"
)

// AuditFolder is a Tx whose audit table would grow by a row an epoch, of which there may be fifty a
// second.
type AuditFolder interface {
	// FoldEpochs makes one row of those of a minute, for some of the owner's epochs from one
	// on that ended before a time: the row of the minute's last epoch, with the sum of the rows and
	// the first beginning. It returns from which epoch on there may be more to fold.
	FoldEpochs(ctx context.Context, o Owner, from int64, before time.Time) (next int64, err error)
}

const (
	// foldEvery is the number of commits after which rows of the audit table are folded.
	foldEvery = 64
	// foldRowsMax is the number of rows that are looked at then: more than were added since, so that
	// a table of an older version is folded in time, and few enough for a commit.
	foldRowsMax = 2000
	// foldAge is how long the audit table has a row for each epoch.
	foldAge = time.Hour
)

// foldAudit folds rows of the audit table, in one of many commits.
func (s *Sink) foldAudit(ctx context.Context, tx Tx, now time.Time) error {
	folder, ok := tx.(AuditFolder)
	if s.commits++; !ok || s.commits%foldEvery != 0 {
		return nil
	}
	next, err := folder.FoldEpochs(ctx, s.owner(), s.foldedTo, now.Add(-foldAge).Truncate(time.Minute))
	if err != nil {
		return fmt.Errorf("folding rows of %s: %w", EpochsTable, err)
	}
	s.foldedTo = next
	return nil
}

// FoldAudit is FoldEpochs for a database that has date_trunc, DELETE … USING and UPDATE … FROM.
func (t *SQL) FoldAudit(ctx context.Context, o Owner, from int64, before time.Time) (next int64, err error) {
	table, own := t.in(EpochsTable), `"pipeline" = $1 AND "state_id" = $2 AND "sink" = $3 AND "epoch" >= $4`
	args := []any{o.Pipeline, o.StateID, o.Sink, from}
	found, err := t.Query(ctx, fmt.Sprintf(`SELECT count(*), coalesce(max("epoch"), 0) FROM (SELECT "epoch", "ended_at" FROM %s WHERE %s ORDER BY "epoch" LIMIT %d) e WHERE "ended_at" < $5`,
		table, own, foldRowsMax), append(args, before.UTC())...)
	if err != nil {
		return 0, err
	}
	var n int64
	if _, err := fmt.Sscan(found[0][0]+" "+found[0][1], &n, &next); err != nil {
		return 0, fmt.Errorf("counting rows: %w", err)
	}
	if n < 2 {
		return from, nil
	}
	own += ` AND "epoch" <= $5`
	args = append(args, next)
	minutes := fmt.Sprintf(`(SELECT date_trunc('minute', "ended_at") AS "minute", max("epoch") AS "last", CAST(sum("rows") AS bigint) AS "sum", min("started_at") AS "began" FROM %s WHERE %s GROUP BY 1 HAVING count(*) > 1) m`, table, own)
	if _, err := t.Exec(ctx, fmt.Sprintf(`UPDATE %s SET "rows" = m."sum", "started_at" = m."began" FROM %s WHERE %s AND "epoch" = m."last"`, table, minutes, own), args...); err != nil {
		return 0, err
	}
	_, err = t.Exec(ctx, fmt.Sprintf(`DELETE FROM %s USING %s WHERE %s AND "epoch" < m."last" AND date_trunc('minute', "ended_at") = m."minute"`, table, minutes, own), args...)
	return next, err
}
