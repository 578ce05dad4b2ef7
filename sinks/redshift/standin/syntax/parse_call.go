package syntax

// call reads a function's arguments and what may follow them.
func (p *parser) call(name Name) *Call {
	c := &Call{Name: name, Pos: name[0].Pos}
	p.expectOp("(")
	switch {
	case p.isOp(")"):
	case p.isOp("*"):
		p.next()
		c.Star = true
	default:
		if c.Distinct = p.accept("distinct"); !c.Distinct {
			p.accept("all")
		}
		c.Args = p.exprs()
		c.IgnoreNulls = p.nulls()
	}
	p.expectOp(")")
	p.afterCall(c)
	return c
}

// afterCall reads the clauses of an aggregate and of a window function.
func (p *parser) afterCall(c *Call) {
	if p.are("within", "group") {
		if !orderedSet[Fold(c.Name.Last().Text)] {
			p.fail()
		}
		p.accept("within", "group")
		p.expectOp("(")
		c.OrderBy = p.orderBy()
		p.expectOp(")")
	}
	if c.IgnoreNulls == "" {
		c.IgnoreNulls = p.nulls()
	}
	switch {
	case p.is("over") && p.peek(1).isOp("("):
		p.next()
		c.Over = p.window()
	case c.IgnoreNulls != "":
		p.fail()
	}
}

// orderedSet are the aggregates that take WITHIN GROUP.
var orderedSet = wordSet("listagg percentile_cont percentile_disc")

// nulls reads IGNORE NULLS or RESPECT NULLS, and returns its first word; "" = neither.
func (p *parser) nulls() string {
	if !p.is("ignore", "respect") {
		return ""
	}
	w := p.next().value
	p.expect("nulls")
	return w
}

func (p *parser) window() *Window {
	w := &Window{}
	p.expectOp("(")
	if p.accept("partition", "by") {
		w.PartitionBy = p.exprs()
	}
	if p.is("order") {
		w.OrderBy = p.orderBy()
	}
	if p.is("rows") && w.OrderBy != nil {
		w.Frame = p.frame()
	}
	p.expectOp(")")
	return w
}

func (p *parser) frame() *Frame {
	p.expect("rows")
	f := &Frame{Between: p.accept("between")}
	if !f.Between {
		f.Start = p.bound("preceding", "preceding")
		return f
	}
	f.Start = p.bound("preceding", "preceding", "following")
	p.expect("and")
	f.End = p.bound("following", "preceding", "following")
	return f
}

// bound reads a bound of a frame: UNBOUNDED and the word given, CURRENT ROW, or a number and
// one of the words given.
func (p *parser) bound(unbounded string, words ...string) Bound {
	switch {
	case p.accept("unbounded"):
		return Bound{Kind: "unbounded " + p.oneOf(unbounded)}
	case p.accept("current"):
		p.expect("row")
		return Bound{Kind: "current row"}
	}
	offset := p.count()
	return Bound{Kind: p.oneOf(words...), Offset: offset}
}

// count reads a number without a sign, or a parameter.
func (p *parser) count() Expr {
	switch p.tok.kind {
	case number:
		return &Number{Text: p.next().value}
	case param:
		return p.parameter()
	}
	p.fail()
	return nil
}

// orderBy reads ORDER BY and its expressions.
func (p *parser) orderBy() []Order {
	p.expect("order", "by")
	all := []Order{p.order()}
	for p.acceptOp(",") {
		all = append(all, p.order())
	}
	return all
}

func (p *parser) order() Order {
	o := Order{X: p.expr()}
	if o.Desc = p.accept("desc"); !o.Desc {
		p.accept("asc")
	}
	if p.accept("nulls") {
		first := p.oneOf("first", "last") == "first"
		o.NullsFirst = &first
	}
	return o
}

// bareCall reads a function that has no parentheses. Those of the time may have a precision.
func (p *parser) bareCall() Expr {
	w := p.next()
	c := &Call{Name: Name{p.asIdent(w)}, Bare: true, Pos: w.pos}
	if p.isOp("(") && w.is("current_time", "current_timestamp", "localtime", "localtimestamp") {
		p.next()
		if p.tok.kind != number {
			p.fail()
		}
		c.Args = []Expr{&Number{Text: p.next().value}}
		p.expectOp(")")
	}
	return c
}

