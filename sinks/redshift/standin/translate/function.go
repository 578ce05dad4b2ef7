package translate

import (
	"maps"
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// function is what is known of a function of Redshift's. A function that is not in a list
// does not exist.
type function struct {
	// min and max are how many arguments it takes; a max below 0 is any number.
	min, max int
	node     node
	kind     kind
	// to is PostgreSQL's function, with its schema. Without it, build translates the call.
	to    string
	build builder
	// takes says what each argument has to be, a letter each, the last for all further: t a
	// text, j a text that is no SUPER, n a number, d a time, s a dynamic value, b bytes, p a
	// date part, . anything.
	takes string
	// gives tells the result's type.
	gives func(args []value) Type
}

// builder translates a call whose arguments are translated.
type builder func(t *translator, s *scope, c *syntax.Call, args []value) value

// node is where a function runs (c_sql-functions-leader-node,
// c_unsupported-postgresql-functions).
type node int

const (
	bothNodes node = iota
	leaderNode
	// noNode is of functions that are known and never run.
	noNode
)

// kind is of a function.
type kind int

const (
	scalar kind = iota
	aggregate
	window
)

// functions are all that there are.
var functions = union(stringFunctions, mathFunctions, dateFunctions, conditionFunctions, superFunctions,
	binaryFunctions, aggregateFunctions, windowFunctions, systemFunctions, leaderFunctions)

// elsewhere are functions of Redshift's that the stand-in has not.
var elsewhere = func() map[string]bool {
	out := map[string]bool{}
	for _, name := range strings.Fields(`
		object_transform json_serialize_to_varbyte
		get_bit get_byte set_bit set_byte to_ascii encode
		checksum farmfingerprint64 murmur3_32_hash text_to_int_alt text_to_numeric_alt approximate_percentile_disc
		user_is_member_of role_is_member_of pg_get_cols has_assumerole_privilege change_query_priority
		change_session_priority change_user_priority current_namespace pg_get_iam_role_by_user pg_get_iam_groups_by_user
		pg_get_session_roles pg_get_grantee_by_iam_role explain_model get_cluster_time_zone
		hll_add hll_add_agg hll_cardinality hll_combine hll_combine_agg hll_create_sketch hll_union hll_agg
		addbbox dropbbox geometrytype h3_frompoint h3_fromlonglat h3_polyfill
		`) {
		out[name] = true
	}
	return out
}()

// union puts lists of functions together.
func union(lists ...map[string]function) map[string]function {
	all := map[string]function{}
	for _, l := range lists {
		maps.Copy(all, l)
	}
	return all
}

// gives makes a result of one type, whatever the arguments.
func gives(ty Type) func([]value) Type { return func([]value) Type { return ty } }

var (
	givesText      = gives(Type{Name: typeVarchar})
	givesInteger   = gives(Type{Name: typeInteger})
	givesBigint    = gives(Type{Name: typeBigint})
	givesDouble    = gives(Type{Name: typeDouble})
	givesBoolean   = gives(Type{Name: typeBoolean})
	givesDate      = gives(Type{Name: typeDate})
	givesTimestamp = gives(Type{Name: typeTimestamp})
	givesZoned     = gives(Type{Name: typeTimestampTZ})
	givesSuper     = gives(Type{Name: typeSuper})
	givesVarbyte   = gives(Type{Name: typeVarbyte})
)

// givesFirst is the type of the first argument.
func givesFirst(args []value) Type {
	if len(args) == 0 {
		return Type{}
	}
	return args[0].typ
}

// call translates a function's call.
func (t *translator) call(s *scope, c *syntax.Call) value {
	name := t.name(c.Name.Last())
	f, ok := t.functions[name]
	if len(c.Name) > 1 && t.name(c.Name[0]) != "pg_catalog" {
		return t.userFunction(s, c)
	}
	if elsewhere[name] {
		t.fail(unknownToStandin("function " + name))
		return value{}
	}
	if !ok {
		return t.userFunction(s, c)
	}
	args := t.arguments(s, f, c)
	if t.err != nil {
		return value{}
	}
	if len(args) < f.min || f.max >= 0 && len(args) > f.max || c.Star && name != "count" {
		t.refuseCall(name, args)
		return value{}
	}
	switch f.node {
	case leaderNode:
		t.leaderFunction(name)
	case noNode:
		t.leaderFunction(name)
		t.computes = true
	}
	if computeOnly[name] {
		t.computeOnly = append(t.computeOnly, name)
	}
	t.checkCall(name, f, c)
	v := t.apply(s, f, c, name, args)
	if v.label == "" {
		v.label = name
	}
	return v
}

// computeOnly are functions that run on the compute nodes only.
var computeOnly = map[string]bool{"listagg": true, "median": true, "percentile_cont": true, "percentile_disc": true}

// apply writes the call.
func (t *translator) apply(s *scope, f function, c *syntax.Call, name string, args []value) value {
	if f.build != nil {
		return f.build(t, s, c, args)
	}
	to := f.to
	if to == "" {
		to = "pg_catalog." + name
	}
	var b strings.Builder
	b.WriteString(to + "(")
	if c.Distinct {
		b.WriteString("DISTINCT ")
	}
	if c.Star {
		b.WriteString("*")
	}
	b.WriteString(join(args) + ")")
	b.WriteString(t.over(s, f, name, c))
	v := value{sql: b.String()}
	if f.gives != nil {
		v.typ = f.gives(args)
	}
	return v
}

// arguments translates a call's arguments to what the function takes.
func (t *translator) arguments(s *scope, f function, c *syntax.Call) []value {
	args, accepted := make([]value, len(c.Args)), make([]value, len(c.Args))
	text := true // no SUPER stands where JSON is wanted as a text
	for i, a := range c.Args {
		take := byte('.')
		if f.takes != "" {
			take = f.takes[min(i, len(f.takes)-1)]
		}
		if take == 'p' {
			accepted[i] = t.datePartName(a)
			continue
		}
		args[i] = t.expr(s, a)
		if take == 'j' {
			take = 't'
			text = text && args[i].typ.Name != typeSuper
		}
		accepted[i] = t.accept(take, args[i])
	}
	if !text {
		t.refuseCall(t.name(c.Name.Last()), args)
	}
	return accepted
}

// accept converts an argument as Redshift converts it without being told.
func (t *translator) accept(take byte, v value) value {
	switch {
	case take == 't' && v.typ.Name == typeVarbyte:
		return v
	case take == 't' && v.typ.Name != "" && !v.typ.isText():
		return value{sql: "CAST(" + v.sql + " AS text)", typ: Type{Name: typeVarchar}, label: v.label}
	case take == 'n' && v.typ.Name == typeSuper:
		return superNumber(v)
	case take == 'd' && (v.typ.Name == "" || v.typ.isText() || v.typ.Name == typeSuper):
		return value{sql: "CAST(" + v.sql + " AS timestamp)", typ: Type{Name: typeTimestamp}, label: v.label}
	case take == 's':
		return toSuper(v)
	}
	return v
}

// refuseCall says that there is no such function of these arguments.
func (t *translator) refuseCall(name string, args []value) {
	if t.err == nil {
		e := refusal(codeUndefinedFunction, "function %s(%s) does not exist", name, typeNames(args))
		e.Hint = "No function matches the given name and argument types. You may need to add explicit type casts."
		t.err = e
	}
}

func typeNames(args []value) string {
	list := make([]string, len(args))
	for i, a := range args {
		list[i] = a.typeName()
	}
	return strings.Join(list, ", ")
}

// checkCall refuses what only some kinds of functions take.
func (t *translator) checkCall(name string, f function, c *syntax.Call) {
	switch {
	case f.kind == window && c.Over == nil:
		t.refuse("42P20", "window function %s requires an OVER clause", name)
	case f.kind == scalar && c.Over != nil:
		t.refuse(codeWrongObject, "OVER specified, but %s is not a window function nor an aggregate function", name)
	case f.kind != aggregate && c.Distinct:
		t.refuse(codeWrongObject, "DISTINCT specified, but %s is not an aggregate function", name)
	case c.Distinct && c.Over != nil:
		t.refuse(codeNotSupported, "DISTINCT is not implemented for window functions")
	case c.Approximate && name != "count" && name != "percentile_disc":
		t.refuse(codeNotSupported, "APPROXIMATE is not supported for function %s", name)
	case c.OrderBy != nil && !orderedSets[name]:
		t.refuse(codeWrongObject, "%s is not an ordered-set aggregate, so it cannot have WITHIN GROUP", name)
	}
}

// orderedSets are the aggregates of WITHIN GROUP.
var orderedSets = map[string]bool{"listagg": true, "percentile_cont": true, "percentile_disc": true}

// over writes OVER (…). An aggregate with an order wants a frame (r_Window_function_synopsis).
func (t *translator) over(s *scope, f function, name string, c *syntax.Call) string {
	w := c.Over
	if w == nil {
		return ""
	}
	framed := f.kind == aggregate || name == "first_value" || name == "last_value" || name == "nth_value"
	if framed && len(w.OrderBy) > 0 && w.Frame == nil {
		t.refuse(codeNotSupported, "Aggregate window functions with an ORDER BY clause require a frame clause")
	}
	return " OVER (" + t.windowSQL(s, w) + ")"
}

func (t *translator) windowSQL(s *scope, w *syntax.Window) string {
	var parts []string
	if len(w.PartitionBy) > 0 {
		parts = append(parts, "PARTITION BY "+join(t.exprs(s, w.PartitionBy)))
	}
	if len(w.OrderBy) > 0 {
		parts = append(parts, "ORDER BY "+t.orders(s, w.OrderBy))
	}
	if w.Frame != nil {
		parts = append(parts, t.frame(s, w.Frame))
	}
	return strings.Join(parts, " ")
}

func (t *translator) frame(s *scope, f *syntax.Frame) string {
	start := t.bound(s, f.Start)
	if !f.Between {
		return "ROWS " + start
	}
	return "ROWS BETWEEN " + start + " AND " + t.bound(s, f.End)
}

func (t *translator) bound(s *scope, b syntax.Bound) string {
	if b.Offset == nil {
		return strings.ToUpper(b.Kind)
	}
	return t.expr(s, b.Offset).sql + " " + strings.ToUpper(b.Kind)
}

// orders writes ORDER BY's list where names are those of columns only.
func (t *translator) orders(s *scope, list []syntax.Order) string {
	out := make([]string, len(list))
	for i, o := range list {
		out[i] = t.expr(s, o.X).sql + direction(o)
	}
	return strings.Join(out, ", ")
}

func direction(o syntax.Order) string {
	sql := ""
	if o.Desc {
		sql = " DESC"
	}
	if o.NullsFirst != nil {
		if *o.NullsFirst {
			sql += " NULLS FIRST"
		} else {
			sql += " NULLS LAST"
		}
	}
	return sql
}
