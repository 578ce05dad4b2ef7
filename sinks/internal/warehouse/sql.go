package warehouse

import (
	"context"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
)

// Session runs statements in one transaction. Parameters are $1, $2, …: strings,
// int64s and times; nil is NULL.
type Session interface {
	// Query returns a query's rows as texts; a null is empty.
	Query(ctx context.Context, query string, args ...any) ([][]string, error)
	// Exec runs a statement, and returns how many rows it touched. Without
	// parameters there may be several, of which the last one counts.
	Exec(ctx context.Context, statement string, args ...any) (int64, error)
}

// SQL is what the transactions of all databases have in common that speak SQL: a
// dialect's Tx embeds it, and adds what its catalogue and its locks are like.
type SQL struct {
	Session
	Dialect *Dialect
	Schema  string
	// hasRefused is read together with the token: there is a RefusedTable.
	hasRefused bool
}

// sqlTx is a Tx that embeds SQL.
type sqlTx interface{ base() *SQL }

var _ sqlTx = (*SQL)(nil)

func (t *SQL) base() *SQL { return t }

// in returns the quoted name of a table.
func (t *SQL) in(table string) string { return QualifiedName(t.Schema, table) }

// CreateSchema implements Catalog for a database whose schemas everybody may make.
func (t *SQL) CreateSchema(ctx context.Context) error {
	_, err := t.Exec(ctx, createSchema(t.Schema))
	return err
}

// CreateTable implements Catalog.
func (t *SQL) CreateTable(ctx context.Context, table *pipeline.Table) error {
	_, err := t.Exec(ctx, t.Dialect.CreateTable(t.Schema, table))
	return err
}

// AddColumn implements Catalog.
func (t *SQL) AddColumn(ctx context.Context, table string, c pipeline.Column) error {
	_, err := t.Exec(ctx, t.Dialect.addColumn(t.Schema, table, c))
	return err
}

// DropTable implements Catalog.
func (t *SQL) DropTable(ctx context.Context, table string) error {
	_, err := t.Exec(ctx, "DROP TABLE "+t.in(table))
	return err
}

// HasRows implements TableReader.
func (t *SQL) HasRows(ctx context.Context, table string) (bool, error) {
	rows, err := t.Query(ctx, fmt.Sprintf("SELECT 1 FROM %s LIMIT 1", t.in(table)))
	return len(rows) > 0, err
}

// OpenToken implements TokenLedger.
func (t *SQL) OpenToken(ctx context.Context, o Owner) error {
	newest := fmt.Sprintf(`(SELECT "state_id", max("epoch") AS "last", max("ended_at") AS "ended" FROM (
			SELECT "state_id", "epoch", "ended_at" FROM %s WHERE "pipeline" = $1 AND "sink" = $2 UNION ALL SELECT CAST($3 AS varchar), 0, CAST(NULL AS timestamp)) a GROUP BY "state_id") n`, t.in(EpochsTable))
	own := fmt.Sprintf(`%[1]s."pipeline" = $1 AND %[1]s."sink" = $2 AND %[1]s."state_id" = n."state_id"`, Quote(TokensTable))
	_, err := t.Exec(ctx, fmt.Sprintf(`UPDATE %s SET "epoch" = n."last", "committed_at" = n."ended" FROM %s WHERE %s AND "epoch" < n."last"`, t.in(TokensTable), newest, own),
		o.Pipeline, o.Sink, o.StateID)
	if err != nil {
		return err
	}
	_, err = t.Exec(ctx, fmt.Sprintf(`INSERT INTO %[1]s ("pipeline", "state_id", "sink", "epoch", "committed_at") SELECT $1, n."state_id", $2, n."last", n."ended" FROM %[2]s
			WHERE NOT EXISTS (SELECT 1 FROM %[1]s WHERE %[3]s)`, t.in(TokensTable), newest, own), o.Pipeline, o.Sink, o.StateID)
	return err
}

