package syntax

// The precedence of operators, from the loosest on. It is PostgreSQL 8.0's, which is not
// today's: = binds from the right, IS is tighter than comparisons, and <=, >= and <> are as
// tight as any other operator.
const (
	precLowest  = iota
	precOr      // left
	precAnd     // left
	precNot     // prefix
	precEqual   // right
	precCompare // < and >: no chain
	precLike    // no chain
	precEscape  // of a pattern
	precBetween
	precIn    // postfix
	precOther // left: ||, <=, <>, ~, and all that have no level of their own
	precIs    // postfix
	precAdd   // left
	precTimes // left
	precPower // left
	precZone  // left: AT TIME ZONE
	precSign  // prefix
)

// expr reads an expression.
func (p *parser) expr() Expr { return p.operand(precOr) }

// exprs reads expressions with commas between them.
func (p *parser) exprs() []Expr {
	all := []Expr{p.expr()}
	for p.acceptOp(",") {
		all = append(all, p.expr())
	}
	return all
}

// operand reads an expression whose operators bind at least as tightly as floor.
func (p *parser) operand(floor int) Expr {
	p.enter()
	outer := p.height
	p.height = 0
	x := p.prefix()
	for before, level := precLowest, p.level(); level >= floor; before, level = level, p.level() {
		if level == before && (level == precCompare || level == precLike) {
			p.fail()
		}
		x = p.infix(x, level)
		p.grow()
	}
	p.height = max(outer, p.height)
	p.leave()
	return x
}

// level returns the level of the next token as an operator between operands or behind one;
// precLowest = it is none.
func (p *parser) level() int {
	switch p.tok.kind {
	case operator:
		switch p.tok.value {
		case "=":
			return precEqual
		case "<", ">":
			return precCompare
		case "+", "-":
			return precAdd
		case "*", "/", "%":
			return precTimes
		case "^":
			return precPower
		case ",", "(", ")", "[", "]", ".", ";", ":", "::":
			return precLowest
		}
		return precOther
	case word:
		return p.wordLevel(p.tok.value)
	}
	return precLowest
}

func (p *parser) wordLevel(w string) int {
	switch w {
	case "or":
		return precOr
	case "and":
		return precAnd
	case "like", "ilike", "similar":
		return precLike
	case "between":
		return precBetween
	case "in":
		return precIn
	case "is", "isnull", "notnull":
		return precIs
	case "at":
		if p.are("at", "time", "zone") {
			return precZone
		}
	case "not":
		if next := p.peek(1); next.is("like", "ilike", "similar", "between", "in") {
			return p.wordLevel(next.value)
		}
	}
	return precLowest
}

// infix reads an operator of a level behind x, and its other operands.
func (p *parser) infix(x Expr, level int) Expr {
	switch level {
	case precLike:
		return p.like(x)
	case precBetween:
		not := p.accept("not")
		p.expect("between")
		low := p.operand(precOther)
		p.expect("and")
		return &Between{Not: not, X: x, Low: low, High: p.operand(precOther)}
	case precIn:
		return p.in(x)
	case precIs:
		return p.isTest(x)
	case precZone:
		p.expect("at", "time", "zone")
		return &AtTimeZone{X: x, Zone: p.operand(precZone + 1)}
	}
	op := p.next()
	if op.kind == operator && p.is("any", "some", "all") {
		return p.quantified(x, op)
	}
	floor := level + 1
	if level == precEqual {
		floor = level
	}
	return &Binary{Op: op.value, X: x, Y: p.operand(floor), Pos: op.pos}
}

func (p *parser) like(x Expr) Expr {
	l := &Like{Not: p.accept("not"), X: x}
	l.Op = p.oneOf("like", "ilike", "similar")
	if l.Op == "similar" {
		p.expect("to")
		l.Op = "similar to"
	}
	l.Pattern = p.operand(precEscape)
	if p.accept("escape") {
		l.Escape = p.operand(precEscape)
	}
	return l
}

