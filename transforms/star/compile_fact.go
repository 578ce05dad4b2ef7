package star

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/scalar"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/transforms/internal/expression"
)

// factCompiler compiles one fact.
type factCompiler struct {
	*compiler
	*fact
	table      *pipeline.Table
	aliases    []string // of the lookups so far
	allAliases []string // of all lookups
	columns    []pipeline.Column
}

func (c *factCompiler) path(key ...string) []string {
	return append([]string{"facts", c.name}, key...)
}

func (c *compiler) addFact(name string, cfg *FactConfig) {
	before := len(c.mistakes)
	f := &factCompiler{compiler: c, fact: &fact{name: name, id: idOf(string(seedOf(tagFact, name)))}}
	if cfg.From == "" {
		c.wrong("a fact needs from, its base table", f.path()...)
		return
	}
	if f.table = c.tables[cfg.From]; f.table == nil {
		c.table(cfg.From, f.path("from")...)
		return
	}
	policy := pipeline.Policy{OnDelete: onDeleteByName[cfg.OnDelete]}
	if cfg.Merge == "latest_non_null" {
		policy.Merge = pipeline.LatestNonNull
	}
	if policy.OnDelete == pipeline.Flag && !c.canFlag(f.table, cfg.OnDelete, f.path("on_delete")) {
		return
	}
	f.base.startWith(c.saved.Bases[name], f.table)
	f.setGrain(cfg.Grain)
	for _, l := range cfg.Lookups {
		f.allAliases = append(f.allAliases, l.Name)
	}
	for _, l := range inSavedOrder(cfg.Lookups, entryName[LookupConfig], c.saved.Lookups[name]) {
		f.addLookup(l.Name, &l.Value)
	}
	for _, m := range inSavedOrder(cfg.Dimensions, entryName[MemberConfig], c.saved.Emitted[name]) {
		f.addForeignKey(m.Name, &m.Value)
	}
	for i := range cfg.Measures {
		f.addMeasure(cfg.Measures[i].Name, &cfg.Measures[i].Value)
	}
	f.checkNames(cfg, policy)
	if policy.OnDelete == pipeline.Flag {
		f.addFlags()
	}
	if len(c.mistakes) > before {
		return
	}
	var err error
	if f.out, err = pipeline.NewTable(name, f.columns, cfg.Grain); err != nil {
		c.wrong(err.Error()+": give one of them another name", f.path()...)
		return
	}
	f.arrangeMeasures(c.saved.Emitted[name])
	f.definition, f.measuresDefinition = describeFact(cfg, f.table), describeMeasures(cfg, f.out)
	r := c.input(pipeline.Input{Table: f.table, Policy: policy})
	r.facts = append(r.facts, f.fact)
	c.star.facts = append(c.star.facts, f.fact)
}

// checkNames refuses two columns of one name.
func (c *factCompiler) checkNames(cfg *FactConfig, policy pipeline.Policy) {
	var added []addition
	if policy.OnDelete == pipeline.Flag {
		added = flagAdditions()
	}
	var named []mention
	for i, name := range cfg.Grain {
		named = append(named, mention{name, c.path("grain", fmt.Sprint(i))})
	}
	for _, d := range cfg.Dimensions {
		named = append(named, mention{d.Name, c.path("dimensions", d.Name)})
	}
	for _, m := range cfg.Measures {
		named = append(named, mention{m.Name, c.path("measures", m.Name)})
	}
	c.refuseSameNames(added, named)
}

