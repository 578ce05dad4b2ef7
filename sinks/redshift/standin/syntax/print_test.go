package syntax

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// dump writes a tree with all that it says, but for the places where it stood, and for the
// parentheses around a query.
func dump(tree any) string {
	var b strings.Builder
	dumpValue(&b, reflect.ValueOf(tree))
	return b.String()
}

func dumpValue(b *strings.Builder, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			b.WriteString("nil")
			return
		}
		dumpValue(b, v.Elem())
	case reflect.Slice:
		b.WriteByte('[')
		for i := range v.Len() {
			dumpValue(b, v.Index(i))
			b.WriteByte(' ')
		}
		b.WriteByte(']')
	case reflect.Struct:
		if q, ok := v.Interface().(Query); ok && reflect.DeepEqual(q, Query{Body: q.Body}) {
			dumpValue(b, reflect.ValueOf(q.Body))
			return
		}
		b.WriteString(v.Type().Name() + "{")
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Pos" && name != "Source" && name != "Missing" && !v.Field(i).IsZero() {
				b.WriteString(name + ":")
				dumpValue(b, v.Field(i))
				b.WriteByte(' ')
			}
		}
		b.WriteByte('}')
	default:
		fmt.Fprintf(b, "%#v", v.Interface())
	}
}

// printer writes a tree as SQL, with every operator in parentheses, so that a test sees how
// a text was understood, and that nothing of it was lost.
type printer struct{ strings.Builder }

func printStatement(s Statement) string {
	var p printer
	p.statement(s)
	return p.String()
}

// put writes strings, and trees between them.
func (p *printer) put(parts ...any) {
	for _, part := range parts {
		switch v := part.(type) {
		case string:
			p.WriteString(v)
		case Ident:
			p.ident(v)
		case *Ident:
			p.ident(*v)
		case Name:
			for i, n := range v {
				p.when(i > 0, ".")
				p.ident(n)
			}
		case Expr:
			p.expr(v)
		case Body:
			p.body(v)
		case TableExpr:
			p.tableExpr(v)
		case Type:
			p.typeName(v)
		default:
			panic(fmt.Sprintf("no way to print %T", part))
		}
	}
}

func (p *printer) when(ok bool, parts ...any) {
	if ok {
		p.put(parts...)
	}
}

func put[T any](p *printer, list []T) {
	for i, v := range list {
		p.when(i > 0, ", ")
		p.put(v)
	}
}

func (p *printer) ident(i Ident) {
	if i.Quoted {
		p.WriteString(`"` + strings.ReplaceAll(i.Text, `"`, `""`) + `"`)
		return
	}
	p.WriteString(i.Text)
}

