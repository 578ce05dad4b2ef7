package syntax

import "slices"

// createOther reads CREATE of what is no table and no view.
func (p *parser) createOther(create token) Statement {
	switch {
	case p.accept("external", "schema"):
		return p.externalSchema()
	case p.accept("external", "table"):
		return p.externalTable()
	case p.accept("schema"):
		return p.createSchema()
	case p.accept("database"):
		d := &CreateDatabase{Name: p.ident()}
		p.accept("with")
		d.Options = p.objectOptions(databaseOptions)
		return d
	case p.is("user", "group", "role"):
		return p.principal("create")
	case p.accept("rls", "policy"):
		return p.createPolicy("rls")
	case p.accept("masking", "policy"):
		return p.createPolicy("masking")
	}
	p.refuseObject(create)
	return nil
}

// unsupportedObjects are those of PostgreSQL that Redshift's grammar has and its service
// has not (c_unsupported-postgresql-features).
var unsupportedObjects = wordSet(`
	index sequence type domain trigger rule aggregate cast conversion operator language
	tablespace constraint extension server foreign event unique`)

// refuseObject reports CREATE, ALTER or DROP of an object that Redshift does not have.
func (p *parser) refuseObject(start token) {
	if p.tok.kind == word && unsupportedObjects[p.tok.value] {
		p.refuse(start)
	}
	p.fail()
}

// createSchema reads CREATE SCHEMA (r_CREATE_SCHEMA).
func (p *parser) createSchema() Statement {
	s := &CreateSchema{IfNotExists: p.accept("if", "not", "exists")}
	if !p.is("authorization") {
		name := p.ident()
		s.Name = &name
	}
	if p.accept("authorization") {
		user := p.label()
		s.Authorization = &user
	}
	if p.accept("quota") {
		s.Quota = p.quota()
	}
	return s
}

// quota reads n [MB | GB | TB], or UNLIMITED.
func (p *parser) quota() string {
	if p.accept("unlimited") {
		return "unlimited"
	}
	if p.tok.kind != number {
		p.fail()
	}
	n := p.next().value
	if p.is("mb", "gb", "tb") {
		return n + " " + p.next().value
	}
	return n
}

// externalSchema reads CREATE EXTERNAL SCHEMA (r_CREATE_EXTERNAL_SCHEMA) to its end: no
// external schema can be asked here.
func (p *parser) externalSchema() Statement {
	s := &CreateSchema{External: true, IfNotExists: p.accept("if", "not", "exists")}
	name := p.ident()
	s.Name = &name
	p.expect("from")
	p.oneOf("data", "hive", "postgres", "mysql", "kinesis", "msk", "redshift", "kafka", "iceberg")
	p.skipStatement()
	return s
}

// externalTable reads CREATE EXTERNAL TABLE (r_CREATE_EXTERNAL_TABLE) to its end.
func (p *parser) externalTable() Statement {
	t := &CreateExternalTable{Name: p.name()}
	p.skipStatement()
	return t
}

// skipStatement passes what is left of a statement.
func (p *parser) skipStatement() {
	for p.tok.kind != endOfInput && !p.isOp(";") {
		if p.tok.kind == invalid {
			p.fail()
		}
		p.next()
	}
}

// objectOption is how the option of a database, a schema, a user, a group or a role is
// written: its words, and what follows them.
type objectOption struct {
	words []string
	read  func(*parser) []OptionValue
}

func words(of ...string) []string { return of }

