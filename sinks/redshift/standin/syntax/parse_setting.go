package syntax

// set reads SET (r_SET) in its forms.
func (p *parser) set() Statement {
	p.next()
	switch {
	case p.accept("session", "characteristics", "as", "transaction"):
		return &Set{Name: "session characteristics", Values: p.transactionModes()}
	case p.accept("transaction"):
		return &Set{Name: "transaction", Values: p.transactionModes()}
	case p.are("session", "authorization"), p.are("local", "session", "authorization"):
		return p.setAuthorization(p.accept("local"))
	case p.are("session", "session", "authorization"):
		p.next()
		return p.setAuthorization(false)
	}
	s := &Set{}
	if next := p.peek(1); p.is("session", "local") && !next.is("to") && !next.isOp("=") {
		s.Local = p.next().is("local")
	}
	if p.accept("time", "zone") {
		s.Name = "timezone"
		s.Values, s.Default = p.timeZone()
		return s
	}
	s.Name = p.parameterName()
	if !p.accept("to") {
		p.expectOp("=")
	}
	s.Values, s.Default = p.settingValues()
	return s
}

// setAuthorization reads SESSION AUTHORIZATION {name | 'name' | DEFAULT}.
func (p *parser) setAuthorization(local bool) Statement {
	p.expect("session", "authorization")
	s := &Set{Local: local, Name: "session authorization"}
	switch {
	case p.accept("default"):
		s.Default = true
	case p.tok.kind == text:
		s.Values = p.optionString()
	default:
		s.Values = p.optionName()
	}
	return s
}

// transactionModes reads ISOLATION LEVEL … and READ {ONLY | WRITE}, with or without commas.
func (p *parser) transactionModes() []OptionValue {
	b := &Begin{}
	p.beginModes(b)
	if b.Isolation == "" && b.ReadOnly == nil {
		p.fail()
	}
	var all []OptionValue
	if b.Isolation != "" {
		all = append(all, OptionValue{Text: b.Isolation})
	}
	if b.ReadOnly != nil {
		all = append(all, OptionValue{Text: map[bool]string{true: "read only", false: "read write"}[*b.ReadOnly]})
	}
	return all
}

// timeZone reads what follows SET TIME ZONE.
func (p *parser) timeZone() ([]OptionValue, bool) {
	switch {
	case p.accept("default"):
		return nil, true
	case p.accept("local"):
		return []OptionValue{{Text: "local"}}, false
	case p.tok.kind == text, p.tok.kind == number, p.isOp("-"), p.isOp("+"):
		return []OptionValue{p.settingValue()}, false
	}
	return p.optionName(), false
}

// parameterName reads the name of a parameter: a user's own has a dot in it.
func (p *parser) parameterName() string {
	name := Fold(p.label().Text)
	for p.acceptOp(".") {
		name += "." + Fold(p.label().Text)
	}
	return name
}

// settingValues reads the values of a parameter, with commas between them, or DEFAULT.
func (p *parser) settingValues() (values []OptionValue, isDefault bool) {
	if p.accept("default") {
		return nil, true
	}
	values = []OptionValue{p.settingValue()}
	for p.acceptOp(",") {
		values = append(values, p.settingValue())
	}
	return values, false
}

// settingValue reads a string, a number with or without a sign, or a word.
func (p *parser) settingValue() OptionValue {
	sign := ""
	if p.isOp("-") || p.isOp("+") {
		if sign = p.next().value; sign == "+" {
			sign = ""
		}
		if p.tok.kind != number {
			p.fail()
		}
	}
	switch {
	case p.tok.kind == text:
		return OptionValue{Text: p.string(), Quoted: true}
	case p.tok.kind == number:
		return OptionValue{Text: sign + p.next().value}
	}
	name := p.label()
	return OptionValue{Text: name.Text, Quoted: name.Quoted}
}

// reset reads RESET (r_RESET).
func (p *parser) reset() Statement {
	p.next()
	if p.accept("session", "authorization") {
		return &Reset{Name: "session authorization"}
	}
	return &Reset{Name: p.parameterName()}
}

// shows are SHOW of objects (r_SHOW_*): their words, what is asked, and the words before
// the name of the object or of where to look.
var shows = []struct {
	words []string
	what  string
	read  func(*parser, *Show)
}{
	{words("tables"), "tables", (*parser).showTables},
	{words("columns"), "columns", (*parser).showColumns},
	{words("schemas"), "schemas", (*parser).showSchemas},
	{words("databases"), "databases", (*parser).showDatabases},
	{words("constraints"), "constraints", (*parser).showConstraints},
	{words("grants"), "grants", (*parser).showGrants},
	{words("external", "table"), "external table", (*parser).showNamed},
	{words("column", "grants"), "column grants", (*parser).showGrants},
	{words("table"), "table", (*parser).showNamed},
	{words("view"), "view", (*parser).showNamed},
	{words("model"), "model", (*parser).showNamed},
	{words("procedure"), "procedure", (*parser).showRoutine},
	{words("procedures"), "procedures", (*parser).showTables},
	{words("functions"), "functions", (*parser).showTables},
	{words("parameters"), "parameters", (*parser).showParameters},
	{words("policies"), "policies", (*parser).showPolicies},
}

