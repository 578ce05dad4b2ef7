package syntax

// alter reads ALTER and what follows.
func (p *parser) alter() Statement {
	start := p.tok
	p.next()
	if p.accept("table") {
		return p.alterTable()
	}
	return p.alterOther(start)
}

// alterTable reads ALTER TABLE (r_ALTER_TABLE): one action, or one of the lists that
// Redshift takes.
func (p *parser) alterTable() Statement {
	a := &AlterTable{Name: p.name()}
	a.Actions = append(a.Actions, p.alterAction())
	for p.isOp(",") && joins(a.Actions, p.peek(1), p.peek(2)) {
		p.next()
		a.Actions = append(a.Actions, p.alterAction())
	}
	return a
}

// joins tells whether a further action may follow: ALTER COLUMN … ENCODE may be repeated,
// and one change of the distribution may be beside one of the sort key.
func joins(actions []AlterAction, first, second token) bool {
	if !first.is("alter") {
		return false
	}
	switch actions[len(actions)-1].(type) {
	case *AlterEncode:
		return !second.is("sortkey", "compound", "distkey", "diststyle", "encode")
	case *AlterDistKey, *AlterDistStyle:
		return len(actions) == 1 && second.is("sortkey", "compound", "interleaved")
	case *AlterSortKey:
		return len(actions) == 1 && second.is("distkey", "diststyle")
	}
	return false
}

func (p *parser) alterAction() AlterAction {
	switch p.oneOf("add", "drop", "rename", "owner", "alter", "append", "row", "set", "partition") {
	case "add":
		return p.alterAdd()
	case "drop":
		return p.alterDrop()
	case "rename":
		return p.alterRename()
	case "owner":
		p.expect("to")
		return &OwnerTo{Owner: p.label()}
	case "alter":
		return p.alterAttribute()
	case "append":
		return p.append()
	case "row":
		return p.rowLevelSecurity()
	case "set":
		if !p.is("location") && !p.are("file", "format") && !p.are("table", "properties") {
			p.fail()
		}
		return p.alterExternal("set")
	default:
		return p.alterExternal("partition")
	}
}

// alterAdd reads ADD [COLUMN] or ADD of a constraint.
func (p *parser) alterAdd() AlterAction {
	switch {
	case p.isConstraint():
		return &AddConstraint{Constraint: p.constraint()}
	case p.is("partition") || p.are("if", "not", "exists") && p.peek(3).is("partition"):
		return p.alterExternal("add partition")
	}
	p.accept("column")
	return &AddColumn{Column: p.columnDef()}
}

// alterDrop reads DROP [COLUMN] or DROP CONSTRAINT. IF EXISTS is PostgreSQL's.
func (p *parser) alterDrop() AlterAction {
	switch {
	case p.accept("constraint"):
		d := &DropConstraint{Name: p.ident()}
		d.Cascade = p.cascade()
		return d
	case p.is("partition") && p.peek(1).isOp("("):
		return p.alterExternal("drop partition")
	}
	p.accept("column")
	d := &DropColumn{Column: p.ident()}
	d.Cascade = p.cascade()
	return d
}

// cascade reads [CASCADE | RESTRICT].
func (p *parser) cascade() bool {
	if p.accept("restrict") {
		return false
	}
	return p.accept("cascade")
}

func (p *parser) alterRename() AlterAction {
	if p.accept("to") {
		return &RenameTo{Name: p.ident()}
	}
	p.accept("column")
	r := &RenameColumn{From: p.ident()}
	p.expect("to")
	r.To = p.ident()
	return r
}

// alterAttribute reads what follows ALTER within ALTER TABLE: an attribute of the table, or
// of a column.
func (p *parser) alterAttribute() AlterAction {
	switch {
	case p.is("sortkey", "compound", "interleaved"):
		return &AlterSortKey{SortKey: p.sortKey(true)}
	case p.accept("distkey"):
		return &AlterDistKey{Column: p.ident()}
	case p.accept("diststyle"):
		style := p.oneOf("all", "even", "key", "auto")
		if style == "key" {
			p.expect("distkey")
			return &AlterDistKey{Column: p.ident()}
		}
		return &AlterDistStyle{Style: style}
	case p.accept("encode"):
		p.expect("auto")
		return &AlterEncodeAuto{}
	}
	p.accept("column")
	return p.alterColumn(p.ident())
}

// alterColumn reads what ALTER COLUMN says of a column. SET NOT NULL and its like are read
// for Redshift's own answer to them.
func (p *parser) alterColumn(column Ident) AlterAction {
	switch p.oneOf("type", "encode", "set", "drop") {
	case "type":
		a := &AlterType{Column: column, Type: p.typeName()}
		if p.accept("using") {
			a.Using = p.expr()
		}
		return a
	case "encode":
		return &AlterEncode{Column: column, Encode: p.encoding()}
	case "set":
		if p.accept("default") {
			return &AlterDefault{Column: column, Value: p.expr()}
		}
		p.expect("not", "null")
		return &AlterNotNull{Column: column}
	default:
		if p.accept("default") {
			return &AlterDefault{Column: column}
		}
		p.expect("not", "null")
		return &AlterNotNull{Column: column, Drop: true}
	}
}

// append reads APPEND FROM (r_ALTER_TABLE_APPEND).
func (p *parser) append() AlterAction {
	p.expect("from")
	a := &Append{From: p.name()}
	if p.is("ignoreextra", "filltarget") {
		a.Option = p.next().value
	}
	return a
}

// rowLevelSecurity reads LEVEL SECURITY {ON | OFF} [CONJUNCTION TYPE {AND | OR}] [FOR DATASHARES].
func (p *parser) rowLevelSecurity() AlterAction {
	p.expect("level", "security")
	r := &RowLevelSecurity{On: p.oneOf("on", "off") == "on"}
	if p.accept("conjunction", "type") {
		r.Conjunction = p.oneOf("and", "or")
	}
	if p.accept("for") {
		p.expect("datashares")
	}
	return r
}

// alterExternal reads the rest of an action on an external table, which translate refuses
// for other tables.
func (p *parser) alterExternal(what string) AlterAction {
	p.skipStatement()
	return &AlterExternal{What: what}
}
