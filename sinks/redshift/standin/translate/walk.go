package translate

import "github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"

// children are the expressions of an expression, without those of queries in it.
func children(e syntax.Expr) []syntax.Expr {
	switch e := e.(type) {
	case *syntax.Path:
		return []syntax.Expr{e.X}
	case *syntax.Unary:
		return []syntax.Expr{e.X}
	case *syntax.Binary:
		return []syntax.Expr{e.X, e.Y}
	case *syntax.Like:
		return []syntax.Expr{e.X, e.Pattern}
	case *syntax.Between:
		return []syntax.Expr{e.X, e.Low, e.High}
	case *syntax.In:
		return append([]syntax.Expr{e.X}, e.List...)
	case *syntax.Is:
		return []syntax.Expr{e.X}
	case *syntax.QuantifiedComparison:
		return []syntax.Expr{e.X}
	case *syntax.Case:
		return caseChildren(e)
	case *syntax.Cast:
		return []syntax.Expr{e.X}
	case *syntax.AtTimeZone:
		return []syntax.Expr{e.X, e.Zone}
	case *syntax.Row:
		return e.Values
	case *syntax.Array:
		return e.Values
	case *syntax.Extract:
		return []syntax.Expr{e.X}
	case *syntax.Trim:
		return []syntax.Expr{e.X, e.Chars}
	case *syntax.Prior:
		return []syntax.Expr{e.X}
	case *syntax.Call:
		return e.Args
	}
	return nil
}

func caseChildren(e *syntax.Case) []syntax.Expr {
	out := []syntax.Expr{e.Operand, e.Else}
	for _, w := range e.Whens {
		out = append(out, w.Cond, w.Result)
	}
	return out
}

// anyExpr tells whether an expression, or one within it, is so.
func anyExpr(e syntax.Expr, is func(syntax.Expr) bool) bool {
	if e == nil {
		return false
	}
	if is(e) {
		return true
	}
	for _, c := range children(e) {
		if anyExpr(c, is) {
			return true
		}
	}
	return false
}

// aggregates tells whether an expression has an aggregate, or a window function: neither is
// grouped by.
func (t *translator) aggregates(e syntax.Expr) bool {
	return anyExpr(e, func(e syntax.Expr) bool {
		c, ok := e.(*syntax.Call)
		if !ok {
			return false
		}
		f, ok := t.functions[t.name(c.Name.Last())]
		return ok && f.kind != scalar
	})
}

// windows tells whether an expression has a window function.
func (t *translator) windows(e syntax.Expr) bool {
	return anyExpr(e, func(e syntax.Expr) bool {
		c, ok := e.(*syntax.Call)
		return ok && c.Over != nil
	})
}

// hasSubquery tells whether an expression has a query in it.
func hasSubquery(e syntax.Expr) bool {
	return anyExpr(e, func(e syntax.Expr) bool {
		switch e := e.(type) {
		case *syntax.Subquery, *syntax.Exists:
			return true
		case *syntax.In:
			return e.Query != nil
		case *syntax.QuantifiedComparison:
			return e.Query != nil
		}
		return false
	})
}

// conjuncts are the conditions that AND puts together.
func conjuncts(e syntax.Expr) []syntax.Expr {
	if b, ok := e.(*syntax.Binary); ok && b.Op == "and" {
		return append(conjuncts(b.X), conjuncts(b.Y)...)
	}
	if e == nil {
		return nil
	}
	return []syntax.Expr{e}
}
