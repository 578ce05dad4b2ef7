package syntax

// utilityRule returns how a statement of transactions, sessions, rights and the like is
// read; nil = it is none.
func utilityRule(word string) rule {
	switch word {
	case "begin", "start":
		return (*parser).begin
	case "commit", "end":
		return func(p *parser) Statement { p.endTransaction(); return &Commit{} }
	case "rollback", "abort":
		return func(p *parser) Statement { p.endTransaction(); return &Rollback{} }
	case "set":
		return (*parser).set
	case "reset":
		return (*parser).reset
	case "show":
		return (*parser).show
	case "copy":
		return (*parser).copy
	case "unload":
		return (*parser).unload
	case "lock":
		return (*parser).lock
	case "vacuum":
		return (*parser).vacuum
	case "analyze", "analyse":
		return (*parser).analyze
	case "grant", "revoke":
		return (*parser).grant
	case "attach", "detach":
		return (*parser).attachPolicy
	case "use":
		return func(p *parser) Statement { p.next(); return &Use{Database: p.ident()} }
	case "cancel":
		return (*parser).cancel
	}
	return nil
}

// begin reads BEGIN (r_BEGIN), and START TRANSACTION, which clients send for it.
func (p *parser) begin() Statement {
	b := &Begin{}
	if p.next().is("start") {
		p.expect("transaction")
	} else if p.is("work", "transaction") {
		p.next()
	}
	p.beginModes(b)
	return b
}

// beginModes reads ISOLATION LEVEL … and READ {ONLY | WRITE}, with or without commas.
func (p *parser) beginModes(b *Begin) {
	for p.is("isolation", "read") {
		switch {
		case p.accept("isolation"):
			p.expect("level")
			b.Isolation = p.isolationLevel()
		default:
			p.expect("read")
			only := p.oneOf("only", "write") == "only"
			b.ReadOnly = &only
		}
		if p.isOp(",") && p.peek(1).is("isolation", "read") {
			p.next()
		}
	}
}

func (p *parser) isolationLevel() string {
	switch level := p.oneOf("serializable", "snapshot", "repeatable", "read"); level {
	case "repeatable":
		p.expect("read")
		return "repeatable read"
	case "read":
		return "read " + p.oneOf("committed", "uncommitted")
	default:
		return level
	}
}

func (p *parser) endTransaction() {
	if p.next(); p.is("work", "transaction") {
		p.next()
	}
}
