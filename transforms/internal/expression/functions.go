package expression

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/starlift-etl/starlift/pipeline/spec"
)

// function is one that expressions can call. A null argument makes its result
// null, unless it takes null.
type function struct {
	name   string
	params []param
	gives  func(args []node) Type
	call   func(m *machine, args []Value) (Value, error)
	nulls  bool // it takes null
	// build compiles a call whose arguments are not just values: predicates, and
	// literals that are checked before anything is read.
	build func(c *compiler, f *function, n ast.Node, args []ast.Node) node
}

// param is a parameter: the kinds that it takes, and of lists what they hold.
type param struct {
	kinds    Kind
	elem     Kind // 0 = anything
	optional bool
	rest     bool   // may be repeated
	name     string // where the kinds do not say what it is
}

// The parameters that are literals.
var (
	layoutParam = param{kinds: String, name: "layout"}
	unitParam   = param{kinds: String, name: "unit"}
	zoneParam   = param{kinds: String, name: "zone", optional: true}
	orderParam  = param{kinds: String, name: "order", optional: true}
)

func (p param) optionally() param {
	p.optional = true
	return p
}

// String returns the parameter as the documentation has it.
func (p param) String() string {
	text := p.name
	if text == "" {
		text = strings.ReplaceAll(p.kinds.String(), ", ", " or ")
	}
	switch {
	case p.rest:
		return text + "…"
	case p.optional:
		return text + "?"
	}
	return text
}

// signature returns how the function is called.
func (f *function) signature() string {
	all := make([]string, len(f.params))
	for i, p := range f.params {
		all[i] = p.String()
	}
	return f.name + "(" + strings.Join(all, ", ") + ")"
}

func takes(kinds ...Kind) []param {
	var all []param
	for _, k := range kinds {
		all = append(all, param{kinds: k})
	}
	return all
}

// optionally makes the last parameter one that may be left out.
func optionally(params []param) []param {
	params[len(params)-1].optional = true
	return params
}

func always(k Kind) func([]node) Type { return func([]node) Type { return one(k) } }

func alwaysList(k Kind) func([]node) Type {
	return func([]node) Type { return listType(one(k)) }
}

func sameAs(i int) func(args []node) Type {
	return func(args []node) Type { return args[i].typ }
}

func elementOf(args []node) Type {
	return args[0].typ.element()
}

// functions are all that there are, by name.
var functions map[string]*function

func init() {
	functions = map[string]*function{}
	for _, group := range [][]function{textFunctions, numberFunctions, conversions, listFunctions, predicates, timeFunctions, parts()} {
		for i := range group {
			functions[group[i].name] = &group[i]
		}
	}
}

// refused are the functions of expr-lang that can't be right here, and what to
// do instead.
var refused = map[string]string{
	"now":      "now is not there: a row has to be the same whenever it is made. Take the time of the change: $meta.created_at in unnest, or a column of it",
	"timezone": "timezone is not there: give the name of the zone to date, timestamp, format, truncate or the part of the time that is wanted",
}

// elsewhere are functions that other languages have, in small letters, and what to
// write for them.
var elsewhere = map[string]string{
	"coalesce": "a ?? b", "ifnull": "a ?? b", "nvl": "a ?? b", "isnull": "a == nil", "nullif": "a == b ? nil : a",
	"iif": "a ? b : c", "decode": "a ? b : c",
	"substring": "text[from:to], from 0", "substr": "text[from:to], from 0", "left": "text[:n]", "right": "text[-n:]",
	"length": "len(text)", "size": "len(list)", "ucase": "upper(text)", "lcase": "lower(text)", "ltrim": "trim(text)", "rtrim": "trim(text)",
	"concat_ws": "join(list, separator)", "instr": "indexOf(text, part)", "regexp_like": `text matches "…"`,
	"power": "a ** b", "pow": "a ** b", "sqrt": "a ** 0.5", "mod": "a % b", "trunc": "int(a)", "avg": "mean(list)", "average": "mean(list)", "greatest": "max(a, b)", "least": "min(a, b)",
	"to_date": "date(text)", "to_timestamp": "timestamp(text)", "strptime": "timestamp(text, layout)", "strftime": "format(time, layout)", "to_char": "format(time, layout)",
	"date_trunc": `truncate(time, "month")`, "datediff": "a - b", "date_diff": "a - b", "dateadd": "addDays(time, n)", "date_add": "addDays(time, n)", "extract": "year(time), month(time), …", "date_part": "year(time), month(time), …",
	"epoch": "unix(time)", "from_unixtime": "fromUnix(seconds)", "weekday": "dayOfWeek(time)", "dayofweek": "dayOfWeek(time)", "dayofyear": "dayOfYear(time)",
	"cast": "int(a), decimal(a), float(a), string(a), date(a) or timestamp(a)", "str": "string(a)", "number": "decimal(a)", "double": "float(a)", "bool": "a == \"true\"",
}

func functionNamed(name string) *function { return functions[name] }