var (
	databaseOptions = []objectOption{
		{words("isolation", "level"), (*parser).databaseIsolation},
		{words("collate"), func(p *parser) []OptionValue { return []OptionValue{{Text: p.collation()}} }},
		{words("owner"), (*parser).optionName},
		{words("connection", "limit"), (*parser).optionLimit},
	}
	alterDatabaseOptions = []objectOption{
		{words("rename", "to"), (*parser).optionName},
		{words("owner", "to"), (*parser).optionName},
		{words("isolation", "level"), (*parser).databaseIsolation},
		{words("connection", "limit"), (*parser).optionLimit},
		{words("collate"), func(p *parser) []OptionValue { return []OptionValue{{Text: p.collation()}} }},
	}
	alterSchemaOptions = []objectOption{
		{words("rename", "to"), (*parser).optionName},
		{words("owner", "to"), (*parser).optionName},
		{words("quota"), func(p *parser) []OptionValue { return []OptionValue{{Text: p.quota()}} }},
	}
	// principalOptions are those of users, groups and roles (r_CREATE_USER, r_ALTER_USER,
	// r_CREATE_GROUP, r_ALTER_GROUP, r_CREATE_ROLE, r_ALTER_ROLE).
	principalOptions = []objectOption{
		{words("password"), (*parser).optionPassword},
		{words("createdb"), nil}, {words("nocreatedb"), nil},
		{words("createuser"), nil}, {words("nocreateuser"), nil},
		{words("syslog", "access"), func(p *parser) []OptionValue {
			return []OptionValue{{Text: p.oneOf("restricted", "unrestricted")}}
		}},
		{words("in", "group"), (*parser).optionNames},
		{words("valid", "until"), (*parser).optionString},
		{words("connection", "limit"), (*parser).optionLimit},
		{words("session", "timeout"), (*parser).optionLimit},
		{words("reset", "session", "timeout"), nil},
		{words("externalid"), (*parser).optionExternal},
		{words("rename", "to"), (*parser).optionName},
		{words("owner", "to"), (*parser).optionName},
		{words("add", "user"), (*parser).optionNames},
		{words("drop", "user"), (*parser).optionNames},
		{words("user"), (*parser).optionNames},
		{words("set"), (*parser).optionSetting},
		{words("reset"), (*parser).optionName},
	}
)

// objectOptions reads options in any order.
func (p *parser) objectOptions(of []objectOption) []Option {
	var all []Option
	for {
		start := p.tok.pos
		i := slices.IndexFunc(of, func(o objectOption) bool { return p.are(o.words...) })
		if i < 0 {
			return all
		}
		p.accept(of[i].words...)
		o := Option{Pos: start}
		for n, w := range of[i].words {
			if n > 0 {
				o.Name += " "
			}
			o.Name += w
		}
		if of[i].read != nil {
			o.Values = of[i].read(p)
		}
		all = append(all, o)
	}
}

func (p *parser) databaseIsolation() []OptionValue {
	return []OptionValue{{Text: p.oneOf("serializable", "snapshot")}}
}

func (p *parser) optionName() []OptionValue {
	name := p.label()
	return []OptionValue{{Text: name.Text, Quoted: name.Quoted}}
}

func (p *parser) optionNames() []OptionValue {
	all := p.optionName()
	for p.acceptOp(",") {
		all = append(all, p.optionName()...)
	}
	return all
}

func (p *parser) optionString() []OptionValue {
	return []OptionValue{{Text: p.string(), Quoted: true}}
}

// optionPassword reads 'password' or DISABLE.
func (p *parser) optionPassword() []OptionValue {
	if p.accept("disable") {
		return []OptionValue{{Text: "disable"}}
	}
	return p.optionString()
}

// optionLimit reads a number, UNLIMITED, or -1.
func (p *parser) optionLimit() []OptionValue {
	if p.accept("unlimited") {
		return []OptionValue{{Text: "unlimited"}}
	}
	return []OptionValue{p.optionNumber()}
}

// optionExternal reads what follows EXTERNALID: [TO] 'id'.
func (p *parser) optionExternal() []OptionValue {
	p.accept("to")
	if p.tok.kind == text {
		return p.optionString()
	}
	return p.optionName()
}

// optionSetting reads parameter {TO | =} value of ALTER USER … SET.
func (p *parser) optionSetting() []OptionValue {
	all := p.optionName()
	if !p.accept("to") {
		p.expectOp("=")
	}
	values, isDefault := p.settingValues()
	if isDefault {
		return append(all, OptionValue{Text: "default"})
	}
	return append(all, values...)
}

// principal reads CREATE, ALTER or DROP of a user, a group or a role, from its kind on.
func (p *parser) principal(verb string) Statement {
	s := &Principal{Verb: verb, Kind: p.oneOf("user", "group", "role")}
	if verb == "drop" {
		// Only DROP USER has IF EXISTS and several names (r_DROP_USER, r_DROP_GROUP, r_DROP_ROLE).
		s.IfExists = s.Kind == "user" && p.accept("if", "exists")
		s.Names = []Ident{p.ident()}
		for s.Kind == "user" && p.acceptOp(",") {
			s.Names = append(s.Names, p.ident())
		}
		if s.Kind == "role" && p.is("force", "restrict") {
			s.Options = []Option{{Name: p.next().value}}
		}
		return s
	}
	s.Names = []Ident{p.ident()}
	p.accept("with")
	s.Options = p.objectOptions(principalOptions)
	if verb == "alter" && s.Options == nil {
		p.fail()
	}
	if verb == "create" && s.Kind == "user" && !slices.ContainsFunc(s.Options, func(o Option) bool { return o.Name == "password" }) {
		p.fail()
	}
	return s
}

