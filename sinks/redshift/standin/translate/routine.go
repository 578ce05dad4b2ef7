package translate

import (
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// Routine is a function or a procedure that a user has made.
type Routine struct {
	Schema, Name string
	Kind         string // function, procedure
	Language     string // sql, plpythonu, plpgsql
	// Args are the names of the types of what it takes.
	Args    []string
	Returns Type // of a function
	// Leader tells that it uses what only the leader node has.
	Leader bool
	// Definition is a procedure's, from its arguments on, as SHOW PROCEDURE writes it.
	Definition string
}

// routineLanguages are those that routines of each kind are written in (r_CREATE_FUNCTION,
// r_CREATE_PROCEDURE).
var routineLanguages = map[string][]string{"function": {"sql", "plpythonu"}, "procedure": {"plpgsql"}}

// createRoutine is CREATE FUNCTION and CREATE PROCEDURE. A function in SQL becomes one of
// PostgreSQL over the translated expression. What is written in Python or PL/pgSQL is kept,
// with its name and its rights, and is not run.
func (t *translator) createRoutine(st *syntax.Routine) {
	t.plan.Tag = "CREATE " + strings.ToUpper(st.Kind)
	if !contains(routineLanguages[st.Kind], st.Language) {
		t.refuse(codeUndefinedObject, "language %q does not exist", st.Language)
		return
	}
	schema, name := t.tableName(st.Name)
	t.checkSchema(schema)
	args, types := t.routineArgs(st)
	var returns Type
	if st.Returns != nil {
		returns = t.typeOf(*st.Returns)
	}
	body, leader := "", false
	switch st.Language {
	case "sql":
		body, leader = t.functionBody(st, args, returns)
	case "plpythonu":
		body = "SELECT CAST(NULL AS " + returns.postgres() + ")"
	}
	if t.err != nil {
		return
	}
	sql := "CREATE "
	if st.Replace {
		sql += "OR REPLACE "
	}
	sql += strings.ToUpper(st.Kind) + " " + t.newTable(schema, name, false) + "(" + types + ")"
	if st.Returns != nil {
		sql += " RETURNS " + returns.postgres()
	}
	sql += " LANGUAGE sql"
	for _, o := range st.Options {
		switch o.Name {
		case "volatile", "stable", "immutable", "security definer":
			sql += " " + strings.ToUpper(o.Name)
		}
	}
	t.run(sql + " AS " + literal(body))
	t.metadata("set_routine", literal(t.shortName(schema)), literal(t.shortName(name)), literal(types), literal(st.Language), literal(st.Body),
		literal(t.routineDefinition(st)), literal(returns.Name), strconv.Itoa(returns.Length), strconv.Itoa(returns.Precision), strconv.Itoa(returns.Scale),
		strconv.FormatBool(leader))
}

// routineArgs are what a routine takes: OUT is what it gives.
func (t *translator) routineArgs(st *syntax.Routine) (args []Type, list string) {
	var types []string
	for _, a := range st.Args {
		ty := t.typeOf(a.Type)
		if a.Mode == "out" {
			continue
		}
		args = append(args, ty)
		types = append(types, ty.postgres())
		if st.Language == "sql" && a.Name.Text != "" {
			t.refuse(codeNotSupported, "arguments of a function in SQL have no names: they are $1, $2 and so on")
		}
	}
	return args, strings.Join(types, ", ")
}

// functionBody translates the SELECT of a function in SQL: one expression and nothing else
// (udf-creating-a-scalar-sql-udf).
func (t *translator) functionBody(st *syntax.Routine, args []Type, returns Type) (sql string, leader bool) {
	texts, err := syntax.Parse(st.Body)
	if err != nil {
		t.fail(err)
		return "", false
	}
	var x syntax.Expr
	if len(texts) == 1 {
		x = soleExpression(texts[0].Statement)
	}
	if x == nil {
		t.refuse(codeNotSupported, "the body of a function in SQL must be a SELECT of one expression, without FROM, INTO, WHERE, GROUP BY, ORDER BY and LIMIT")
		return "", false
	}
	t.params = append([]Type{}, args...)
	v := t.expr(&scope{}, x)
	t.params = nil
	if t.volatile {
		t.fail(unknownToStandin("a function of the session in the body of another"))
	}
	if returns.Name == typeNumeric {
		v.sql = "CAST(" + v.sql + " AS " + returns.postgres() + ")"
	}
	if len(t.plan.Reads) > 0 {
		t.refuse(codeNotSupported, "the body of a function in SQL cannot read tables")
	}
	if !t.computes && len(t.leader) > 0 {
		// That is for each call to be refused for, if it is beside a table.
		leader, t.leader = true, nil
	}
	return "SELECT " + v.sql, leader
}

// soleExpression is what a SELECT of one expression and nothing else selects; else nil.
func soleExpression(st syntax.Statement) syntax.Expr {
	q, ok := st.(*syntax.SelectStatement)
	if !ok || q.Query.With != nil || q.Query.OrderBy != nil || q.Query.Limit != nil || q.Query.Offset != nil {
		return nil
	}
	s, ok := q.Query.Body.(*syntax.Select)
	switch {
	case !ok, len(s.Targets) != 1, s.Distinct, s.Top != nil, s.Exclude != nil, s.Into != nil, s.From != nil, s.Where != nil:
		return nil
	case s.StartWith != nil, s.ConnectBy != nil, s.GroupBy != nil, s.GroupAll, s.Having != nil, s.Qualify != nil:
		return nil
	}
	return s.Targets[0].X
}

// param is $n: of the statement, or of the function whose body is translated.
func (t *translator) param(n int) value {
	v := value{sql: paramSQL(n)}
	switch {
	case t.params == nil:
	case n < 1 || n > len(t.params):
		t.refuse(codeUndefinedParameter, "there is no parameter $%d", n)
	default:
		v.typ = t.params[n-1]
	}
	return v
}

// routineDefinition is what SHOW PROCEDURE says after the name.
func (t *translator) routineDefinition(st *syntax.Routine) string {
	var list []string
	for _, a := range st.Args {
		var words []string
		if a.Name.Text != "" {
			words = append(words, t.name(a.Name))
		}
		if a.Mode == "out" || a.Mode == "inout" {
			words = append([]string{strings.ToUpper(a.Mode)}, words...)
		}
		list = append(list, strings.Join(append(words, t.typeOf(a.Type).Name), " "))
	}
	return "(" + strings.Join(list, ", ") + ")\n LANGUAGE " + st.Language + "\nAS $_$" + st.Body + "$_$\n"
}

// routines are those of a kind and a name that the search path finds first.
func (t *translator) routines(kind string, n syntax.Name) []Routine {
	schema, name := t.tableName(n)
	if t.err != nil {
		return nil
	}
	all, err := t.catalog.Routines(t.ctx, schema, name)
	if err != nil {
		t.fail(err)
	}
	var found []Routine
	for _, r := range all {
		if r.Kind == kind {
			found = append(found, r)
		}
	}
	return found
}

// routine is the one that takes these types, or the error that there is none.
func (t *translator) routine(kind string, n syntax.Name, types []syntax.Type) *Routine {
	args := make([]string, len(types))
	for i, ty := range types {
		args[i] = t.typeOf(ty).Name
	}
	list := strings.Join(args, ", ")
	for _, r := range t.routines(kind, n) {
		if strings.Join(r.Args, ", ") == list {
			return &r
		}
	}
	t.refuse(codeUndefinedFunction, "%s %s(%s) does not exist", kind, strings.Join(t.names(n), "."), list)
	return nil
}

// signature writes a routine for PostgreSQL.
func (t *translator) signature(r *Routine) string {
	types := make([]string, len(r.Args))
	for i, a := range r.Args {
		types[i] = Type{Name: a}.postgres()
		if a == typeChar {
			types[i] = "character"
		}
		if a == typeVarchar {
			types[i] = "character varying"
		}
	}
	return t.quote(r.Schema) + "." + t.quote(r.Name) + "(" + strings.Join(types, ", ") + ")"
}

// dropRoutine is DROP FUNCTION and DROP PROCEDURE.
func (t *translator) dropRoutine(st *syntax.Drop) {
	for _, n := range st.Names {
		r := t.routine(st.Kind, n, st.Args)
		if r == nil {
			return
		}
		t.run("DROP " + strings.ToUpper(st.Kind) + " " + t.signature(r) + cascade(st.Cascade))
	}
}

// grantRoutines is GRANT EXECUTE ON FUNCTION and ON PROCEDURE.
func (t *translator) grantRoutines(st *syntax.Grant) {
	to := t.grantees(st.To)
	for _, p := range st.Privileges {
		if p.Name != "execute" && p.Name != "all" {
			t.refuse(codeInvalidGrant, "invalid privilege type %s for %s", strings.ToUpper(p.Name), st.Kind)
		}
	}
	for i, object := range st.Objects {
		r := t.routine(st.Kind, object, st.Args[i])
		if r == nil {
			return
		}
		t.run(t.grantWord(st) + "EXECUTE ON " + strings.ToUpper(st.Kind) + " " + t.signature(r) + t.grantEnd(st, to))
	}
}

// showProcedure is SHOW PROCEDURE. The types may be left away where the name is the only one.
func (t *translator) showProcedure(st *syntax.Show) {
	var r *Routine
	if all := t.routines("procedure", st.Name); st.Types == nil && len(all) == 1 {
		r = &all[0]
	} else if r = t.routine("procedure", st.Name, st.Types); r == nil {
		return
	}
	t.run("SELECT " + literal("CREATE OR REPLACE PROCEDURE "+r.Schema+"."+r.Name+r.Definition) + `::text AS "Stored Procedure Definition"`)
}

// callProcedure is CALL. It refuses what there is, since nothing here runs PL/pgSQL.
func (t *translator) callProcedure(st *syntax.CallProcedure) {
	args := t.exprs(&scope{}, st.Args)
	for _, r := range t.routines("procedure", st.Name) {
		if len(r.Args) == len(args) {
			e := unknownToStandin("CALL")
			e.Detail = "It keeps procedures, and runs no PL/pgSQL."
			t.fail(e)
		}
	}
	t.refuse(codeUndefinedFunction, "procedure %s(%s) does not exist", strings.Join(t.names(st.Name), "."), typeNames(args))
}

// userFunction is a call of a function that a user has made.
func (t *translator) userFunction(s *scope, c *syntax.Call) value {
	args := t.exprs(s, c.Args)
	var found []Routine
	for _, r := range t.routines("function", c.Name) {
		if len(r.Args) == len(args) && (found == nil || r.Schema == found[0].Schema) {
			found = append(found, r)
		}
	}
	name := strings.Join(t.names(c.Name), ".")
	if len(found) == 0 || c.Star {
		t.refuseCall(name, args)
		return value{}
	}
	t.checkCall(name, function{kind: scalar}, c)
	v := value{sql: t.quote(found[0].Schema) + "." + t.quote(found[0].Name) + "(" + join(args) + ")", typ: found[0].Returns, label: found[0].Name}
	for _, r := range found {
		if r.Language == "plpythonu" {
			e := unknownToStandin("a function in Python")
			e.Detail = "It keeps such functions, and runs no Python."
			t.fail(e)
		}
		if r.Leader {
			t.leaderFunction(name)
		}
		if r.Returns != v.typ {
			v.typ = Type{}
		}
	}
	return v
}