func (p *printer) string(s string) {
	p.WriteString("'" + strings.NewReplacer("'", "''", `\`, `\\`).Replace(s) + "'")
}

func (p *printer) typeName(t Type) {
	args := ""
	if t.Args != nil {
		args = "(" + strings.Join(t.Args, ", ") + ")"
	}
	first, rest, _ := strings.Cut(t.Name, " ")
	switch {
	case first == "timestamp" || first == "time":
		p.put(first, args)
		p.when(rest != "", " ", rest)
	default:
		p.put(t.Name)
		p.when(t.Fields != "", " ", t.Fields)
		p.put(args)
	}
	p.when(t.Array, "[]")
}

func (p *printer) expr(x Expr) {
	switch x := x.(type) {
	case *Null:
		p.put("null")
	case *Bool:
		p.put(strconv.FormatBool(x.Value))
	case *Number:
		p.put(x.Text)
	case *String:
		p.string(x.Value)
	case *Param:
		p.put("$", strconv.Itoa(x.N))
	case *Default:
		p.put("default")
	case *TypeConstant:
		p.typedString(x)
	case *Ref:
		p.put(x.First)
		p.steps(x.Steps)
		p.when(x.Outer, "(+)")
	case *Path:
		p.put("(", x.X, ")")
		p.steps(x.Steps)
	case *Star:
		p.when(x.Qualifier != nil, x.Qualifier, ".")
		p.put("*")
	case *Array:
		p.put("array[")
		put(p, x.Values)
		p.put("]")
	case *Row:
		p.put("(")
		put(p, x.Values)
		p.put(")")
	case *Subquery:
		p.put("(", x.Query, ")")
	case *Exists:
		p.put("exists (", x.Query, ")")
	case *Case:
		p.caseExpr(x)
	case *Call:
		p.call(x)
	case *Extract:
		p.put("extract(")
		if first := (&lexer{source: x.Field}).next(); first.kind == word && first.value == x.Field {
			p.put(x.Field)
		} else {
			p.string(x.Field)
		}
		p.put(" from ", x.X, ")")
	case *Trim:
		p.put("trim(", x.Where, " ")
		p.when(x.Chars != nil, x.Chars, " ")
		p.put("from ", x.X, ")")
	case *Cast:
		p.when(x.Try, "try_")
		p.put("cast(", x.X, " as ", x.To, ")")
	default:
		p.put("(")
		p.operator(x)
		p.put(")")
	}
}

func not(b bool) string {
	if b {
		return "not "
	}
	return ""
}

func (p *printer) operator(x Expr) {
	switch x := x.(type) {
	case *Unary:
		p.put(x.Op, " ", x.X)
	case *Binary:
		p.put(x.X, " ", x.Op, " ", x.Y)
	case *Like:
		p.put(x.X, " ", not(x.Not), x.Op, " ", x.Pattern)
		p.when(x.Escape != nil, " escape ", x.Escape)
	case *Between:
		p.put(x.X, " ", not(x.Not), "between ", x.Low, " and ", x.High)
	case *In:
		p.put(x.X, " ", not(x.Not), "in (")
		put(p, x.List)
		p.when(x.Query != nil, x.Query)
		p.put(")")
	case *Is:
		p.put(x.X, " is ", not(x.Not), x.Of)
	case *QuantifiedComparison:
		p.put(x.X, " ", x.Op, map[bool]string{true: " all (", false: " any ("}[x.All])
		p.when(x.Query != nil, x.Query)
		p.when(x.Of != nil, x.Of)
		p.put(")")
	case *AtTimeZone:
		p.put(x.X, " at time zone ", x.Zone)
	case *Prior:
		p.put("prior ", x.X)
	default:
		panic(fmt.Sprintf("no way to print %T", x))
	}
}

func (p *printer) typedString(x *TypeConstant) {
	t := x.Type
	if t.Name != "interval" {
		p.put(t, " ")
		p.string(x.Value)
		return
	}
	args := ""
	if t.Args != nil {
		args = "(" + strings.Join(t.Args, ", ") + ")"
	}
	p.put("interval ")
	p.when(t.Fields == "", args)
	p.string(x.Value)
	p.when(t.Fields != "", " ", t.Fields, args)
}

func (p *printer) steps(all []PathStep) {
	for _, s := range all {
		if s.Field != nil {
			p.put(".", s.Field)
			continue
		}
		p.put("[", s.Index, "]")
	}
}

func (p *printer) caseExpr(x *Case) {
	p.put("case")
	p.when(x.Operand != nil, " ", x.Operand)
	for _, w := range x.Whens {
		p.put(" when ", w.Cond, " then ", w.Result)
	}
	p.when(x.Else != nil, " else ", x.Else)
	p.put(" end")
}

func (p *printer) call(x *Call) {
	p.when(x.Approximate, "approximate ")
	p.put(x.Name)
	switch {
	case x.Bare && x.Args == nil:
		return
	case len(x.Name) == 1 && Fold(x.Name[0].Text) == "position" && !x.Name[0].Quoted:
		p.put("(", x.Args[0], " in ", x.Args[1], ")")
		return
	}
	p.put("(")
	p.when(x.Distinct, "distinct ")
	p.when(x.Star, "*")
	put(p, x.Args)
	p.put(")")
	if x.OrderBy != nil {
		p.put(" within group (order by ")
		p.orders(x.OrderBy)
		p.put(")")
	}
	p.when(x.IgnoreNulls != "", " ", x.IgnoreNulls, " nulls")
	if x.Over != nil {
		p.window(x.Over)
	}
}

func (p *printer) window(w *Window) {
	p.put(" over (")
	if w.PartitionBy != nil {
		p.put("partition by ")
		put(p, w.PartitionBy)
	}
	if w.OrderBy != nil {
		p.when(w.PartitionBy != nil, " ")
		p.put("order by ")
		p.orders(w.OrderBy)
	}
	if f := w.Frame; f != nil {
		p.put(" rows ")
		p.when(f.Between, "between ")
		p.bound(f.Start)
		if f.Between {
			p.put(" and ")
			p.bound(f.End)
		}
	}
	p.put(")")
}

func (p *printer) bound(b Bound) {
	p.when(b.Offset != nil, b.Offset, " ")
	p.put(b.Kind)
}

func (p *printer) orders(all []Order) {
	for i, o := range all {
		p.when(i > 0, ", ")
		p.put(o.X)
		p.when(o.Desc, " desc")
		if o.NullsFirst != nil {
			p.put(map[bool]string{true: " nulls first", false: " nulls last"}[*o.NullsFirst])
		}
	}
}