func (p *parser) in(x Expr) Expr {
	in := &In{Not: p.accept("not"), X: x}
	p.expect("in")
	p.expectOp("(")
	if p.is("select", "with") {
		in.Query = p.query()
	} else if in.List = p.exprs(); len(in.List) == 1 {
		if sub, ok := in.List[0].(*Subquery); ok {
			in.Query, in.List = sub.Query, nil
		}
	}
	p.expectOp(")")
	return in
}

func (p *parser) isTest(x Expr) Expr {
	switch p.next().value {
	case "isnull":
		return &Is{X: x, Of: "null"}
	case "notnull":
		return &Is{X: x, Of: "null", Not: true}
	}
	not := p.accept("not")
	return &Is{X: x, Not: not, Of: p.oneOf("null", "true", "false", "unknown")}
}

func (p *parser) quantified(x Expr, op token) Expr {
	q := &QuantifiedComparison{X: x, Op: op.value, Pos: op.pos, All: p.next().value == "all"}
	p.expectOp("(")
	if p.is("select", "with") {
		q.Query = p.query()
	} else {
		q.Of = p.expr()
		if sub, ok := q.Of.(*Subquery); ok {
			q.Query, q.Of = sub.Query, nil
		}
	}
	p.expectOp(")")
	return q
}

// prefix reads an operator before its operand, or an operand with what is behind it.
func (p *parser) prefix() Expr {
	switch {
	case p.accept("not"):
		return &Unary{Op: "not", X: p.operand(precNot)}
	case p.isOp("-"), p.isOp("+"):
		return &Unary{Op: p.next().value, X: p.operand(precSign)}
	case p.isOp("@"), p.isOp("~"), p.isOp("|/"), p.isOp("||/"):
		return &Unary{Op: p.next().value, X: p.operand(precOther + 1)}
	case p.is("prior") && p.peek(1).isName():
		p.next()
		return &Prior{X: p.operand(precSign)}
	}
	x := p.primary()
	for p.isOp("::") {
		pos := p.next().pos
		x = &Cast{X: x, To: p.typeName(), Pos: pos}
		p.grow()
	}
	return x
}

// primary reads an operand.
func (p *parser) primary() Expr {
	switch p.tok.kind {
	case number:
		n := &p.numbers.take(1)[0]
		n.Text = p.next().value
		return n
	case text:
		s := &p.strings.take(1)[0]
		s.Value = p.next().value
		return s
	case param:
		return p.parameter()
	case quoted:
		return p.reference()
	case word:
		return p.wordPrimary()
	}
	if p.isOp("(") {
		return p.parenthesis()
	}
	p.fail()
	return nil
}

func (p *parser) parameter() Expr {
	t := p.next()
	n := 0
	for _, c := range t.value {
		// A number beyond an int's is as little a parameter as one beyond the protocol's.
		n = min(n*10+int(c-'0'), 1<<31-1)
	}
	p.params = max(p.params, n)
	return &Param{N: n}
}

// parenthesis reads (x), (x).path, (a, b) or (query).
func (p *parser) parenthesis() Expr {
	p.expectOp("(")
	var x Expr
	if p.is("select", "with") {
		x = &Subquery{Query: p.query()}
	} else {
		x = p.expr()
		// A query may begin with a query in parentheses, which looks like a value.
		if sub, ok := x.(*Subquery); ok && p.continuesQuery() {
			x = &Subquery{Query: p.queryAfter(sub.Query)}
		}
	}
	if p.isOp(",") {
		row := &Row{Values: []Expr{x}}
		for p.acceptOp(",") {
			row.Values = append(row.Values, p.expr())
		}
		p.expectOp(")")
		return row
	}
	p.expectOp(")")
	if steps := p.steps(); len(steps) > 0 {
		return &Path{X: x, Steps: steps}
	}
	return x
}

// steps reads what follows a name: .attribute and [index].
func (p *parser) steps() []PathStep {
	var all []PathStep
	for {
		switch {
		case p.acceptOp("."):
			name := p.label()
			all = append(all, PathStep{Field: &name})
		case p.acceptOp("["):
			all = append(all, PathStep{Index: p.expr()})
			p.expectOp("]")
		default:
			return all
		}
	}
}