// setGrain checks that the grain is the base table's key.
func (c *factCompiler) setGrain(grain []string) {
	if len(c.table.Key) == 0 {
		c.wrong(fmt.Sprintf("table %q has no key, which says what a fact is: give it one in its unnest transform", c.table.Name), c.path("from")...)
		return
	}
	key := make([]string, len(c.table.Key))
	for i, k := range c.table.Key {
		key[i] = c.table.Columns[k].Name
	}
	for i, name := range grain {
		n := c.column(c.table, name, c.path("grain", fmt.Sprint(i))...)
		if n < 0 {
			return
		}
		c.columns = append(c.columns, c.table.Columns[n])
		c.base.include(n, c.table.Columns[n].Type)
	}
	a, b := slices.Sorted(slices.Values(grain)), slices.Sorted(slices.Values(key))
	if !slices.Equal(a, b) {
		c.wrong(fmt.Sprintf("the grain has to be the key of table %q, (%s): each of its rows is one fact", c.table.Name, strings.Join(key, ", ")), c.path("grain")...)
	}
	c.grain = len(grain)
}

// resolve finds the value that a text names: column, or alias.column.
func (c *factCompiler) resolve(text string) (columnRef, pipeline.Type, *spec.FieldError) {
	alias, column, dotted := strings.Cut(text, ".")
	if !dotted {
		n := c.table.Column(text)
		if n < 0 {
			return columnRef{}, pipeline.Type{}, &spec.FieldError{Message: fmt.Sprintf("table %q has no column %q", c.table.Name, text), Name: text, Known: c.known()}
		}
		t := c.table.Columns[n].Type
		return columnRef{0, c.base.include(n, t)}, t, nil
	}
	i := slices.Index(c.aliases, alias)
	if i < 0 {
		if slices.Contains(c.allAliases, alias) {
			return columnRef{}, pipeline.Type{}, &spec.FieldError{Message: fmt.Sprintf("lookup %q is not above this one, and only those can be used: change their order", alias)}
		}
		return columnRef{}, pipeline.Type{}, &spec.FieldError{Message: fmt.Sprintf("the fact has no lookup %q", alias), Name: text, Known: c.known()}
	}
	l := c.lookups[i].table
	if l == nil { // reported
		return columnRef{}, pipeline.Type{}, &spec.FieldError{}
	}
	n := l.table.Column(column)
	if n < 0 {
		return columnRef{}, pipeline.Type{}, &spec.FieldError{Message: fmt.Sprintf("table %q has no column %q", l.table.Name, column), Name: text, Known: c.known()}
	}
	t := l.table.Columns[n].Type
	return columnRef{i + 1, l.include(n, t)}, t, nil
}

// masked reports whether a value that the fact uses is of a masked column.
func (c *factCompiler) masked(r columnRef) bool {
	t, column := factLineage{c.fact, c.table}.column(r)
	return t.Columns[column].Masked
}

// known lists what resolve would find.
func (c *factCompiler) known() []string {
	names := columnNames(c.table)
	for i, a := range c.aliases {
		if l := c.lookups[i].table; l != nil {
			for _, n := range columnNames(l.table) {
				names = append(names, a+"."+n)
			}
		}
	}
	return names
}

// value resolves a text whose type has to match a type that is wanted; ok = false is reported.
func (c *factCompiler) value(text string, want pipeline.Type, matches func(want, t pipeline.Type) bool, of string, path ...string) (columnRef, bool) {
	r, t, mistake := c.resolve(text)
	if mistake != nil {
		c.report(mistake, path)
		return r, false
	}
	if !matches(want, t) {
		c.wrong(fmt.Sprintf("%s is %s, and %s is %s: give both columns one type", text, t, of, want), path...)
		return r, false
	}
	return r, true
}

func (c *factCompiler) report(mistake *spec.FieldError, path []string) {
	if mistake.Message != "" {
		mistake.Path = path
		c.mistakes = append(c.mistakes, mistake)
	}
}

