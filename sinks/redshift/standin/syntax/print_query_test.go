package syntax

import (
	"fmt"
	"strconv"
)

func (p *printer) body(b Body) {
	switch b := b.(type) {
	case *Select:
		p.selectBody(b)
	case *SetOp:
		p.put("(")
		p.operand(b.L)
		p.put(" ", b.Op)
		p.when(b.All, " all")
		p.put(" ")
		p.operand(b.R)
		p.put(")")
	case *Query:
		p.query(b)
	}
}

// operand writes a side of a set operator. A query in parentheses keeps its own.
func (p *printer) operand(b Body) {
	if q, ok := b.(*Query); ok {
		p.put("(", q, ")")
		return
	}
	p.put(b)
}

func (p *printer) query(q *Query) {
	p.with(q.With, q.Recursive)
	p.operand(q.Body)
	if q.OrderBy != nil {
		p.put(" order by ")
		p.orders(q.OrderBy)
	}
	p.when(q.Limit != nil, " limit ", q.Limit)
	p.when(q.Offset != nil, " offset ", q.Offset)
}

func (p *printer) with(all []CTE, recursive bool) {
	if all == nil {
		return
	}
	p.put("with ")
	p.when(recursive, "recursive ")
	for i, c := range all {
		p.when(i > 0, ", ")
		p.put(c.Name)
		p.columns(c.Columns)
		p.put(" as (", c.Query, ")")
	}
	p.put(" ")
}

func (p *printer) columns(all []Ident) {
	if all != nil {
		p.put(" (")
		put(p, all)
		p.put(")")
	}
}

func (p *printer) targets(all []Target) {
	for i, t := range all {
		p.when(i > 0, ", ")
		p.put(t.X)
		p.when(t.Alias != nil, " as ", t.Alias)
	}
}

func (p *printer) selectBody(s *Select) {
	p.put("select ")
	p.when(s.Top != nil, "top ", s.Top, " ")
	p.when(s.Distinct, "distinct ")
	p.targets(s.Targets)
	if s.Exclude != nil {
		p.put(" exclude")
		p.columns(s.Exclude)
	}
	if s.Into != nil {
		p.put(" into ")
		p.when(s.Into.Temp, "temp ")
		p.put(s.Into.Name)
	}
	if s.From != nil {
		p.put(" from ")
		put(p, s.From)
	}
	p.when(s.Where != nil, " where ", s.Where)
	p.when(s.StartWith != nil, " start with ", s.StartWith)
	p.when(s.ConnectBy != nil, " connect by ", s.ConnectBy)
	p.groupBy(s)
	p.when(s.Having != nil, " having ", s.Having)
	p.when(s.Qualify != nil, " qualify ", s.Qualify)
}

func (p *printer) groupBy(s *Select) {
	p.when(s.GroupAll, " group by all")
	p.when(s.GroupBy != nil, " group by ")
	for i, g := range s.GroupBy {
		p.when(i > 0, ", ")
		if g.X != nil {
			p.put(g.X)
			continue
		}
		p.put(g.Kind, "(")
		for j, set := range g.Sets {
			p.when(j > 0, ", ")
			p.put("(")
			put(p, set)
			p.put(")")
		}
		p.put(")")
	}
}

func (p *printer) alias(alias *Ident, columns []Ident) {
	if alias != nil {
		p.put(" as ", alias)
		p.columns(columns)
	}
}

func (p *printer) tableExpr(t TableExpr) {
	switch t := t.(type) {
	case *Table:
		p.when(t.InParentheses, "(")
		p.put(t.Path)
		p.when(t.InParentheses, ")")
		p.alias(t.Alias, t.Columns)
		p.when(t.At != nil, " at ", t.At)
	case *DerivedTable:
		p.put("(", t.Query, ")")
		p.alias(t.Alias, t.Columns)
	case *TableCall:
		p.tableCall(t)
	case *Join:
		p.join(t)
	case *Unpivot:
		p.put("unpivot ", t.X)
		p.alias(t.Value, nil)
		p.when(t.At != nil, " at ", t.At)
	case *Pivot:
		p.pivot(t)
	}
}

func (p *printer) tableCall(t *TableCall) {
	p.put(t.Call)
	p.when(t.WithOffset, " with offset")
	p.alias(t.Alias, t.Columns)
	if t.Defs == nil {
		return
	}
	p.put(" (")
	for i, d := range t.Defs {
		p.when(i > 0, ", ")
		p.put(d.Name, " ", d.Type)
	}
	p.put(")")
}

