package translate

import (
	"encoding/json"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// policy is CREATE, ALTER, ATTACH and DETACH of policies of row-level security and of
// masking (t_rls, t_ddm).
func (t *translator) policy(st *syntax.Policy) {
	t.plan.Tag = strings.ToUpper(st.Verb + " " + st.Kind + " policy")
	t.superuserOnly(st.Verb + " " + st.Kind + " policies")
	switch st.Verb {
	case "create":
		t.createPolicy(st)
	case "alter":
		t.alterPolicy(st)
	case "attach", "detach":
		for _, table := range append([]syntax.Name{st.On}, st.More...) {
			t.attachPolicy(st, table)
		}
	default:
		t.fail(unknownToStandin("this statement"))
	}
}

// createPolicy is CREATE {RLS | MASKING} POLICY (r_CREATE_RLS_POLICY,
// r_CREATE_MASKING_POLICY). The columns that it looks at are a table's only when it is
// attached.
func (t *translator) createPolicy(st *syntax.Policy) {
	name := literal(t.shortName(t.name(st.Name)))
	f := &source{name: st.Alias}
	var input []PolicyInput
	seen := map[string]bool{}
	for _, d := range st.With {
		c := output{name: t.name(d.Name), typ: t.columnType(t.name(st.Name)+"."+t.name(d.Name), d.Type)}
		if seen[c.name] {
			t.refuse(codeDuplicateColumn, "column %q duplicated", c.name)
		}
		seen[c.name] = true
		f.columns = append(f.columns, c)
		input = append(input, PolicyInput{Name: c.name, Type: c.typ.String()})
	}
	t.policyExpressions(st, f)
	columns, err := json.Marshal(lowerInput(input))
	if err != nil {
		t.fail(err)
		return
	}
	ifNotExists := len(st.Options) > 0 && st.Options[0].Name == "if not exists"
	if !ifNotExists {
		t.check("SELECT FROM rs.policy WHERE kind = "+literal(st.Kind)+" AND name = "+name, "42710", "policy %q already exists", t.name(st.Name))
	}
	t.run("INSERT INTO rs.policy (kind, name, input, expression, subquery, alias) VALUES (" + literal(st.Kind) + ", " + name + ", " +
		literal(string(columns)) + ", " + literal(st.UsingSQL) + ", " + boolSQL(anySubquery(st.Using)) + ", " + optionalLiteral(st.Alias) + ") ON CONFLICT DO NOTHING")
}

// lowerInput is an input as it is kept.
func lowerInput(list []PolicyInput) []map[string]string {
	out := make([]map[string]string, len(list))
	for i, c := range list {
		out[i] = map[string]string{"name": c.Name, "type": c.Type}
	}
	return out
}

func anySubquery(list []syntax.Expr) bool {
	for _, e := range list {
		if hasSubquery(e) {
			return true
		}
	}
	return false
}

// policyExpressions translates what a policy says over its columns, and returns the first:
// that of row-level security is a condition.
func (t *translator) policyExpressions(st *syntax.Policy, f *source) value {
	s := &scope{}
	if len(f.columns) > 0 {
		t.add(s, f)
	}
	leader, catalogs, computes := t.leader, t.catalogs, t.computes
	defer func() { t.leader, t.catalogs, t.computes = leader, catalogs, computes }()
	var first value
	for i, e := range st.Using {
		if t.aggregates(e) {
			t.refuse(codeGrouping, "aggregate functions are not allowed in policies")
		}
		v := t.expr(s, e)
		if i == 0 {
			first = v
		}
	}
	if st.Kind == "rls" && first.typ.Name != typeBoolean && first.typ.Name != "" {
		t.refuse(codeMismatch, "argument of USING must be type boolean, not type %s", first.typeName())
	}
	return first
}

// alterPolicy is ALTER … POLICY … USING. It is of a policy that is attached to nothing:
// what is attached has been translated.
func (t *translator) alterPolicy(st *syntax.Policy) {
	p := t.findPolicy(st)
	if p == nil {
		return
	}
	f := &source{name: p.Alias}
	for _, c := range p.Input {
		f.columns = append(f.columns, output{name: c.Name, typ: t.parseType(c.Type)})
	}
	t.policyExpressions(st, f)
	name := literal(t.shortName(t.name(st.Name)))
	of := "kind = " + literal(st.Kind) + " AND name = " + name
	t.check("SELECT FROM rs.attached_policy WHERE "+of, codeNotSupported, "ALTER of a policy that is attached is not supported by the stand-in")
	t.run("UPDATE rs.policy SET expression = " + literal(st.UsingSQL) + ", subquery = " + boolSQL(anySubquery(st.Using)) + " WHERE " + of)
}

// parseType reads a type that String has written.
func (t *translator) parseType(text string) Type {
	texts, err := syntax.Parse("CREATE TABLE t (c " + text + ")")
	if err != nil {
		t.fail(err)
		return Type{}
	}
	return t.typeOf(texts[0].Statement.(*syntax.CreateTable).Columns[0].Type)
}

func (t *translator) findPolicy(st *syntax.Policy) *Policy {
	if t.err != nil {
		return nil
	}
	p, err := t.catalog.Policy(t.ctx, st.Kind, t.name(st.Name))
	switch {
	case err != nil:
		t.fail(err)
	case p == nil:
		t.refuse(codeUndefinedObject, "policy %q does not exist", t.name(st.Name))
	}
	return p
}

// attachPolicy is ATTACH and DETACH for one table (r_ATTACH_RLS_POLICY,
// r_ATTACH_MASKING_POLICY).
func (t *translator) attachPolicy(st *syntax.Policy, table syntax.Name) {
	p := t.findPolicy(st)
	if p == nil {
		return
	}
	r := t.relation(table)
	if r == nil {
		return
	}
	if r.Kind != UserTable {
		t.fail(unknownToStandin("A policy on what is no permanent table"))
		return
	}
	t.locks(r)
	columns := t.policyColumns(st, r)
	if st.Verb == "attach" && st.Kind == "masking" {
		t.maskingInput(st, p, r)
	}
	condition := "NULL"
	if st.Verb == "attach" && st.Kind == "rls" {
		condition = literal(t.condition(p, r))
	}
	priority := "0"
	for _, o := range st.Options {
		if o.Name == "priority" {
			priority = t.limit(o, 0, 1<<31-1)
		}
	}
	for _, g := range st.To {
		if g.Kind == "group" {
			t.refuse(codeInvalidGrant, "a policy is attached to users, roles and PUBLIC")
			return
		}
		grantee := "public"
		if g.Kind != "public" {
			grantee = t.shortName(t.needPrincipal(granteeKind(g), principalName(g.Name)))
		}
		args := []string{literal(st.Kind), literal(t.shortName(t.name(st.Name))), regclass(t, r), columns, literal(grantee)}
		if st.Verb == "detach" {
			t.metadata("detach_policy", args...)
			continue
		}
		t.metadata("attach_policy", append(args, priority, condition)...)
	}
	if st.Verb == "attach" && st.Kind == "masking" {
		t.plan.Notices = append(t.plan.Notices, pgconn.Notice{Severity: "WARNING", Code: "01000",
			Message: "the stand-in keeps masking policies and does not mask: queries return the values as they are"})
	}
}

// policyColumns are those that a masking policy is attached to.
func (t *translator) policyColumns(st *syntax.Policy, r *Relation) string {
	var short []string
	for _, name := range t.names(st.Columns) {
		t.ownColumn(r, name)
		short = append(short, literal(t.shortName(name)))
	}
	return textArray(short)
}

// maskingInput holds the columns that a masking policy reads against its input, by their
// order: the names may differ, and the types may not (r_CREATE_MASKING_POLICY).
func (t *translator) maskingInput(st *syntax.Policy, p *Policy, r *Relation) {
	input := st.Input
	if input == nil {
		input = st.Columns
	}
	if len(input) != len(p.Input) {
		t.refuse(codeMismatch, "policy %q takes %d columns, and %d are given", t.name(st.Name), len(p.Input), len(input))
		return
	}
	for i, name := range t.names(input) {
		own := t.ownColumn(r, name)
		if own == nil {
			return
		}
		if ty := t.parseType(p.Input[i].Type); ty.Name != own.Type.Name {
			t.refuse(codeMismatch, "column %q of relation %q is of type %s, and the policy's of type %s", name, r.Name, own.Type, ty)
		}
	}
}

// condition is a policy of row-level security over a table, which has its columns by their
// names and with their types.
func (t *translator) condition(p *Policy, r *Relation) string {
	f := &source{name: p.Alias, alias: t.quote(r.Name)}
	if f.name == "" {
		f.name = r.Name
	}
	for _, c := range p.Input {
		own := t.ownColumn(r, c.Name)
		if own == nil {
			return ""
		}
		if ty := t.parseType(c.Type); ty.Name != own.Type.Name {
			t.refuse(codeMismatch, "column %q of relation %q is of type %s, and the policy's of type %s", c.Name, r.Name, own.Type, ty)
		}
		f.columns = append(f.columns, output{name: c.Name, typ: own.Type})
	}
	texts, err := syntax.Parse("SELECT " + p.Expression)
	if err != nil {
		t.fail(err)
		return ""
	}
	t.depth++ // its positions are none of the client's text
	defer func() { t.depth-- }()
	st := &syntax.Policy{Kind: "rls"}
	for _, target := range texts[0].Statement.(*syntax.SelectStatement).Query.Body.(*syntax.Select).Targets {
		st.Using = append(st.Using, target.X)
	}
	return t.policyExpressions(st, f).sql
}

// rowLevelSecurity is ALTER TABLE … ROW LEVEL SECURITY.
func (t *translator) rowLevelSecurity(r *Relation, a *syntax.RowLevelSecurity) {
	if r.Kind != UserTable {
		t.fail(unknownToStandin("ROW LEVEL SECURITY of what is no permanent table"))
		return
	}
	t.metadata("set_row_security", regclass(t, r), boolSQL(a.On), optionalLiteral(a.Conjunction))
}

// dropPolicy is DROP {RLS | MASKING} POLICY.
func (t *translator) dropPolicy(st *syntax.Drop) {
	kind := strings.TrimSuffix(st.Kind, " policy")
	name := t.name(st.Names[0].Last())
	t.superuserOnly("drop " + kind + " policies")
	p, err := t.catalog.Policy(t.ctx, kind, name)
	switch {
	case err != nil:
		t.fail(err)
		return
	case p == nil && st.IfExists:
		t.notice("policy %q does not exist, skipping", name)
		return
	case p == nil:
		t.refuse(codeUndefinedObject, "policy %q does not exist", name)
		return
	}
	args := []string{literal(kind), literal(t.shortName(name))}
	if !st.Cascade {
		t.check("SELECT FROM rs.attached_policy WHERE kind = "+args[0]+" AND name = "+args[1], codeDependents,
			"cannot drop policy %q because it is attached", name)
	}
	t.metadata("drop_policy", args...)
}