// show reads SHOW of a parameter (r_SHOW) or of an object.
func (p *parser) show() Statement {
	p.next()
	switch {
	case p.accept("transaction", "isolation", "level"):
		return &Show{Parameter: "transaction_isolation"}
	case p.accept("session", "authorization"):
		return &Show{Parameter: "session_authorization"}
	case p.accept("time", "zone"):
		return &Show{Parameter: "timezone"}
	}
	for _, s := range shows {
		if p.are(s.words...) && p.showsObject(len(s.words)) {
			p.accept(s.words...)
			show := &Show{What: s.what}
			s.read(p, show)
			return show
		}
	}
	return &Show{Parameter: p.parameterName()}
}

// showsObject tells whether something follows the words of an object.
func (p *parser) showsObject(n int) bool {
	next := p.peek(n)
	return next.kind != endOfInput && !next.isOp(";") || p.is("databases")
}

func (p *parser) showNamed(s *Show) { s.Name = p.name() }

func (p *parser) showRoutine(s *Show) {
	s.Name = p.name()
	if p.isOp("(") {
		s.Types = p.argumentTypes()
	}
}

func (p *parser) showTables(s *Show) {
	p.expect("from", "schema")
	s.Name = p.name()
	p.showFilter(s)
}

func (p *parser) showColumns(s *Show) {
	p.expect("from", "table")
	s.Name = p.name()
	p.showFilter(s)
}

func (p *parser) showSchemas(s *Show) {
	p.expect("from", "database")
	s.Name = Name{p.ident()}
	p.showFilter(s)
}

func (p *parser) showDatabases(s *Show) {
	if p.accept("from", "data", "catalog") {
		s.Args = append(s.Args, Option{Name: "data catalog"})
		if p.accept("account") {
			p.string()
		}
	}
	p.showFilter(s)
}

func (p *parser) showConstraints(s *Show) {
	s.Args = append(s.Args, Option{Name: p.oneOf("primary", "foreign")})
	p.expect("keys")
	if p.accept("exported") {
		s.Args = append(s.Args, Option{Name: "exported"})
	}
	p.expect("from", "table")
	s.Name = p.name()
	p.showFilter(s)
}

// showGrants reads ON object, or FOR grantee.
func (p *parser) showGrants(s *Show) {
	if p.accept("for") {
		g := p.grantee()
		s.Args = append(s.Args, Option{Name: "for " + g.Kind})
		s.Name = Name{g.Name}
		p.showFilter(s)
		return
	}
	p.expect("on")
	kind := "table"
	if p.is("table", "schema", "database", "function", "procedure", "datashare") {
		kind = p.next().value
	}
	s.Args = append(s.Args, Option{Name: "on " + kind})
	s.Name, _ = p.grantObject(kind)
	p.showFilter(s)
}

func (p *parser) showParameters(s *Show) {
	p.expect("of")
	s.Args = append(s.Args, Option{Name: p.oneOf("procedure", "function")})
	p.showRoutine(s)
	p.showFilter(s)
}

func (p *parser) showPolicies(s *Show) {
	if p.accept("on") {
		p.accept("table")
		s.Name = p.name()
	}
	p.showFilter(s)
}

// showFilter reads [LIKE 'pattern'] [LIMIT n].
func (p *parser) showFilter(s *Show) {
	if p.accept("like") {
		s.Like = p.string()
	}
	if p.accept("limit") {
		s.Args = append(s.Args, Option{Name: "limit", Values: []OptionValue{p.optionNumber()}})
	}
}

// vacuum reads VACUUM (r_VACUUM_command). There is no VACUUM ANALYZE.
func (p *parser) vacuum() Statement {
	p.next()
	v := &Vacuum{}
	switch {
	case p.is("full", "reindex", "recluster"):
		v.Kind = p.next().value
	case p.accept("sort", "only"):
		v.Kind = "sort only"
	case p.accept("delete", "only"):
		v.Kind = "delete only"
	}
	if p.tok.isName() && !p.is("boost") {
		v.Table = p.name()
		if p.accept("to") {
			n := int(p.integer())
			v.Percent = &n
			p.expect("percent")
		}
	}
	v.Boost = p.accept("boost")
	return v
}

// analyze reads ANALYZE (r_ANALYZE) and ANALYZE COMPRESSION (r_ANALYZE_COMPRESSION).
func (p *parser) analyze() Statement {
	p.next()
	a := &Analyze{}
	if a.Compression = p.accept("compression"); !a.Compression {
		p.accept("verbose")
	}
	if p.tok.isName() {
		a.Table = p.name()
		if p.isOp("(") {
			a.Columns = p.identList()
		}
	}
	switch {
	case a.Compression:
		if p.accept("comprows") {
			p.integer()
		}
	case p.accept("predicate", "columns"):
		a.Predicate = true
	case p.accept("all", "columns"):
	}
	return a
}