// opens passes the word and the parenthesis if they are next.
func (p *parser) opens() bool {
	if !p.peek(1).isOp("(") {
		return false
	}
	p.next()
	p.next()
	return true
}

func (p *parser) caseExpr() Expr {
	p.expect("case")
	c := &Case{}
	if !p.is("when") {
		c.Operand = p.expr()
	}
	for {
		p.expect("when")
		cond := p.expr()
		p.expect("then")
		c.Whens = append(c.Whens, When{Cond: cond, Result: p.expr()})
		if !p.is("when") {
			break
		}
	}
	if p.accept("else") {
		c.Else = p.expr()
	}
	p.expect("end")
	return c
}

// cast reads CAST(x AS t) and TRY_CAST(x AS t).
func (p *parser) cast() Expr {
	w := p.tok
	if !p.opens() {
		return nil
	}
	c := &Cast{X: p.expr(), Try: w.value == "try_cast", Pos: w.pos}
	p.expect("as")
	c.To = p.typeName()
	p.expectOp(")")
	return c
}

// convert reads CONVERT(t, x).
func (p *parser) convert() Expr {
	w := p.tok
	if !p.opens() {
		return nil
	}
	c := &Cast{To: p.typeName(), Pos: w.pos}
	p.expectOp(",")
	c.X = p.expr()
	p.expectOp(")")
	return c
}

func (p *parser) exists() Expr {
	if !p.opens() {
		return nil
	}
	q := p.query()
	p.expectOp(")")
	return &Exists{Query: q}
}

// extract reads EXTRACT(field FROM x). The field is a word or a string.
func (p *parser) extract() Expr {
	if !p.opens() {
		return nil
	}
	e := &Extract{}
	if p.tok.kind == text {
		e.Field = Fold(p.string())
	} else {
		e.Field = Fold(p.label().Text)
	}
	p.expect("from")
	e.X = p.expr()
	p.expectOp(")")
	return e
}

// trim reads TRIM(x), and TRIM([where] [characters] FROM x).
func (p *parser) trim() Expr {
	w := p.tok
	if !p.opens() {
		return nil
	}
	t := &Trim{Where: "both"}
	where := p.is("both", "leading", "trailing")
	if where {
		t.Where = p.next().value
	}
	if !p.is("from") {
		t.X = p.expr()
	}
	switch {
	case p.accept("from"):
		t.Chars, t.X = t.X, p.expr()
	case !where:
		c := &Call{Name: Name{p.asIdent(w)}, Args: []Expr{t.X}, Pos: w.pos}
		for p.acceptOp(",") {
			c.Args = append(c.Args, p.expr())
		}
		p.expectOp(")")
		return c
	}
	p.expectOp(")")
	return t
}

// substring reads SUBSTRING(x FROM a FOR b), or an ordinary call.
func (p *parser) substring() Expr {
	w := p.tok
	if !p.opens() {
		return nil
	}
	c := &Call{Name: Name{p.asIdent(w)}, Args: []Expr{p.expr()}, Pos: w.pos}
	switch {
	case p.accept("from"):
		c.Args = append(c.Args, p.expr())
		if p.accept("for") {
			c.Args = append(c.Args, p.expr())
		}
	case p.accept("for"):
		c.Args = append(c.Args, &Number{Text: "1"}, p.expr())
	default:
		for p.acceptOp(",") {
			c.Args = append(c.Args, p.expr())
		}
	}
	p.expectOp(")")
	return c
}

// position reads POSITION(a IN b).
func (p *parser) position() Expr {
	w := p.tok
	if !p.opens() {
		return nil
	}
	c := &Call{Name: Name{p.asIdent(w)}, Pos: w.pos}
	a := p.operand(precOther)
	p.expect("in")
	c.Args = []Expr{a, p.operand(precOther)}
	p.expectOp(")")
	return c
}

// approximate reads APPROXIMATE before an aggregate.
func (p *parser) approximate() Expr {
	if next := p.peek(1); !next.isName() || !p.peek(2).isOp("(") {
		return nil
	}
	p.next()
	x := p.reference()
	c, ok := x.(*Call)
	if !ok {
		p.fail()
	}
	c.Approximate = true
	return c
}