// LastEpoch implements TokenLedger.
func (t *SQL) LastEpoch(ctx context.Context, o Owner) (epoch int64, err error) {
	query, args := t.EpochQuery(o)
	rows, err := t.Query(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return t.ReadEpoch(rows)
}

// EpochQuery returns the query of LastEpoch.
func (t *SQL) EpochQuery(o Owner) (query string, args []any) {
	refused := ""
	if t.Dialect.Refusals != nil {
		refused = ", " + t.Dialect.Refusals.HasTable(t.in(RefusedTable))
	}
	return fmt.Sprintf(`SELECT coalesce(max("epoch"), 0)%s FROM %s WHERE "pipeline" = $1 AND "state_id" = $2 AND "sink" = $3`, refused, t.in(TokensTable)),
		[]any{o.Pipeline, o.StateID, o.Sink}
}

// ReadEpoch returns what LastEpoch does, of the rows that EpochQuery found.
func (t *SQL) ReadEpoch(rows [][]string) (epoch int64, err error) {
	t.hasRefused = t.Dialect.Refusals != nil && rows[0][1] == "t"
	_, err = fmt.Sscan(rows[0][0], &epoch)
	return epoch, err
}

// OtherState implements TokenLedger.
func (t *SQL) OtherState(ctx context.Context, o Owner) (stateID string, epoch int64, err error) {
	rows, err := t.Query(ctx, fmt.Sprintf(`SELECT "state_id", "epoch" FROM %s WHERE "pipeline" = $1 AND "state_id" <> $2 AND "sink" = $3 AND "epoch" > 0 ORDER BY "committed_at" DESC LIMIT 1`,
		t.in(TokensTable)), o.Pipeline, o.StateID, o.Sink)
	if err != nil || len(rows) == 0 {
		return "", 0, err
	}
	_, err = fmt.Sscan(rows[0][1], &epoch)
	return rows[0][0], epoch, err
}

// RecordEpoch implements TokenLedger.
func (t *SQL) RecordEpoch(ctx context.Context, a Audit) error {
	statement, args := t.TokenStatement(a)
	n, err := t.Exec(ctx, statement, args...)
	if err == nil {
		err = CheckCount(n, 1, "of "+TokensTable+" updated")
	}
	if err == nil {
		err = t.RecordAudit(ctx, a)
	}
	return err
}

// TokenStatement returns what updates the token: one row.
func (t *SQL) TokenStatement(a Audit) (statement string, args []any) {
	return fmt.Sprintf(`UPDATE %s SET "epoch" = $1, "committed_at" = $2 WHERE "pipeline" = $3 AND "state_id" = $4 AND "sink" = $5`, t.in(TokensTable)),
		[]any{a.Epoch, a.Ended.UTC(), a.Pipeline, a.StateID, a.Sink}
}

// RecordAudit writes the row of the audit table.
func (t *SQL) RecordAudit(ctx context.Context, a Audit) error {
	statement, args := t.AuditStatement(a)
	_, err := t.Exec(ctx, statement, args...)
	return err
}

// AuditStatement returns what RecordAudit executes.
func (t *SQL) AuditStatement(a Audit) (statement string, args []any) {
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES ($1, 'committed', $2, $3, $4, $5, $6, $7, $8)", t.in(EpochsTable), Quoted(EpochColumns)),
		[]any{a.Pipeline + "." + a.Sink, a.Started.UTC(), a.Ended.UTC(), a.Rows, a.Pipeline, a.StateID, a.Sink, a.Epoch}
}

// ofSchema selects the rows of TablesTable that are of the schema, the parameter n.
func (t *SQL) ofSchema(n int) string {
	if fold := t.Dialect.FoldSQL; fold != nil {
		return fmt.Sprintf(`%s = %s`, fold(`"schema"`), fold(fmt.Sprint("$", n)))
	}
	return fmt.Sprintf(`"schema" = $%d`, n)
}

// TableOwners implements Ledger.
func (t *SQL) TableOwners(ctx context.Context) ([]TableOwner, error) {
	rows, err := t.Query(ctx, fmt.Sprintf(`SELECT "table", "pipeline", "state_id", "sink" FROM %s WHERE %s ORDER BY "table"`, t.in(TablesTable), t.ofSchema(1)), t.Schema)
	all := make([]TableOwner, len(rows))
	for i, r := range rows {
		all[i] = TableOwner{r[0], Owner{r[1], r[2], r[3]}}
	}
	return all, err
}

// RecordOwner implements Ledger.
func (t *SQL) RecordOwner(ctx context.Context, table string, o Owner) error {
	_, err := t.Exec(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES ($1, $2, $3, $4, $5)", t.in(TablesTable), Quoted(TablesColumns)), t.Schema, table, o.Pipeline, o.StateID, o.Sink)
	return err
}

// CountOwn implements Ledger.
func (t *SQL) CountOwn(ctx context.Context, table, sink string, r *pipeline.Reset) (n int64, err error) {
	which, args := fmt.Sprintf(`FROM %s WHERE "pipeline" = $1`, t.in(table)), []any{r.Pipeline}
	and := func(condition func(n int) string, arg string) {
		args = append(args, arg)
		which += " AND " + condition(len(args))
	}
	if table == TablesTable {
		and(t.ofSchema, t.Schema)
	}
	for _, other := range r.Sinks {
		if other != sink {
			and(func(n int) string { return fmt.Sprintf(`"sink" <> $%d`, n) }, other)
		}
	}
	rows, err := t.Query(ctx, "SELECT count(*) "+which, args...)
	if err == nil {
		_, err = fmt.Sscan(rows[0][0], &n)
	}
	if err == nil && r.Do && n > 0 {
		_, err = t.Exec(ctx, "DELETE "+which, args...)
	}
	return n, err
}