func (c *factCompiler) addLookup(alias string, cfg *LookupConfig) {
	at := func(key ...string) []string { return c.path(append([]string{"lookups", alias}, key...)...) }
	c.aliases = append(c.aliases, alias)
	c.lookups = append(c.lookups, lookup{alias: alias})
	l := &c.lookups[len(c.lookups)-1]
	t := c.compiler.table(cfg.Table, at("table")...)
	if t == nil {
		return
	}
	if len(t.Key) == 0 {
		c.wrong(fmt.Sprintf("table %q has no key, and a lookup is by the key: give it one in its unnest transform", t.Name), at("table")...)
		return
	}
	var key []string
	for _, k := range t.Key {
		name := t.Columns[k].Name
		key = append(key, name)
		text, ok := cfg.On.Get(name)
		if !ok {
			c.wrong(fmt.Sprintf("on has no value for %q: a lookup is by the whole key of its table, (%s)", name, keyText(t)), at("on")...)
			continue
		}
		if r, ok := c.value(text, t.Columns[k].Type, scalar.Joined, cfg.Table+"."+name, at("on", name)...); ok {
			l.on = append(l.on, r)
			l.chained = l.chained || r.source > 0
		}
	}
	for _, e := range cfg.On {
		if !slices.Contains(key, e.Name) {
			c.unknown(fmt.Sprintf("%q is not in the key of table %q: a lookup is by the whole key of its table, (%s)", e.Name, t.Name, keyText(t)), e.Name, key, at("on", e.Name)...)
		}
	}
	if l.chained {
		c.chainedLookups++
	}
	l.table = c.lookupTable(t)
}

func keyText(t *pipeline.Table) string {
	var key []string
	for _, k := range t.Key {
		key = append(key, t.Columns[k].Name)
	}
	return strings.Join(key, ", ")
}

func (c *factCompiler) addForeignKey(column string, cfg *MemberConfig) {
	at := func(key ...string) []string { return c.path(append([]string{"dimensions", column}, key...)...) }
	c.columns = append(c.columns, pipeline.Column{Name: column, Type: pipeline.Type{Kind: pipeline.Int64}})
	d, declared := c.dimensions[cfg.Dimension]
	if !declared {
		var known []string
		for name := range c.dimensions {
			known = append(known, name)
		}
		c.unknown(fmt.Sprintf("the star has no dimension %q", cfg.Dimension), cfg.Dimension, slices.Sorted(slices.Values(known)), at("dimension")...)
		return
	}
	if d == nil {
		return // its own mistakes are reported
	}
	m := foreignKey{column: column, dimension: d}
	if d.calendar != nil {
		c.addDate(&m, cfg, at("on"))
	} else {
		c.addNaturalKey(&m, cfg, at("on"))
	}
	if d.counts() {
		c.countedKeys++
	}
	c.foreignKeys = append(c.foreignKeys, m)
}

func (c *factCompiler) addDate(m *foreignKey, cfg *MemberConfig, path []string) {
	if cfg.On.Date == "" {
		c.wrong(fmt.Sprintf("on of calendar %q is the column that has the date or timestamp, as in on: orderdate", cfg.Dimension), path...)
		return
	}
	r, t, mistake := c.resolve(cfg.On.Date)
	if mistake != nil {
		c.report(mistake, path)
		return
	}
	if t.Base() != pipeline.Date && t.Base() != pipeline.Timestamp {
		c.wrong(fmt.Sprintf("%s is %s: a calendar's member is found by a date or timestamp", cfg.On.Date, t), path...)
		return
	}
	m.on, m.timestamp = []columnRef{r}, t.Base() == pipeline.Timestamp
}

func (c *factCompiler) addNaturalKey(m *foreignKey, cfg *MemberConfig, path []string) {
	d := m.dimension
	if cfg.On.Date != "" {
		name := d.out.Columns[1].Name
		c.wrong(fmt.Sprintf("on of dimension %q has a value for each column of its natural key, as in on: {%s: %s}", d.name, name, cfg.On.Date), path...)
		return
	}
	var key []string
	for i, t := range d.naturalKeyTypes {
		name := d.out.Columns[1+i].Name
		key = append(key, name)
		text, ok := cfg.On.NaturalKey.Get(name)
		if !ok {
			c.wrong(fmt.Sprintf("on has no value for %q of the natural key of %q", name, d.name), path...)
			continue
		}
		// The fact may infer a member, whose natural key has this value.
		if r, ok := c.value(text, t, scalar.Holds, d.name+"."+name, append(slices.Clone(path), name)...); ok {
			m.on = append(m.on, r)
		}
	}
	for _, e := range cfg.On.NaturalKey {
		if !slices.Contains(key, e.Name) {
			c.unknown(fmt.Sprintf("%q is not in the natural key of %q", e.Name, d.name), e.Name, key, append(slices.Clone(path), e.Name)...)
		}
	}
}

