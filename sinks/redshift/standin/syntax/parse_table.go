package syntax

import (
	"slices"
	"strings"
)

// tableRule returns how a statement that makes, changes or drops an object is read; nil =
// it is none.
func tableRule(word string) rule {
	switch word {
	case "create":
		return (*parser).create
	case "alter":
		return (*parser).alter
	case "drop":
		return (*parser).drop
	case "comment":
		return (*parser).comment
	case "refresh":
		return (*parser).refresh
	}
	return nil
}

// create reads CREATE and what follows, by the words behind it.
func (p *parser) create() Statement {
	create := p.tok
	p.next()
	if p.is("local", "temp", "temporary", "table") {
		return p.createTable()
	}
	replace := p.accept("or", "replace")
	switch {
	case p.accept("materialized", "view"):
		if replace {
			p.failAt(create)
		}
		return p.createMaterializedView()
	case p.accept("view"):
		return p.createView(replace)
	case p.is("function", "procedure"):
		return p.routine(replace)
	case replace:
		p.fail()
	}
	return p.createOther(create)
}

// createTable reads CREATE TABLE (r_CREATE_TABLE_NEW) and CREATE TABLE AS
// (r_CREATE_TABLE_AS).
func (p *parser) createTable() Statement {
	temp := p.temporary()
	p.expect("table")
	ifNotExists := p.accept("if", "not", "exists")
	name := p.name()
	temp = temp || strings.HasPrefix(name.Last().Text, "#") && !name.Last().Quoted
	if columns, ok := p.namesOfQuery(); ok {
		if ifNotExists {
			p.fail()
		}
		t := &CreateTableAs{Temp: temp, Name: name, Columns: columns}
		t.Attributes = p.tableAttributes()
		p.expect("as")
		t.Query = p.query()
		return t
	}
	t := &CreateTable{Temp: temp, IfNotExists: ifNotExists, Name: name}
	p.expectOp("(")
	p.tableElement(t)
	for p.acceptOp(",") {
		p.tableElement(t)
	}
	p.expectOp(")")
	t.Attributes = p.tableAttributes()
	return t
}

// temporary reads [LOCAL] {TEMP | TEMPORARY}.
func (p *parser) temporary() bool {
	if p.accept("local") {
		p.oneOf("temp", "temporary")
		return true
	}
	return p.accept("temp") || p.accept("temporary")
}

// namesOfQuery tells whether a table is made of a query, and reads the names of its
// columns if they are given.
func (p *parser) namesOfQuery() ([]Ident, bool) {
	if !p.isOp("(") {
		return nil, true
	}
	start := p.mark()
	p.next()
	var names []Ident
	for p.tok.isName() {
		names = append(names, p.ident())
		if p.acceptOp(")") {
			return names, true
		}
		if !p.acceptOp(",") {
			break
		}
	}
	p.back(start)
	return nil, false
}

// tableElement reads a column, a constraint, or LIKE.
func (p *parser) tableElement(t *CreateTable) {
	switch {
	case p.accept("like"):
		like := LikeTable{Table: p.name(), After: len(t.Columns)}
		if p.is("including", "excluding") {
			like.IncludingDefaults = p.next().is("including")
			p.expect("defaults")
		}
		t.Likes = append(t.Likes, like)
	case p.isConstraint():
		t.Constraints = append(t.Constraints, p.constraint())
	default:
		t.Columns = append(t.Columns, p.columnDef())
	}
}

// isConstraint tells whether a table's constraint follows.
func (p *parser) isConstraint() bool {
	return p.is("constraint", "unique", "foreign", "check") || p.is("primary") && p.peek(1).is("key")
}

// constraint reads [CONSTRAINT name] {UNIQUE | PRIMARY KEY | FOREIGN KEY} (…).
func (p *parser) constraint() Constraint {
	var c Constraint
	if p.accept("constraint") {
		name := p.ident()
		c.Name = &name
	}
	if p.is("check") {
		p.refuseCheck("")
	}
	c.Kind = p.oneOf("unique", "primary", "foreign")
	if c.Kind != "unique" {
		p.expect("key")
		c.Kind += " key"
	}
	c.Columns = p.identList()
	if c.Kind == "foreign key" {
		p.expect("references")
		r := p.references()
		c.References = &r
	}
	return c
}

func (p *parser) references() Reference {
	r := Reference{Table: p.name()}
	if p.isOp("(") {
		r.Columns = p.identList()
	}
	return r
}

// refuseCheck reads CHECK, which the grammar has, and reports that the service has not.
func (p *parser) refuseCheck(of string) {
	p.expect("check")
	p.expectOp("(")
	p.expr()
	p.expectOp(")")
	panic(bailout{failure(stateNotSupported, "ALTER/CREATE TABLE "+of+"CHECK constraint is not supported")})
}

// columnDef reads a column: its name, its type, and its attributes in any order.
func (p *parser) columnDef() ColumnDef {
	c := ColumnDef{Name: p.ident(), Type: p.typeName()}
	var seen []string
	for {
		start := p.tok
		what := p.columnAttribute(&c)
		if what == "" {
			return c
		}
		if slices.Contains(seen, what) {
			p.failWith(start.pos, syntaxError("multiple "+what+" specified for column \""+Fold(c.Name.Text)+"\""))
		}
		seen = append(seen, what)
	}
}

