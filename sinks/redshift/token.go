package redshift

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// tokenTable is the name of the table whose rows are the tokens of one sink of one pipeline, a
// row for each state folder.
func tokenTable(o warehouse.Owner) string {
	return tokenPrefix + fmt.Sprintf("%x", sha256.Sum256([]byte(o.Pipeline+"\n"+o.Sink)))[:16]
}

// tokenColumns are the columns of a token table, in order.
var tokenColumns = []pipeline.Column{
	{Name: "pipeline", Type: pipeline.Type{Kind: pipeline.String}}, {Name: "state_id", Type: pipeline.Type{Kind: pipeline.String}}, {Name: "sink", Type: pipeline.Type{Kind: pipeline.String}},
	{Name: "epoch", Type: pipeline.Type{Kind: pipeline.Int64}}, {Name: "committed_at", Type: pipeline.Type{Kind: pipeline.Timestamp}},
}

// tokens returns the table of an owner's tokens.
func tokens(o warehouse.Owner) *pipeline.Table {
	t, err := pipeline.NewTable(tokenTable(o), tokenColumns, []string{"state_id"})
	if err != nil {
		panic(err) // the columns are constants
	}
	return t
}

// LockToken implements warehouse.TokenLedger. LOCK comes before all that takes a snapshot, so that
// what is read behind it is what the last holder has left. An opening locks the table of owners
// too: two that take tables at a time would both find that a table is nobody's. Nobody reads it
// but openings.
func (t *tx) LockToken(ctx context.Context, o warehouse.Owner) error {
	if t.phase == checking {
		if err := t.makeOwnTables(ctx, o); err != nil {
			return err
		}
	}
	t.token = t.in(tokenTable(o))
	if t.unlocked {
		return nil
	}
	lock := "LOCK " + t.token
	if t.phase == opening {
		lock += ", " + t.in(warehouse.TablesTable)
	}
	if _, err := t.Exec(ctx, lock); err != nil {
		return fmt.Errorf("waiting for the token: %w", err)
	}
	clear(t.relations)
	if t.phase == opening || t.phase == checking {
		return t.readRelations(ctx, append(namesOf(t.tables), namesOf(ownTables(o))...)...)
	}
	return nil
}

// OpenToken implements warehouse.TokenLedger: the first epoch makes the token.
func (t *tx) OpenToken(context.Context, warehouse.Owner) error { return nil }

// LastEpoch implements warehouse.TokenLedger.
func (t *tx) LastEpoch(ctx context.Context, o warehouse.Owner) (epoch int64, err error) {
	rows, err := t.Query(ctx, fmt.Sprintf(`SELECT "epoch" FROM %s WHERE "pipeline" = $1 AND "state_id" = $2 AND "sink" = $3`, t.token), o.Pipeline, o.StateID, o.Sink)
	switch {
	case err != nil || len(rows) == 0:
		return 0, err
	case len(rows) > 1: // keys are not enforced
		return 0, fmt.Errorf("table %s has %d rows for state folder %s, and should have one: something else has written to it", t.token, len(rows), o.StateID)
	}
	_, err = fmt.Sscan(rows[0][0], &epoch)
	return epoch, err
}

// OtherState implements warehouse.TokenLedger.
func (t *tx) OtherState(ctx context.Context, o warehouse.Owner) (stateID string, epoch int64, err error) {
	rows, err := t.Query(ctx, fmt.Sprintf(`SELECT "state_id", "epoch" FROM %s WHERE "pipeline" = $1 AND "state_id" <> $2 AND "sink" = $3 ORDER BY "committed_at" DESC LIMIT 1`, t.token),
		o.Pipeline, o.StateID, o.Sink)
	if err != nil || len(rows) == 0 {
		return "", 0, err
	}
	_, err = fmt.Sscan(rows[0][1], &epoch)
	return rows[0][0], epoch, err
}

// RecordEpoch implements warehouse.TokenLedger. The audit table is written last, so that other
// sinks wait for its lock a moment only, and never read here: under SERIALIZABLE, two transactions
// that read and write one table abort each other.
func (t *tx) RecordEpoch(ctx context.Context, a warehouse.Audit) error {
	n, err := t.Exec(ctx, fmt.Sprintf(`UPDATE %s SET "epoch" = $1, "committed_at" = $2 WHERE "pipeline" = $3 AND "state_id" = $4 AND "sink" = $5`, t.token),
		a.Epoch, a.Ended.UTC(), a.Pipeline, a.StateID, a.Sink)
	if err == nil && n == 0 {
		_, err = t.Exec(ctx, fmt.Sprintf(`INSERT INTO %s ("pipeline", "state_id", "sink", "epoch", "committed_at") VALUES ($1, $2, $3, $4, $5)`, t.token),
			a.Pipeline, a.StateID, a.Sink, a.Epoch, a.Ended.UTC())
	}
	if err != nil {
		return err
	}
	return t.RecordAudit(ctx, a)
}

// DropTokens implements warehouse.TokenDropper. The tables are those of the sink, and of sinks that
// the pipeline file has no longer, as far as the sinks' own tables know of them.
func (t *tx) DropTokens(ctx context.Context, sink string, r *pipeline.Reset) (dropped []string, err error) {
	sinks := []string{sink}
	for _, own := range []string{warehouse.EpochsTable, warehouse.TablesTable} {
		there, err := t.FindTable(ctx, own)
		if err != nil {
			return nil, err
		}
		if there == nil {
			continue
		}
		rows, err := t.Query(ctx, fmt.Sprintf(`SELECT DISTINCT "sink" FROM %s WHERE "pipeline" = $1 ORDER BY 1`, t.in(own)), r.Pipeline)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			sinks = append(sinks, row[0])
		}
	}
	seen := map[string]bool{}
	for _, s := range sinks {
		if seen[s] || !r.Owns(sink, r.Pipeline, s) {
			continue
		}
		seen[s] = true
		name := tokenTable(warehouse.Owner{Pipeline: r.Pipeline, Sink: s})
		there, err := t.FindTable(ctx, name)
		if err != nil {
			return nil, err
		}
		if there == nil {
			continue
		}
		if r.Do {
			if err := t.DropTable(ctx, name); err != nil {
				return nil, err
			}
		}
		dropped = append(dropped, name)
	}
	return dropped, nil
}
