package syntax

// Parse reads a text of statements. Empty ones are left out, so that an empty text has
// none. The error is a *pgconn.PgError, and then nothing of the text runs.
func Parse(sql string) ([]Text, error) {
	if err := checkText(sql); err != nil {
		return nil, err
	}
	p := newParser(sql)
	var all []Text
	err := p.run(func() {
		for {
			for p.acceptOp(";") {
			}
			if p.tok.kind == endOfInput {
				return
			}
			all = append(all, p.text())
			if p.tok.kind != endOfInput && !p.isOp(";") {
				p.fail()
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// text reads one statement, and keeps what was written.
func (p *parser) text() Text {
	outer, start := p.params, p.tok.pos
	p.params = 0
	s := p.statement()
	t := Text{Statement: s, SQL: p.lexer.source[start:p.last], Source: p.lexer.source, Params: p.params}
	p.params = outer
	return t
}

// rule reads a statement from its first word on.
type rule func(*parser) Statement

// statement reads a statement, which its first word tells from others.
func (p *parser) statement() Statement {
	if p.isOp("(") {
		return &SelectStatement{Query: p.query()}
	}
	if p.tok.kind == word {
		for _, rules := range []func(string) rule{queryRule, tableRule, utilityRule} {
			if r := rules(p.tok.value); r != nil {
				return r(p)
			}
		}
		if notSupported[p.tok.value] {
			p.refuse(p.tok)
		}
	}
	p.fail()
	return nil
}

// notSupported are the first words of PostgreSQL's statements that Redshift does not run
// (Unsupported PostgreSQL features, c_unsupported-postgresql-features).
var notSupported = wordSet(`
	savepoint release listen notify unlisten checkpoint load move reindex cluster do`)

// refuse reports a statement that is not supported, from its first word on.
func (p *parser) refuse(start token) {
	for p.tok.kind != endOfInput && p.tok.kind != invalid && !p.isOp(";") {
		p.next()
	}
	sql := p.lexer.source[start.pos:p.last]
	p.failWith(start.pos, failure(stateNotSupported, `SQL command "`+sql+`" not supported.`))
}
