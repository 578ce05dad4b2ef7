package syntax

// query reads a query with what surrounds it.
func (p *parser) query() *Query {
	p.enter()
	outer := p.height
	p.height = 0
	q := &Query{}
	if p.is("with") {
		q.With, q.Recursive = p.with()
	}
	p.rest(q)
	p.height = max(outer, p.height)
	p.leave()
	return q
}

// rest reads what follows WITH.
func (p *parser) rest(q *Query) {
	q.Body = p.setOps(p.term(), 1)
	p.bounds(q)
}

// continuesQuery tells whether the next word goes on with a query in parentheses.
func (p *parser) continuesQuery() bool {
	return p.is("union", "intersect", "except", "minus", "order", "limit", "offset")
}

// queryAfter reads on behind a query in parentheses.
func (p *parser) queryAfter(first *Query) *Query {
	q := &Query{Body: p.setOps(first, 1)}
	p.bounds(q)
	return q
}

func (p *parser) with() (all []CTE, recursive bool) {
	p.expect("with")
	recursive = p.accept("recursive")
	for {
		c := CTE{Name: p.ident()}
		if p.isOp("(") {
			c.Columns = p.identList()
		}
		p.expect("as")
		p.expectOp("(")
		c.Query = p.query()
		p.expectOp(")")
		all = append(all, c)
		if !p.acceptOp(",") {
			return all, recursive
		}
	}
}

// setOps reads UNION, INTERSECT, EXCEPT and MINUS behind their left side. INTERSECT (2)
// binds tighter than the others (1).
func (p *parser) setOps(left Body, floor int) Body {
	for {
		level := 1
		if p.is("intersect") {
			level = 2
		}
		if level < floor || !p.is("union", "intersect", "except", "minus") {
			return left
		}
		op := &SetOp{Op: p.next().value, L: left}
		if op.Op == "minus" {
			op.Op = "except"
		}
		op.All = op.Op == "union" && p.accept("all")
		op.R = p.setOps(p.term(), level+1)
		p.grow()
		left = op
	}
}

// term reads a SELECT, or a query in parentheses.
func (p *parser) term() Body {
	if !p.isOp("(") {
		return p.selectBody()
	}
	p.next()
	q := p.query()
	p.expectOp(")")
	return q
}

// bounds reads ORDER BY, and LIMIT and OFFSET in either order.
func (p *parser) bounds(q *Query) {
	if p.is("order") {
		q.OrderBy = p.orderBy()
	}
	limit, offset := false, false
	for {
		switch {
		case p.is("limit") && !limit:
			p.next()
			if limit = true; !p.accept("all") {
				q.Limit = p.expr()
			}
			if p.isOp(",") {
				p.failWith(p.tok.pos, syntaxError("LIMIT #,# syntax is not supported"))
			}
		case p.is("offset") && !offset:
			p.next()
			offset, q.Offset = true, p.expr()
		default:
			return
		}
	}
}

func (p *parser) selectBody() *Select {
	s := &Select{Pos: p.tok.pos}
	p.expect("select")
	if p.accept("top") {
		s.Top = p.count()
	}
	if s.Distinct = p.accept("distinct"); !s.Distinct {
		p.accept("all")
	} else if p.is("on") {
		p.unsupported("SELECT DISTINCT ON is not supported")
	}
	s.Targets = p.targets()
	if p.excludes() {
		s.Exclude = p.exclude()
	}
	if p.is("into") {
		s.Into = p.into()
	}
	if p.accept("from") {
		s.From = p.fromList()
	}
	if p.accept("where") {
		s.Where = p.expr()
	}
	p.hierarchy(s)
	if p.accept("group", "by") {
		p.groupBy(s)
	}
	if p.accept("having") {
		s.Having = p.expr()
	}
	if p.accept("qualify") {
		s.Qualify = p.expr()
	}
	return s
}

func (p *parser) targets() []Target {
	all := []Target{p.target()}
	for p.acceptOp(",") {
		all = append(all, p.target())
	}
	return all
}