func (p *printer) join(j *Join) {
	p.put("(", j.L, " ")
	p.when(j.Natural, "natural ")
	p.put(j.Kind, " join ", j.R)
	p.when(j.On != nil, " on ", j.On)
	if j.Using != nil {
		p.put(" using")
		p.columns(j.Using)
	}
	p.put(")")
}

func (p *printer) pivot(v *Pivot) {
	p.put(v.Of)
	if v.Unpivot {
		p.put(" unpivot ")
		p.when(v.IncludeNulls, "include nulls ")
		p.put("(", v.Value)
	} else {
		p.put(" pivot (")
		p.targets([]Target{v.Aggregate})
	}
	p.put(" for ", v.For, " in (")
	p.targets(v.In)
	p.put("))")
	p.alias(v.Alias, nil)
}

func (p *printer) statement(s Statement) {
	switch s := s.(type) {
	case *SelectStatement:
		p.put(s.Query)
	case *Insert:
		p.insert(s)
	case *Update:
		p.with(s.With, s.Recursive)
		p.put("update ", s.Table)
		p.alias(s.Alias, nil)
		p.assignments(s.Set)
		p.tables(" from ", s.From)
		p.when(s.Where != nil, " where ", s.Where)
	case *Delete:
		p.with(s.With, s.Recursive)
		p.put("delete from ", s.From)
		p.tables(" using ", s.Using)
		p.when(s.Where != nil, " where ", s.Where)
	case *Merge:
		p.merge(s)
	case *Truncate:
		p.put("truncate ", s.Table)
	case *Explain:
		p.put("explain ")
		p.statement(s.Of)
	default:
		p.session(s)
	}
}

func (p *printer) session(s Statement) {
	switch s := s.(type) {
	case *Prepare:
		p.put("prepare ", s.Name)
		if s.Types != nil {
			p.put(" (")
			put(p, s.Types)
			p.put(")")
		}
		p.put(" as ", s.Of.SQL)
	case *Execute:
		p.put("execute ", s.Name)
		p.args(s.Args)
	case *Deallocate:
		p.put("deallocate ")
		p.when(s.Name == nil, "all")
		p.when(s.Name != nil, s.Name)
	case *DeclareCursor:
		p.put("declare ", s.Name, " cursor for ", s.Query)
	case *Fetch:
		p.put("fetch ", map[bool]string{true: "all", false: strconv.FormatInt(s.Count, 10)}[s.Count < 0], " from ", s.Cursor)
	case *CloseCursor:
		p.put("close ", s.Cursor)
	case *CallProcedure:
		p.put("call ", s.Name)
		p.when(s.Args == nil, "()")
		p.args(s.Args)
	default:
		panic(fmt.Sprintf("no way to print %T", s))
	}
}

func (p *printer) args(all []Expr) {
	if all != nil {
		p.put("(")
		put(p, all)
		p.put(")")
	}
}

func (p *printer) tables(before string, all []TableExpr) {
	if all != nil {
		p.put(before)
		put(p, all)
	}
}

func (p *printer) assignments(all []Assignment) {
	p.put(" set ")
	for i, a := range all {
		p.when(i > 0, ", ")
		p.put(a.Column, " = ", a.Value)
	}
}

func (p *printer) insert(s *Insert) {
	p.put("insert into ", s.Into)
	p.columns(s.Columns)
	p.when(s.DefaultValues, " default values")
	for i, row := range s.Rows {
		p.put(map[bool]string{true: " values ", false: ", "}[i == 0])
		p.args(row)
	}
	if s.Query != nil {
		p.put(" ", s.Query)
	}
}

func (p *printer) merge(s *Merge) {
	p.put("merge into ", s.Into, " using ", s.Using)
	p.alias(s.Alias, nil)
	p.put(" on ", s.On)
	if s.RemoveDuplicates {
		p.put(" remove duplicates")
		return
	}
	p.put(" when matched then ")
	if s.DeleteMatched {
		p.put("delete")
	} else {
		p.put("update")
		p.assignments(s.Update)
	}
	p.put(" when not matched then insert")
	p.columns(s.InsertColumns)
	p.put(" values ")
	p.args(s.InsertValues)
}