// call compiles the call of a function.
func (c *compiler) call(n ast.Node, name string, args []ast.Node) node {
	f := functionNamed(name)
	if f == nil {
		if why, ok := refused[name]; ok {
			return c.fail(n.Location(), "%s", why)
		}
		if instead, ok := elsewhere[strings.ToLower(name)]; ok {
			return c.fail(n.Location(), "unknown function %q: write %s", name, instead)
		}
		m := &Mistake{Message: fmt.Sprintf("unknown function %q", name), Name: name}
		for known := range functions {
			m.Known = append(m.Known, known)
		}
		slices.Sort(m.Known)
		return c.mistake(n.Location(), m)
	}
	if !f.accepts(len(args)) {
		return c.fail(n.Location(), "%s takes %s, not %d: %s", f.name, f.counts(), len(args), f.signature())
	}
	if f.build != nil {
		return f.build(c, f, n, args)
	}
	parts := make([]node, len(args))
	for i, a := range args {
		parts[i] = c.compile(a)
	}
	return c.apply(f, n, args, parts)
}

// apply compiles a call whose arguments are values.
func (c *compiler) apply(f *function, n ast.Node, args []ast.Node, parts []node) node {
	for i, p := range parts {
		if !c.fits(f, i, args[i], p) {
			return c.broken()
		}
	}
	call := node{typ: f.gives(parts), run: f.run(parts)}
	if err := never(call, parts); err != nil {
		c.fail(n.Location(), "%v", err)
		return c.broken()
	}
	return fold(call, parts...)
}

// never says why a call of constants can never have a result: they are not what the
// function takes. That a result is beyond some bound is an error of the value.
func never(call node, parts []node) error {
	if slices.ContainsFunc(parts, func(p node) bool { return !p.constant }) {
		return nil
	}
	_, err := call.run(&machine{})
	for _, bound := range []error{errDivision, errLong, errRange, errYears, errSteps, errText, errDepth} {
		if errors.Is(err, bound) {
			return nil
		}
	}
	return err
}

// broken is a part with a mistake that has been told.
func (c *compiler) broken() node {
	return node{typ: Any, run: func(*machine) (Value, error) { return Value{}, nil }}
}

// fits checks an argument's type.
func (c *compiler) fits(f *function, i int, arg ast.Node, n node) bool {
	p := f.param(i)
	switch {
	case !n.typ.may(p.kinds):
		c.fail(start(arg), "type mismatch: %s wants %s, not a %s%s", f.name, withArticle(p.kinds), n.typ.kinds, f.advice(n.typ.kinds))
		return false
	case p.elem != 0 && n.typ.sure(List) && !n.typ.element().may(p.elem):
		c.fail(start(arg), "type mismatch: %s wants a list of %s, not of %s", f.name, p.elem, n.typ.element().kinds)
		return false
	}
	return true
}

func withArticle(k Kind) string {
	if k == anything {
		return k.String()
	}
	return "a " + k.String()
}

// advice says how to give a function what it wants.
func (f *function) advice(got Kind) string {
	if f.name == "concat" && got == String {
		return ": write a + b"
	}
	if f.param(0).kinds&^Null == temporal && got&String != 0 {
		return fmt.Sprintf(": write %s(date(…)) or %s(timestamp(…))", f.name, f.name)
	}
	if f.param(0).kinds&^Null == Timestamp && got&String != 0 {
		return fmt.Sprintf(": write %s(timestamp(…))", f.name)
	}
	return ""
}

func (f *function) param(i int) param { return f.params[min(i, len(f.params)-1)] }

func (f *function) accepts(n int) bool {
	least := 0
	for _, p := range f.params {
		if !p.optional {
			least++
		}
	}
	most := len(f.params)
	if most > 0 && f.params[most-1].rest {
		return n >= least
	}
	return n >= least && n <= most
}

// counts says how many arguments a function takes.
func (f *function) counts() string {
	least, most := 0, len(f.params)
	for _, p := range f.params {
		if !p.optional {
			least++
		}
	}
	switch {
	case most > 0 && f.params[most-1].rest:
		return "at least " + spec.Count(least, "argument")
	case least == most:
		return spec.Count(least, "argument")
	}
	return fmt.Sprintf("%d to %d arguments", least, most)
}

// run returns the code of a call. Arguments are kept on a stack that is reused.
func (f *function) run(parts []node) code {
	return func(m *machine) (Value, error) {
		from := len(m.stack)
		defer func() { m.stack = m.stack[:from] }()
		for _, p := range parts {
			v, err := p.run(m)
			if err != nil || v.isNull() && !f.nulls {
				return Value{}, err
			}
			m.stack = append(m.stack, v)
		}
		args := m.stack[from:]
		for i, a := range args {
			if a.Kind()&(f.param(i).kinds|Null) == 0 {
				return Value{}, mismatch("%s wants %s, not a %s%s", f.name, withArticle(f.param(i).kinds), a.Kind(), f.advice(a.kind))
			}
		}
		if err := m.read(args); err != nil {
			return Value{}, err
		}
		return shallow(f.call(m, args))
	}
}

// wholeArgument takes an argument that is a whole number.
func wholeArgument(name string, v Value) (int64, error) {
	n, ok := whole(v)
	if !ok {
		return 0, mismatch("%s wants a whole number, not %s", name, quote(v))
	}
	return n, nil
}
