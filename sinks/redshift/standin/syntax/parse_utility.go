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
	}
	return nil
}

// tableRule returns how a statement that makes, changes or drops an object is read; nil =
// it is none.
func tableRule(string) rule { return nil }

// begin reads BEGIN (r_BEGIN), and START TRANSACTION, which clients send for it.
func (p *parser) begin() Statement {
	b := &Begin{}
	if p.next().is("start") {
		p.expect("transaction")
	} else if p.is("work", "transaction") {
		p.next()
	}
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
	return b
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
