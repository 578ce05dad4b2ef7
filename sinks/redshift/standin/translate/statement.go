package translate

import (
	"context"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// Statement checks a statement and translates it. The error is a *pgconn.PgError, unless
// the catalog could not be asked. With an error the plan has nothing but the notices that
// come before it.
func Statement(ctx context.Context, text *syntax.Text, env *Env, catalog Catalog) (*Plan, error) {
	t := &translator{ctx: ctx, text: text, env: env, catalog: catalog, plan: &Plan{}, functions: functions}
	t.statement(text.Statement)
	t.checkNodes()
	if t.err != nil {
		return &Plan{Notices: t.plan.Notices}, t.err
	}
	return t.plan, nil
}

func (t *translator) statement(st syntax.Statement) {
	switch st := st.(type) {
	case *syntax.SelectStatement:
		t.selectStatement(st)
	case *syntax.Explain:
		t.explain(st)
	case *syntax.Insert:
		t.insert(st)
	case *syntax.Update:
		t.update(st)
	case *syntax.Delete:
		t.delete(st)
	case *syntax.Merge:
		t.mergeStatement(st)
	case *syntax.Truncate:
		t.truncate(st)
	default:
		t.otherStatement(st)
	}
}

// explain is EXPLAIN: the plan is PostgreSQL's, in the words of Redshift's steps.
func (t *translator) explain(st *syntax.Explain) {
	t.statement(st.Of)
	if t.err != nil {
		return
	}
	if len(t.plan.SQL) != 1 || t.plan.Copy != nil || t.plan.Unload != nil {
		t.fail(unknownToStandin("EXPLAIN of this statement"))
		return
	}
	t.plan.SQL[0] = "EXPLAIN " + t.plan.SQL[0]
	t.plan.Query, t.plan.Tag, t.plan.Columns, t.plan.Commits = true, "EXPLAIN", nil, false
	t.plan.Writes, t.plan.Locks, t.plan.Creates = nil, nil, nil
}

// notInBlock notes that a statement may not be in a transaction block. Redshift asks that
// before it looks at what the statement is to do.
func (t *translator) notInBlock(what string) {
	t.plan.NoBlock = what + " cannot run inside a transaction block"
	if t.env.InTransaction {
		t.refuse(codeActiveTransaction, "%s", t.plan.NoBlock)
	}
}

func (t *translator) run(sql string) { t.plan.SQL = append(t.plan.SQL, sql) }

// reads, writes and locks note a table that the statement needs.
func (t *translator) reads(r *Relation) {
	t.plan.Reads = addTarget(t.plan.Reads, r.target())
}

func (t *translator) writes(r *Relation) {
	t.plan.Writes = addTarget(t.plan.Writes, r.target())
}

// locks notes a table that the statement has for itself, as DDL does.
func (t *translator) locks(r *Relation) {
	t.plan.Locks = append(t.plan.Locks, Lock{Target: Target{OID: r.OID, Name: r.Name}, Exclusive: true})
}

func (r *Relation) target() Target { return Target{OID: r.OID, Name: r.Name} }

func addTarget(list []Target, x Target) []Target {
	for _, y := range list {
		if x.OID == y.OID {
			return list
		}
	}
	return append(list, x)
}