func (c *factCompiler) addMeasure(name string, cfg *MeasureConfig) {
	path := c.path("measures", name)
	if cfg.Expression.Expr == "" {
		r, t, mistake := c.resolve(cfg.Column)
		if mistake != nil {
			mistake.Message += "; to compute a measure, write {expr: …, type: …}"
			c.report(mistake, path)
			return
		}
		c.columns = append(c.columns, pipeline.Column{Name: name, Type: t, Masked: c.masked(r)})
		c.measures = append(c.measures, measure{ref: r})
		c.measuresUseLookups = c.measuresUseLookups || r.source > 0
		return
	}
	t, mistake := scalar.ParseType(cfg.Expression.Type, append(path, "type")...)
	if mistake != nil {
		c.report(mistake, mistake.Path)
		return
	}
	unknown := map[string]*spec.FieldError{}
	e, mistakes := expression.Compile(cfg.Expression.Expr, func(name string) (int, pipeline.Type, bool) {
		at, t, mistake := c.expressionColumn(name)
		if mistake != nil {
			unknown[name] = mistake
		}
		return at, t, mistake == nil
	}, t)
	for _, m := range mistakes {
		field := m.Field()
		if named := unknown[m.Name]; named != nil {
			told := *named
			told.Within = field.Within
			field = &told
		}
		c.report(field, append(path, "expr"))
	}
	if mistakes != nil {
		return
	}
	if slices.ContainsFunc(e.Variables(), func(number int) bool { return c.masked(c.refs[number]) }) {
		e.Hide()
	}
	c.columns = append(c.columns, pipeline.Column{Name: name, Type: t, Masked: e.Hidden(), OnError: pipeline.OnErrorByName[cfg.Expression.OnError]})
	c.measures = append(c.measures, measure{expression: e, nullOnError: cfg.Expression.OnError == "null"})
}

// expressionColumn resolves a name of an expression among the fact's refs.
func (c *factCompiler) expressionColumn(name string) (int, pipeline.Type, *spec.FieldError) {
	r, t, mistake := c.resolve(name)
	if mistake != nil {
		return 0, t, mistake
	}
	if i := slices.Index(c.refs, r); i >= 0 {
		return i, t, nil
	}
	c.refs = append(c.refs, r)
	c.measuresUseLookups = c.measuresUseLookups || r.source > 0
	return len(c.refs) - 1, t, nil
}

// addFlags adds the columns of a flagged fact, from the flagged base row.
func (c *factCompiler) addFlags() {
	at := flagsAt(c.table)
	for i, col := range pipeline.FlagColumns() {
		c.columns = append(c.columns, col)
		c.measures = append(c.measures, measure{ref: columnRef{0, c.base.include(at+i, col.Type)}})
	}
}

// arrangeMeasures brings the measures into the order in which the state packs them.
func (c *factCompiler) arrangeMeasures(saved *layout) {
	made := c.columns[min(len(c.columns), c.grain+len(c.foreignKeys)):]
	if len(made) != len(c.measures) {
		return // a member is not there, for mistakes that are reported
	}
	c.emittedColumns = newPackedColumns(c.columns[c.grain:], saved)
	values := make([]measure, len(c.emittedColumns.Columns)-len(c.foreignKeys))
	for i := range values {
		values[i].retired = true
	}
	for i := range made {
		values[c.emittedColumns.at[len(c.foreignKeys)+i]-len(c.foreignKeys)] = c.measures[i]
	}
	c.measures = values
}