func (p *parser) target() Target {
	if star := p.star(); star != nil {
		return Target{X: star}
	}
	return p.expression()
}

// expression reads an expression and its label, if it has one.
func (p *parser) expression() Target {
	t := Target{X: p.expr()}
	t.Alias = p.targetLabel()
	return t
}

// star reads * or name.*; nil = the target is another one, and nothing is passed.
func (p *parser) star() *Star {
	if p.acceptOp("*") {
		return &Star{}
	}
	if !p.tok.isName() || !p.peek(1).isOp(".") {
		return nil
	}
	m := p.mark()
	s := &Star{Qualifier: Name{p.ident()}}
	for p.acceptOp(".") {
		if p.acceptOp("*") {
			return s
		}
		if p.tok.kind != word && p.tok.kind != quoted || len(s.Qualifier) == 3 {
			break
		}
		s.Qualifier = append(s.Qualifier, p.label())
	}
	p.back(m)
	return nil
}

// targetLabel reads AS and any word, or a word that is not reserved.
func (p *parser) targetLabel() *Ident {
	if !p.accept("as") && !p.bareLabel() {
		return nil
	}
	name := p.label()
	return &name
}

// bareLabel tells whether the next token is a target's label without AS.
func (p *parser) bareLabel() bool { return p.tok.isName() && !p.excludes() }

// excludes tells whether EXCLUDE is next, and not a label.
func (p *parser) excludes() bool {
	if !p.is("exclude") {
		return false
	}
	next := p.peek(1)
	return next.isName() || next.isOp("(")
}

// exclude reads EXCLUDE and columns, in parentheses or not.
func (p *parser) exclude() []Ident {
	p.expect("exclude")
	if p.isOp("(") {
		return p.identList()
	}
	return p.idents()
}

func (p *parser) into() *Into {
	p.expect("into")
	i := &Into{}
	if p.is("temp", "temporary") {
		p.next()
		i.Temp = true
	}
	p.accept("table")
	i.Name = p.name()
	return i
}

// hierarchy reads [START WITH …] CONNECT BY …, or the two the other way round (CONNECT BY
// clause, r_CONNECT_BY_clause).
func (p *parser) hierarchy(s *Select) {
	if p.accept("start", "with") {
		s.StartWith = p.expr()
		p.expect("connect", "by")
		s.ConnectBy = p.expr()
		return
	}
	if p.accept("connect", "by") {
		if s.ConnectBy = p.expr(); p.accept("start", "with") {
			s.StartWith = p.expr()
		}
	}
}

func (p *parser) groupBy(s *Select) {
	if p.accept("all") {
		s.GroupAll = true
		return
	}
	for {
		s.GroupBy = append(s.GroupBy, p.group())
		if !p.acceptOp(",") {
			return
		}
	}
}

// group reads an element of GROUP BY.
func (p *parser) group() Group {
	switch {
	case p.is("rollup", "cube") && p.peek(1).isOp("("):
		return Group{Kind: p.next().value, Sets: p.groupingSets()}
	case p.are("grouping", "sets"):
		p.accept("grouping", "sets")
		return Group{Kind: "grouping sets", Sets: p.groupingSets()}
	case p.isOp("(") && p.peek(1).isOp(")"):
		return Group{Kind: "grouping sets", Sets: [][]Expr{p.groupingSet()}}
	}
	return Group{X: p.expr()}
}

func (p *parser) groupingSets() [][]Expr {
	p.expectOp("(")
	all := [][]Expr{p.groupingSet()}
	for p.acceptOp(",") {
		all = append(all, p.groupingSet())
	}
	p.expectOp(")")
	return all
}

// groupingSet reads (), an expression, or (a, b).
func (p *parser) groupingSet() []Expr {
	if p.isOp("(") && p.peek(1).isOp(")") {
		p.next()
		p.next()
		return []Expr{}
	}
	x := p.expr()
	if row, ok := x.(*Row); ok {
		return row.Values
	}
	return []Expr{x}
}
