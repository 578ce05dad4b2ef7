package syntax

// explain reads EXPLAIN [VERBOSE] (r_EXPLAIN), which takes a query, INSERT, UPDATE, DELETE
// and CREATE TABLE AS.
func (p *parser) explain() Statement {
	p.expect("explain")
	p.accept("verbose")
	at := p.tok
	if !p.isOp("(") && !p.is("select", "with", "insert", "update", "delete", "merge", "create") {
		p.fail()
	}
	of := p.statement()
	if at.is("create") {
		if _, ok := of.(*CreateTableAs); !ok {
			p.failAt(at)
		}
	}
	return &Explain{Of: of}
}

// prepare reads PREPARE name [(types)] AS statement (r_PREPARE).
func (p *parser) prepare() Statement {
	p.expect("prepare")
	s := &Prepare{Name: p.ident()}
	if p.acceptOp("(") {
		s.Types = append(s.Types, p.typeName())
		for p.acceptOp(",") {
			s.Types = append(s.Types, p.typeName())
		}
		p.expectOp(")")
	}
	p.expect("as")
	if !p.isOp("(") && !p.is("select", "with", "insert", "update", "delete") {
		p.fail()
	}
	s.Of = p.text()
	return s
}

func (p *parser) execute() Statement {
	p.expect("execute")
	e := &Execute{Name: p.ident()}
	if p.acceptOp("(") {
		e.Args = p.exprs()
		p.expectOp(")")
	}
	return e
}

func (p *parser) deallocate() Statement {
	p.expect("deallocate")
	p.accept("prepare")
	if p.accept("all") {
		return &Deallocate{}
	}
	name := p.ident()
	return &Deallocate{Name: &name}
}

// declare reads DECLARE name CURSOR FOR query. WITHOUT HOLD says what is so anyway; psycopg2
// sends it.
func (p *parser) declare() Statement {
	p.expect("declare")
	d := &DeclareCursor{Name: p.ident()}
	p.expect("cursor")
	p.accept("without", "hold")
	p.expect("for")
	d.Query = p.query()
	return d
}

// fetch reads FETCH [NEXT | ALL | n | FORWARD [n | ALL]] FROM cursor.
func (p *parser) fetch() Statement {
	p.expect("fetch")
	f := &Fetch{Count: 1}
	forward := p.accept("forward")
	switch {
	case p.accept("all"):
		f.Count = -1
	case p.tok.kind == number:
		f.Count = p.integer()
	case !forward:
		p.accept("next")
	}
	if !p.accept("in") {
		p.expect("from")
	}
	f.Cursor = p.ident()
	return f
}

// cancel reads CANCEL process ['message'] (r_CANCEL).
func (p *parser) cancel() Statement {
	p.expect("cancel")
	c := &Cancel{Process: p.integer()}
	if p.tok.kind == text {
		c.Message = p.string()
	}
	return c
}

func (p *parser) callProcedure() Statement {
	p.expect("call")
	c := &CallProcedure{Name: p.name()}
	p.expectOp("(")
	if !p.isOp(")") {
		c.Args = p.exprs()
	}
	p.expectOp(")")
	return c
}