// columnAttribute reads one attribute and returns what it is about; nothing = there is
// none.
func (p *parser) columnAttribute(c *ColumnDef) string {
	switch {
	case p.accept("default"):
		start := p.tok.pos
		c.Default = p.operand(precEqual)
		c.DefaultSQL = p.lexer.source[start:p.last]
		return "default values"
	case p.is("identity", "generated"):
		c.Identity = p.identity()
		return "identity attributes"
	case p.accept("encode"):
		c.Encode = p.encoding()
		return "ENCODE attributes"
	case p.accept("distkey"):
		c.DistKey = true
		return "DISTKEY attributes"
	case p.accept("sortkey"):
		c.SortKey = true
		return "SORTKEY attributes"
	case p.accept("collate"):
		c.Collate = p.collation()
		return "COLLATE clauses"
	case p.accept("not", "null"):
		c.NotNull = true
		return "NULL declarations"
	case p.accept("null"):
		c.Null = true
		return "NULL declarations"
	case p.is("check"):
		p.refuseCheck("column ")
	case p.accept("unique"):
		c.Unique = true
		return "UNIQUE constraints"
	case p.accept("primary", "key"):
		c.PrimaryKey = true
		return "primary keys"
	case p.accept("references"):
		r := p.references()
		c.References = &r
		return "REFERENCES constraints"
	}
	return ""
}

// identity reads IDENTITY[(seed, step)], and GENERATED BY DEFAULT AS IDENTITY[(seed, step)].
// GENERATED ALWAYS is not in the grammar.
func (p *parser) identity() *Identity {
	i := &Identity{Seed: 1, Step: 1}
	if p.accept("generated") {
		p.expect("by", "default", "as")
		i.ByDefault = true
	}
	p.expect("identity")
	if p.acceptOp("(") {
		i.Seed = p.signed()
		p.expectOp(",")
		i.Step = p.signed()
		p.expectOp(")")
	}
	return i
}

// encodings are those of c_Compression_encodings; AUTO is of tables.
var encodings = []string{
	"raw", "az64", "bytedict", "delta", "delta32k", "lzo", "mostly8", "mostly16", "mostly32",
	"runlength", "text255", "text32k", "zstd", "none",
}

// encoding reads the name of a compression encoding, which may be in quotes as any name.
func (p *parser) encoding() string {
	name := Fold(p.label().Text)
	if name == "auto" || slices.Contains(encodings, name) {
		return name
	}
	p.failWith(p.tok.pos, failure("42704", "unknown encoding: \""+name+"\""))
	return ""
}

// collation reads a column's collation in one of its spellings.
func (p *parser) collation() string {
	switch name := p.oneOf("case_sensitive", "cs", "case_insensitive", "ci"); name {
	case "cs":
		return "case_sensitive"
	case "ci":
		return "case_insensitive"
	default:
		return name
	}
}

// tableAttributes reads what follows the columns, in any order and each once.
func (p *parser) tableAttributes() TableAttributes {
	var a TableAttributes
	seen := map[string]bool{}
	for {
		start := p.tok
		what := p.tableAttribute(&a)
		if what == "" {
			return a
		}
		if seen[what] {
			p.failAt(start)
		}
		seen[what] = true
	}
}

func (p *parser) tableAttribute(a *TableAttributes) string {
	switch {
	case p.accept("backup"):
		a.Backup = p.oneOf("yes", "no")
		return "backup"
	case p.accept("diststyle"):
		a.DistStyle = p.oneOf("auto", "even", "key", "all")
		return "diststyle"
	case p.accept("distkey"):
		p.expectOp("(")
		c := p.ident()
		a.DistKey = &c
		p.expectOp(")")
		return "distkey"
	case p.is("compound", "interleaved", "sortkey"):
		k := p.sortKey(false)
		a.SortKey = &k
		return "sortkey"
	case p.accept("encode", "auto"):
		a.EncodeAuto = true
		return "encode"
	}
	return ""
}

// sortKey reads [COMPOUND | INTERLEAVED] SORTKEY (…), SORTKEY AUTO, and where a table is
// changed SORTKEY NONE.
func (p *parser) sortKey(none bool) SortKey {
	var k SortKey
	if p.is("compound", "interleaved") {
		k.Kind = p.next().value
	}
	p.expect("sortkey")
	if k.Kind == "" && (p.is("auto") || none && p.is("none")) {
		k.Kind = p.next().value
		return k
	}
	k.Columns = p.identList()
	return k
}

// createView reads CREATE [OR REPLACE] VIEW (r_CREATE_VIEW).
func (p *parser) createView(replace bool) Statement {
	v := &CreateView{Replace: replace, Name: p.name()}
	if p.isOp("(") {
		v.Columns = p.identList()
	}
	p.expect("as")
	start := p.tok.pos
	v.Query = p.query()
	v.QuerySQL = p.lexer.source[start:p.last]
	v.NoSchemaBinding = p.accept("with", "no", "schema", "binding")
	return v
}

// createMaterializedView reads CREATE MATERIALIZED VIEW (materialized-view-create-sql-command).
func (p *parser) createMaterializedView() Statement {
	v := &CreateMaterializedView{Name: p.name()}
	for {
		if p.accept("auto", "refresh") {
			v.AutoRefresh = p.oneOf("yes", "no")
			continue
		}
		if what := p.tableAttribute(&v.Attributes); what == "" {
			break
		}
	}
	p.expect("as")
	start := p.tok.pos
	v.Query = p.query()
	v.QuerySQL = p.lexer.source[start:p.last]
	return v
}

// refresh reads REFRESH MATERIALIZED VIEW.
func (p *parser) refresh() Statement {
	p.next()
	p.expect("materialized", "view")
	v := &RefreshMaterializedView{Name: p.name()}
	v.Restrict = p.accept("restrict")
	if !v.Restrict {
		v.Cascade = p.accept("cascade")
	}
	return v
}
