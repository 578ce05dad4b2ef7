package syntax

func (p *parser) fromList() []TableExpr {
	all := []TableExpr{p.joined()}
	for p.acceptOp(",") {
		all = append(all, p.joined())
	}
	return all
}

// joined reads an element of FROM with its joins.
func (p *parser) joined() TableExpr {
	p.enter()
	outer := p.height
	p.height = 0
	left := p.tableExpr()
	for j := p.joinKind(); j != nil; j = p.joinKind() {
		j.L, j.R = left, p.tableExpr()
		p.joinCondition(j)
		p.grow()
		left = j
	}
	p.height = max(outer, p.height)
	p.leave()
	return left
}

// joinKind reads the words before a join's right side; nil = no join follows.
func (p *parser) joinKind() *Join {
	if !p.is("natural", "join", "inner", "left", "right", "full", "cross") {
		return nil
	}
	j := &Join{Kind: "inner", Natural: p.accept("natural")}
	if p.is("inner", "left", "right", "full") || p.is("cross") && !j.Natural {
		if j.Kind = p.next().value; j.Kind != "inner" && j.Kind != "cross" {
			p.accept("outer")
		}
	}
	p.expect("join")
	return j
}

// joinCondition reads ON or USING. Joins in the right side are read first if a condition is
// missing: a join b join c on … on ….
func (p *parser) joinCondition(j *Join) {
	if j.Natural || j.Kind == "cross" {
		return
	}
	if t, ok := j.R.(*Table); ok && t.mayBePath() && !p.is("on", "using") {
		j.Missing = &MissingCondition{Near: p.lexer.source[p.tok.pos:p.tok.end], Pos: p.tok.pos}
		return
	}
	for !p.is("on", "using") {
		inner := p.joinKind()
		if inner == nil {
			p.fail()
		}
		p.enter()
		inner.L, inner.R = j.R, p.tableExpr()
		p.joinCondition(inner)
		p.leave()
		p.grow()
		j.R = inner
	}
	if p.accept("using") {
		j.Using = p.identList()
		return
	}
	p.expect("on")
	j.On = p.expr()
}

// tableExpr reads an element of FROM without joins.
func (p *parser) tableExpr() TableExpr {
	var t TableExpr
	switch {
	case p.isOp("("):
		t = p.tableParenthesis()
	case p.is("unpivot"):
		t = p.objectUnpivot()
	case p.is("unnest"):
		t = p.unnest()
	default:
		t = p.table()
	}
	for p.is("pivot", "unpivot") {
		t = p.pivot(t)
		p.grow()
	}
	return t
}

// tableParenthesis reads a query or a join in parentheses.
func (p *parser) tableParenthesis() TableExpr {
	p.expectOp("(")
	if p.is("select", "with") {
		d := &DerivedTable{Query: p.query()}
		p.expectOp(")")
		d.Alias, d.Columns = p.tableAlias()
		return d
	}
	inner := p.joined()
	if d, ok := inner.(*DerivedTable); ok && d.Alias == nil {
		// A query may begin with a query in parentheses.
		if p.continuesQuery() {
			d.Query = p.queryAfter(d.Query)
		}
		p.expectOp(")")
		d.Alias, d.Columns = p.tableAlias()
		return d
	}
	switch t := inner.(type) {
	case *Join:
		p.expectOp(")")
		return inner
	case *Table:
		if t.mayBePath() && t.Alias == nil {
			p.expectOp(")")
			t.InParentheses = true
			p.pathAlias(t)
			return t
		}
	}
	p.fail()
	return nil
}

// mayBePath tells whether a name in FROM can be a path into a SUPER value.
func (t *Table) mayBePath() bool { return len(t.Path.Steps) > 0 }

// table reads a table, a path into a SUPER value, or a function.
func (p *parser) table() TableExpr {
	t := &Table{Path: &Ref{First: p.ident()}}
	t.Path.Steps = p.steps()
	if p.isOp("(") {
		return p.tableCall(p.nameOf(t.Path))
	}
	// PostgreSQL's sign for "with descendants", which are all that there is.
	p.acceptOp("*")
	p.pathAlias(t)
	return t
}

// pathAlias reads a table's alias, or a path's with that of the index.
func (p *parser) pathAlias(t *Table) {
	t.Alias, t.Columns = p.tableAlias()
	if t.Alias != nil && t.Columns == nil && t.mayBePath() && p.accept("at") {
		at := p.ident()
		t.At = &at
	}
}

// unnest reads UNNEST(path) [WITH OFFSET] [AS] alias [(column [, offset])] (UNNEST examples,
// r_FROM_clause-unnest-examples).
func (p *parser) unnest() TableExpr {
	w := p.next()
	t := &TableCall{Call: &Call{Name: Name{p.asIdent(w)}, Pos: w.pos}}
	p.expectOp("(")
	t.Call.Args = []Expr{p.expr()}
	p.expectOp(")")
	t.WithOffset = p.accept("with", "offset")
	t.Alias, t.Columns = p.tableAlias()
	return t
}

func (p *parser) tableCall(name Name) TableExpr {
	t := &TableCall{Call: p.call(name), Alias: p.alias()}
	if !p.isOp("(") || t.Alias == nil {
		return t
	}
	if after := p.peek(2); after.isOp(",") || after.isOp(")") {
		t.Columns = p.identList()
		return t
	}
	p.next()
	for {
		t.Defs = append(t.Defs, ColumnDef{Name: p.ident(), Type: p.typeName()})
		if !p.acceptOp(",") {
			break
		}
	}
	p.expectOp(")")
	return t
}

// tableAlias reads [AS] alias [(columns)].
func (p *parser) tableAlias() (*Ident, []Ident) {
	alias := p.alias()
	if alias == nil || !p.isOp("(") {
		return alias, nil
	}
	return alias, p.identList()
}

// bareTableAlias tells whether the next token is an alias without AS. START WITH and
// CONNECT BY are clauses (Reserved words, r_pg_keywords), and so is UPDATE's SET.
func (p *parser) bareTableAlias() bool {
	return p.tok.isName() && !p.are("start", "with") && !p.are("connect", "by") && !p.is("set")
}

// alias reads [AS] alias of a table. Unlike a target's, it cannot be a reserved word.
func (p *parser) alias() *Ident {
	if !p.accept("as") && !p.bareTableAlias() {
		return nil
	}
	name := p.ident()
	return &name
}

// objectUnpivot reads UNPIVOT expression AS value [AT attribute].
func (p *parser) objectUnpivot() TableExpr {
	p.expect("unpivot")
	u := &Unpivot{X: p.expr()}
	if u.Value = p.alias(); p.accept("at") {
		at := p.ident()
		u.At = &at
	}
	return u
}

// pivot reads PIVOT or UNPIVOT behind a table (PIVOT and UNPIVOT examples,
// r_FROM_clause-pivot-unpivot-examples).
func (p *parser) pivot(of TableExpr) TableExpr {
	v := &Pivot{Of: of, Unpivot: p.next().value == "unpivot"}
	if v.Unpivot && p.is("include", "exclude") {
		v.IncludeNulls = p.next().value == "include"
		p.expect("nulls")
	}
	p.expectOp("(")
	if v.Unpivot {
		value := p.ident()
		v.Value = &value
	} else {
		v.Aggregate = p.expression()
	}
	p.expect("for")
	v.For = p.ident()
	p.expect("in")
	p.expectOp("(")
	v.In = append(v.In, p.expression())
	for p.acceptOp(",") {
		v.In = append(v.In, p.expression())
	}
	p.expectOp(")")
	p.expectOp(")")
	v.Alias = p.alias()
	return v
}
