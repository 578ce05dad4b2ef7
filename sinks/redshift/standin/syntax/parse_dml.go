package syntax

import "slices"

// queryRule returns how a query, a statement that changes rows, or one that names another
// statement is read; nil = it is none.
func queryRule(word string) rule {
	switch word {
	case "select":
		return func(p *parser) Statement { return &SelectStatement{Query: p.query()} }
	case "with":
		return (*parser).withStatement
	case "insert":
		return func(p *parser) Statement { return p.insert() }
	case "update":
		return func(p *parser) Statement { return p.update(nil, false) }
	case "delete":
		return func(p *parser) Statement { return p.delete(nil, false) }
	case "merge":
		return (*parser).mergeStatement
	case "truncate":
		return (*parser).truncate
	case "explain":
		return (*parser).explain
	case "prepare":
		return (*parser).prepare
	case "execute":
		return (*parser).execute
	case "deallocate":
		return (*parser).deallocate
	case "declare":
		return (*parser).declare
	case "fetch":
		return (*parser).fetch
	case "close":
		return func(p *parser) Statement { p.next(); return &CloseCursor{Cursor: p.ident()} }
	case "call":
		return (*parser).callProcedure
	}
	return nil
}

// withStatement reads a statement that begins with WITH.
func (p *parser) withStatement() Statement {
	p.enter()
	defer p.leave()
	ctes, recursive := p.with()
	switch {
	case p.is("update"):
		return p.update(ctes, recursive)
	case p.is("delete"):
		return p.delete(ctes, recursive)
	}
	q := &Query{With: ctes, Recursive: recursive}
	p.rest(q)
	return &SelectStatement{Query: q}
}

func (p *parser) insert() *Insert {
	p.expect("insert", "into")
	i := &Insert{Into: p.name()}
	if p.isOp("(") && !p.opensQuery() {
		i.Columns = p.identList()
	}
	switch {
	case p.accept("default"):
		p.expect("values")
		i.DefaultValues = true
	case p.accept("values"):
		i.Rows = p.rows()
	default:
		i.Query = p.query()
	}
	return i
}

// opensQuery tells whether the parenthesis that is next, or one right in it, holds a query.
func (p *parser) opensQuery() bool {
	next := p.peek(1)
	return next.isOp("(") || next.is("select", "with")
}

// rows reads the rows of VALUES.
func (p *parser) rows() [][]Expr {
	var all [][]Expr
	width := 0
	for {
		at := p.tok
		row := p.row(width, p.valueOrDefault)
		if all != nil && len(row) != width {
			p.failWith(at.pos, syntaxError("VALUES lists must all be the same length"))
		}
		width = len(row)
		if len(all) == cap(all) {
			all = slices.Grow(all, max(1, len(all))) // twice as many, since there may be millions
		}
		all = append(all, row)
		if !p.acceptOp(",") {
			return all
		}
	}
}

// row reads values in parentheses, as many as width if that is known.
func (p *parser) row(width int, value func() Expr) []Expr {
	row := p.values.take(width)[:0]
	p.expectOp("(")
	for {
		row = append(row, value())
		if !p.acceptOp(",") {
			break
		}
	}
	p.expectOp(")")
	return row
}

func (p *parser) valueOrDefault() Expr {
	if p.accept("default") {
		return &Default{}
	}
	return p.expr()
}

func (p *parser) update(with []CTE, recursive bool) *Update {
	p.expect("update")
	u := &Update{With: with, Recursive: recursive, Table: p.name()}
	u.Alias = p.alias()
	u.Set = p.assignments(p.valueOrDefault)
	if p.accept("from") {
		u.From = p.fromList()
	}
	if p.accept("where") {
		u.Where = p.expr()
	}
	return u
}

func (p *parser) assignments(value func() Expr) []Assignment {
	p.expect("set")
	var all []Assignment
	for {
		a := Assignment{Column: p.ident()}
		p.expectOp("=")
		a.Value = value()
		all = append(all, a)
		if !p.acceptOp(",") {
			return all
		}
	}
}

func (p *parser) delete(with []CTE, recursive bool) *Delete {
	p.expect("delete")
	p.accept("from")
	d := &Delete{With: with, Recursive: recursive, From: p.name()}
	if p.accept("using") {
		d.Using = p.fromList()
	}
	if p.accept("where") {
		d.Where = p.expr()
	}
	return d
}

// mergeStatement reads MERGE (r_MERGE): exactly one WHEN MATCHED and then one WHEN NOT MATCHED, or
// REMOVE DUPLICATES. The page has expressions as values, and no DEFAULT.
func (p *parser) mergeStatement() Statement {
	p.expect("merge", "into")
	m := &Merge{Into: p.name()}
	p.expect("using")
	m.Using = p.name()
	m.Alias = p.alias()
	p.expect("on")
	m.On = p.expr()
	if p.accept("remove") {
		p.expect("duplicates")
		m.RemoveDuplicates = true
		return m
	}
	p.expect("when", "matched", "then")
	if m.DeleteMatched = p.accept("delete"); !m.DeleteMatched {
		p.expect("update")
		m.Update = p.assignments(p.expr)
	}
	p.expect("when", "not", "matched", "then", "insert")
	if p.isOp("(") {
		m.InsertColumns = p.identList()
	}
	p.expect("values")
	m.InsertValues = p.row(0, p.expr)
	return m
}

func (p *parser) truncate() Statement {
	p.expect("truncate")
	p.accept("table")
	return &Truncate{Table: p.name()}
}
