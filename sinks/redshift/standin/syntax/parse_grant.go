package syntax

// grant reads GRANT and REVOKE (r_GRANT, r_REVOKE).
func (p *parser) grant() Statement {
	g := &Grant{Revoke: p.next().is("revoke")}
	if g.Revoke {
		g.OptionOnly = p.accept("grant", "option", "for") || p.accept("admin", "option", "for")
	}
	p.privileges(g)
	switch {
	case p.accept("on"):
		p.grantObjects(g)
	case g.Kind != "":
	case p.is("for"):
		p.grantScope(g)
	default:
		p.grantWithoutObject(g)
	}
	p.grantTo(g)
	return g
}

// grantScope reads what objects of a schema or a database, those to come as well, privileges
// are for (scoped permissions of r_GRANT).
func (p *parser) grantScope(g *Grant) {
	p.expect("for")
	of := p.oneOf("schemas", "tables", "functions", "procedures", "languages")
	p.expect("in")
	if of == "schemas" || of == "languages" || p.is("database") {
		p.expect("database")
		g.Kind, g.Objects = of+" in database", []Name{{p.ident()}}
		return
	}
	p.expect("schema")
	schema := Name{p.ident()}
	if p.accept("database") {
		schema = Name{p.ident(), schema[0]}
	}
	g.Kind, g.Objects = of+" in schema", []Name{schema}
}

// grantTo reads TO or FROM whom, and what follows.
func (p *parser) grantTo(g *Grant) {
	if g.Revoke {
		p.expect("from")
	} else {
		p.expect("to")
	}
	g.To = p.grantees()
	if g.Kind == "assumerole" {
		p.expect("for")
		g.Objects = append(g.Objects, p.assumeRoleUses()...)
	}
	switch {
	case g.Revoke:
		if p.accept("cascade") {
			g.Cascade = true
		} else {
			p.accept("restrict")
		}
	default:
		g.GrantOption = p.accept("with", "grant", "option") || p.accept("with", "admin", "option")
	}
}

// privilegeWords are the privileges of one word (r_GRANT); roles are granted by ROLE.
var privilegeWords = wordSet(`
	select insert update delete drop references truncate alter create temporary temp usage
	execute all share assumerole explain ignore crawl access`)

// systemPrivileges are those of more than one word, by their first, which are granted to
// roles (r_roles-system-privileges).
var systemPrivileges = [][]string{
	words("create", "user"), words("drop", "user"), words("alter", "user"),
	words("create", "schema"), words("drop", "schema"), words("alter", "default", "privileges"),
	words("access", "catalog"), words("access", "system", "table"), words("create", "table"), words("drop", "table"), words("alter", "table"),
	words("create", "or", "replace", "function"), words("create", "or", "replace", "external", "function"),
	words("drop", "function"), words("create", "or", "replace", "procedure"), words("drop", "procedure"),
	words("create", "or", "replace", "view"), words("drop", "view"), words("create", "model"), words("drop", "model"),
	words("create", "datashare"), words("alter", "datashare"), words("drop", "datashare"),
	words("create", "library"), words("drop", "library"), words("create", "role"), words("drop", "role"),
	words("truncate", "table"), words("vacuum"), words("analyze"), words("cancel"), words("explain", "rls"),
	words("ignore", "rls"), words("explain", "masking"), words("create", "external", "schema"), words("unmask"),
}

// privileges reads what is granted: a list of privileges with their columns, ALL
// [PRIVILEGES], ROLE names, ASSUMEROLE, or privileges of the system.
func (p *parser) privileges(g *Grant) {
	switch {
	case p.accept("role"):
		g.Kind = "role"
		g.Privileges = []Privilege{{Name: p.roleName()}}
		for p.acceptOp(",") {
			p.accept("role")
			g.Privileges = append(g.Privileges, Privilege{Name: p.roleName()})
		}
		return
	case p.accept("assumerole"):
		g.Kind = "assumerole"
		g.Privileges = []Privilege{{Name: "assumerole"}}
		return
	}
	g.Privileges = []Privilege{p.privilege(g)}
	for p.acceptOp(",") {
		g.Privileges = append(g.Privileges, p.privilege(g))
	}
}

// roleName reads the name of a role; those of the system have a colon in them (sys:monitor).
func (p *parser) roleName() string {
	name := p.label()
	text := name.Text
	if !name.Quoted {
		text = Fold(text)
	}
	if p.acceptOp(":") {
		text += ":" + Fold(p.label().Text)
	}
	return text
}

func (p *parser) privilege(g *Grant) Privilege {
	for _, s := range systemPrivileges {
		if next := p.peek(len(s)); p.are(s...) && (next.is("to", "from") || next.isOp(",")) {
			p.accept(s...)
			g.System = true
			return Privilege{Name: joined(s)}
		}
	}
	if p.tok.kind != word || !privilegeWords[p.tok.value] {
		p.fail()
	}
	v := Privilege{Name: p.next().value}
	if v.Name == "all" {
		p.accept("privileges")
	}
	if v.Name == "temp" {
		v.Name = "temporary"
	}
	if p.isOp("(") {
		v.Columns = p.identList()
	}
	return v
}

