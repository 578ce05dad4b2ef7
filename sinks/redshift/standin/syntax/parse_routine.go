package syntax

// routine reads CREATE [OR REPLACE] {FUNCTION | PROCEDURE} (r_CREATE_FUNCTION,
// r_CREATE_PROCEDURE). Its body is not read.
func (p *parser) routine(replace bool) Statement {
	r := &Routine{Replace: replace, Kind: p.next().value, Name: p.name(), Args: p.routineArgs()}
	if r.Kind == "function" {
		p.expect("returns")
		t := p.typeName()
		r.Returns = &t
	}
	for {
		start := p.tok.pos
		switch {
		case p.is("volatile", "stable", "immutable", "nonatomic"):
			r.Options = append(r.Options, Option{Name: p.next().value, Pos: start})
		case p.accept("as"):
			r.Body = p.string()
		case p.accept("language"):
			r.Language = Fold(p.label().Text)
		case p.accept("security"):
			r.Options = append(r.Options, Option{Name: "security " + p.oneOf("invoker", "definer"), Pos: start})
		case p.accept("set"):
			r.Options = append(r.Options, Option{Name: "set", Values: p.optionSetting(), Pos: start})
		default:
			if r.Body == "" || r.Language == "" {
				p.fail()
			}
			return r
		}
	}
}

// routineArgs reads ([mode] [name] [mode] type, …).
func (p *parser) routineArgs() []ColumnDef {
	p.expectOp("(")
	var all []ColumnDef
	for !p.isOp(")") {
		if all != nil {
			p.expectOp(",")
		}
		a := ColumnDef{Mode: p.argMode()}
		if next := p.peek(1); next.kind == word || next.kind == quoted {
			if !p.is("double", "character", "char", "national", "timestamp", "time", "bit", "interval", "binary") {
				a.Name = p.ident()
				if mode := p.argMode(); mode != "" {
					a.Mode = mode
				}
			}
		}
		a.Type = p.typeName()
		all = append(all, a)
	}
	p.expectOp(")")
	return all
}

func (p *parser) argMode() string {
	if p.is("in", "out", "inout") {
		return p.next().value
	}
	return ""
}

// createPolicy reads CREATE {RLS | MASKING} POLICY (r_CREATE_RLS_POLICY,
// r_CREATE_MASKING_POLICY).
func (p *parser) createPolicy(kind string) Statement {
	c := &Policy{Verb: "create", Kind: kind}
	c.Name = p.name().Last()
	// Only a masking policy has IF NOT EXISTS, behind its name, and always an input.
	masking := kind == "masking"
	if masking && p.accept("if", "not", "exists") {
		c.Options = append(c.Options, Option{Name: "if not exists"})
	}
	if p.accept("with") {
		c.With, c.Alias = p.policyInput(masking)
	} else if masking {
		p.fail()
	}
	c.Using, c.UsingSQL = p.policyUsing(kind)
	return c
}

// policyInput reads (column type, …), of a policy for rows [[AS] alias] too.
func (p *parser) policyInput(masking bool) (all []ColumnDef, alias string) {
	p.expectOp("(")
	all = []ColumnDef{{Name: p.ident(), Type: p.typeName()}}
	for p.acceptOp(",") {
		all = append(all, ColumnDef{Name: p.ident(), Type: p.typeName()})
	}
	p.expectOp(")")
	if !masking && (p.accept("as") || p.tok.isName() && !p.is("using")) {
		alias = Fold(p.ident().Text)
	}
	return all, alias
}

// policyUsing reads USING (condition), of a masking policy USING (expressions).
func (p *parser) policyUsing(kind string) (all []Expr, sql string) {
	p.expect("using")
	p.expectOp("(")
	start := p.tok.pos
	all = []Expr{p.expr()}
	for kind == "masking" && p.acceptOp(",") {
		all = append(all, p.expr())
	}
	sql = p.lexer.source[start:p.last]
	p.expectOp(")")
	return all, sql
}

// alterPolicy reads ALTER {RLS | MASKING} POLICY.
func (p *parser) alterPolicy(kind string) Statement {
	a := &Policy{Verb: "alter", Kind: kind, Name: p.name().Last()}
	a.Using, a.UsingSQL = p.policyUsing(kind)
	return a
}

// attachPolicy reads ATTACH and DETACH of policies (r_ATTACH_RLS_POLICY,
// r_ATTACH_MASKING_POLICY).
func (p *parser) attachPolicy() Statement {
	a := &Policy{Verb: p.next().value, Kind: p.oneOf("rls", "masking")}
	p.expect("policy")
	a.Name = p.name().Last()
	p.expect("on")
	p.accept("table")
	a.On = p.name()
	for a.Kind == "rls" && p.acceptOp(",") {
		a.More = append(a.More, p.name())
	}
	if a.Kind == "masking" {
		a.Columns = p.identList()
		if p.accept("using") {
			a.Input = p.identList()
		}
	}
	end := "to"
	if a.Verb == "detach" {
		end = "from"
	}
	p.expect(end)
	a.To = p.grantees()
	if p.accept("priority") {
		a.Options = append(a.Options, Option{Name: "priority", Values: []OptionValue{p.optionNumber()}})
	}
	return a
}