// alterOther reads ALTER of what is no table.
func (p *parser) alterOther(start token) Statement {
	switch {
	case p.accept("database"):
		d := &AlterDatabase{Name: p.ident()}
		if d.Options = p.objectOptions(alterDatabaseOptions); d.Options == nil {
			p.fail()
		}
		return d
	case p.accept("schema"):
		s := &AlterSchema{Name: p.ident()}
		if s.Options = p.objectOptions(alterSchemaOptions); s.Options == nil {
			p.fail()
		}
		return s
	case p.is("user", "group", "role"):
		return p.principal("alter")
	case p.accept("default", "privileges"):
		return p.defaultPrivileges()
	case p.accept("rls", "policy"):
		return p.alterPolicy("rls")
	case p.accept("masking", "policy"):
		return p.alterPolicy("masking")
	case p.accept("materialized", "view"):
		v := &AlterMaterializedView{Name: p.name()}
		switch {
		case p.accept("auto", "refresh"):
			v.AutoRefresh = p.oneOf("yes", "no")
		default:
			v.Action = p.alterAction()
		}
		return v
	}
	p.refuseObject(start)
	return nil
}

// dropKinds are what can be dropped besides users, groups and roles, by their words, the
// longer first, each as its page has it (r_DROP_TABLE, r_DROP_FUNCTION, r_DROP_PROCEDURE, …).
var dropKinds = []dropKind{
	{words: words("table"), ifExists: true, many: true, cascade: true},
	{words: words("materialized", "view"), ifExists: true, many: true, cascade: true},
	{words: words("view"), ifExists: true, many: true, cascade: true},
	{words: words("schema"), ifExists: true, many: true, cascade: true},
	{words: words("database"), force: true},
	{words: words("function"), args: true, cascade: true},
	{words: words("procedure"), args: true},
	{words: words("library")},
	{words: words("model"), ifExists: true},
	{words: words("datashare")},
	{words: words("rls", "policy"), ifExists: true, cascade: true},
	{words: words("masking", "policy")},
	{words: words("identity", "provider"), cascade: true},
}

// dropKind tells what may stand in a DROP of a kind of object.
type dropKind struct {
	words    []string
	ifExists bool
	many     bool // several names
	args     bool // the types of arguments
	cascade  bool // CASCADE or RESTRICT
	force    bool // FORCE
}

// drop reads DROP.
func (p *parser) drop() Statement {
	start := p.tok
	p.next()
	if p.is("user", "group", "role") {
		return p.principal("drop")
	}
	for _, k := range dropKinds {
		if p.accept(k.words...) {
			return p.dropOf(k)
		}
	}
	p.refuseObject(start)
	return nil
}

func joined(words []string) string {
	all := words[0]
	for _, w := range words[1:] {
		all += " " + w
	}
	return all
}

func (p *parser) dropOf(k dropKind) Statement {
	d := &Drop{Kind: joined(k.words), IfExists: k.ifExists && p.accept("if", "exists")}
	d.Names = []Name{p.name()}
	if k.args {
		d.Args = p.argumentTypes()
	}
	for k.many && p.acceptOp(",") {
		d.Names = append(d.Names, p.name())
	}
	switch {
	case k.force:
		d.Cascade = p.accept("force")
	case k.cascade:
		d.Cascade = p.cascade()
	}
	return d
}

// argumentTypes reads ([name] type, …) of a function or a procedure.
func (p *parser) argumentTypes() []Type {
	var all []Type
	for _, a := range p.routineArgs() {
		all = append(all, a.Type)
	}
	return all
}

// comment reads COMMENT ON (r_COMMENT).
func (p *parser) comment() Statement {
	p.next()
	p.expect("on")
	c := &Comment{Kind: p.oneOf("table", "column", "constraint", "database", "view", "schema")}
	if c.Kind == "column" {
		c.Name = p.nameUpTo(4)
	} else {
		c.Name = p.name()
	}
	if c.Kind == "constraint" {
		p.expect("on")
		c.On = p.name()
	}
	p.expect("is")
	if !p.accept("null") {
		text := p.string()
		c.Text = &text
	}
	return c
}