// grantWithoutObject checks that privileges without ON are those of the system.
func (p *parser) grantWithoutObject(g *Grant) {
	if !g.System {
		p.fail()
	}
	g.Kind = "system"
}

// grantKinds are the kinds of objects after ON, the longer first.
var grantKinds = []struct {
	words []string
	kind  string
}{
	{words("all", "tables", "in", "schema"), "all tables in schema"},
	{words("all", "functions", "in", "schema"), "all functions in schema"},
	{words("all", "procedures", "in", "schema"), "all procedures in schema"},
	{words("external", "table"), "external table"}, {words("external", "schema"), "external schema"},
	{words("external", "column"), "external column"},
	{words("rls", "policy"), "rls policy"}, {words("masking", "policy"), "masking policy"},
	{words("copy", "job"), "copy job"},
	{words("table"), "table"}, {words("schema"), "schema"}, {words("database"), "database"},
	{words("function"), "function"}, {words("procedure"), "procedure"}, {words("language"), "language"},
	{words("model"), "model"}, {words("datashare"), "datashare"}, {words("template"), "template"},
	{words("connection"), "connection"}, {words("catalog"), "catalog"},
}

// grantObjects reads what privileges are on: tables if nothing else is said.
func (p *parser) grantObjects(g *Grant) {
	if g.Kind == "role" {
		p.fail()
	}
	if g.Kind == "assumerole" {
		p.assumeRoles(g)
		return
	}
	g.Kind = "table"
	for _, k := range grantKinds {
		if p.accept(k.words...) {
			g.Kind = k.kind
			break
		}
	}
	for {
		name, args := p.grantObject(g.Kind)
		g.Objects, g.Args = append(g.Objects, name), append(g.Args, args)
		if !p.acceptOp(",") {
			return
		}
	}
}

func (p *parser) grantObject(kind string) (name Name, args []Type) {
	name = p.name()
	if kind == "function" || kind == "procedure" {
		args = p.argumentTypes()
	}
	return name, args
}

// assumeRoles reads 'arn', DEFAULT or ALL of GRANT ASSUMEROLE.
func (p *parser) assumeRoles(g *Grant) {
	for {
		switch {
		case p.tok.kind == text:
			g.Objects = append(g.Objects, Name{{Text: p.string(), Quoted: true}})
		default:
			g.Objects = append(g.Objects, Name{{Text: p.oneOf("default", "all")}})
		}
		if !p.acceptOp(",") {
			return
		}
	}
}

func (p *parser) assumeRoleUses() []Name {
	var all []Name
	for {
		w := p.oneOf("all", "copy", "unload", "external", "create")
		if w == "external" {
			p.expect("function")
		}
		if w == "create" {
			p.expect("model")
		}
		all = append(all, Name{{Text: w}})
		if !p.acceptOp(",") {
			return all
		}
	}
}

// grantees reads users, groups, roles and PUBLIC.
func (p *parser) grantees() []Grantee {
	all := []Grantee{p.grantee()}
	for p.acceptOp(",") {
		all = append(all, p.grantee())
	}
	return all
}

func (p *parser) grantee() Grantee {
	switch {
	case p.accept("public"):
		return Grantee{Kind: "public"}
	case p.accept("rls", "policy"):
		return Grantee{Kind: "rls policy", Name: p.ident()}
	case p.accept("group"):
		return Grantee{Kind: "group", Name: p.ident()}
	case p.accept("role"):
		start := p.tok
		return Grantee{Kind: "role", Name: Ident{Text: p.roleName(), Quoted: start.kind == quoted, Pos: start.pos}}
	case p.is("account", "namespace"):
		kind := p.next().value
		return Grantee{Kind: kind, Name: Ident{Text: p.string(), Quoted: true}}
	}
	return Grantee{Name: p.ident()}
}

// defaultPrivileges reads ALTER DEFAULT PRIVILEGES (r_ALTER_DEFAULT_PRIVILEGES).
func (p *parser) defaultPrivileges() Statement {
	d := &DefaultPrivileges{}
	if p.accept("for") {
		p.oneOf("user", "role")
		d.For = p.idents()
	}
	if p.accept("in", "schema") {
		d.Schema = p.idents()
	}
	d.Grant.Revoke = p.oneOf("grant", "revoke") == "revoke"
	if d.Grant.Revoke {
		d.Grant.OptionOnly = p.accept("grant", "option", "for")
	}
	p.privileges(&d.Grant)
	p.expect("on")
	d.Grant.Kind = p.oneOf("tables", "functions", "procedures")
	p.grantTo(&d.Grant)
	return d
}