// wordPrimary reads an operand that begins with a word.
func (p *parser) wordPrimary() Expr {
	if r := wordRules(p.tok.value); r != nil {
		if x := r(p); x != nil {
			return x
		}
	}
	w := p.tok
	next := p.peek(1)
	switch {
	case bareFunctions[w.value]:
		return p.bareCall()
	case callable[w.value]:
		p.next()
		return p.call(Name{p.asIdent(w)})
	case w.value == "oid":
		// The list of reserved words has it, and so no column is named so; but it is read,
		// being the name of a column of the catalog's tables.
		p.next()
		return &Ref{First: p.asIdent(w)}
	case reserved[w.value]:
		p.fail()
	case next.kind == text, p.severalWords():
		if x := p.typedString(); x != nil {
			return x
		}
	}
	return p.reference()
}

// array reads ARRAY[…]; ARRAY(…) is a function.
func (p *parser) array() Expr {
	if next := p.peek(1); next.kind != operator || next.value != "[" {
		return nil
	}
	p.next()
	p.expectOp("[")
	a := &Array{}
	for !p.isOp("]") {
		a.Values = append(a.Values, p.expr())
		if !p.acceptOp(",") {
			break
		}
	}
	p.expectOp("]")
	return a
}

// wordRules returns how an operand is read that begins with a word of its own. A rule that
// returns nil has passed nothing: the word is a name.
func wordRules(w string) func(*parser) Expr {
	switch w {
	case "null":
		return func(p *parser) Expr { p.next(); return &Null{} }
	case "true", "false":
		return func(p *parser) Expr { return &Bool{Value: p.next().value == "true"} }
	case "case":
		return (*parser).caseExpr
	case "array":
		return (*parser).array
	case "cast", "try_cast":
		return (*parser).cast
	case "convert":
		return (*parser).convert
	case "exists":
		return (*parser).exists
	case "extract":
		return (*parser).extract
	case "trim":
		return (*parser).trim
	case "substring":
		return (*parser).substring
	case "position":
		return (*parser).position
	case "interval":
		return (*parser).interval
	case "approximate":
		return (*parser).approximate
	}
	return nil
}

// reference reads a column, a path into its value, or a call.
func (p *parser) reference() Expr {
	r := &Ref{First: p.ident()}
	r.Steps = p.steps()
	switch {
	case !p.isOp("("):
		return r
	case p.peek(1).isOp("+") && p.peek(2).isOp(")"):
		// Oracle's outer join (r_WHERE_oracle_outer).
		p.next()
		p.next()
		p.next()
		r.Outer = true
		return r
	}
	return p.call(p.nameOf(r))
}

// nameOf makes a name of a path whose steps have to be names: a parenthesis follows.
func (p *parser) nameOf(r *Ref) Name {
	name := Name{r.First}
	for _, s := range r.Steps {
		if s.Field == nil || len(name) == 3 {
			p.fail()
		}
		name = append(name, *s.Field)
	}
	return name
}

// typedString reads type 'text'; nil = no string follows the type, and nothing is passed.
func (p *parser) typedString() Expr {
	m := p.mark()
	t := p.typeName()
	if p.tok.kind != text {
		p.back(m)
		return nil
	}
	return &TypeConstant{Type: t, Value: p.next().value}
}

// severalWords tells whether the next two words begin a type of several words.
func (p *parser) severalWords() bool {
	return p.are("double", "precision") || p.are("character", "varying") ||
		p.are("char", "varying") || p.is("timestamp", "time") && p.peek(1).is("with", "without")
}

// interval reads an interval's literal: its fields are before the string's end or behind it
// (Interval literals, r_interval_literals).
func (p *parser) interval() Expr {
	start := p.next()
	t := Type{Name: "interval", Pos: start.pos}
	if p.isOp("(") {
		t.Args = p.typeArgs()
	}
	s := &TypeConstant{Value: p.string()}
	p.intervalFields(&t)
	s.Type = t
	return s
}
