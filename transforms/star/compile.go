package star

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/transforms/star/calendar"
)

// New compiles a node over the tables of its inputs. It returns all mistakes at
// once: a join of *spec.FieldError with paths that start at the node.
func New(name string, cfg Config, inputs []*pipeline.Table) (*Star, error) {
	return compile(name, cfg, inputs, &layouts{})
}

// compile compiles a node for a state that has these layouts.
func compile(name string, cfg Config, inputs []*pipeline.Table, saved *layouts) (*Star, error) {
	c := &compiler{saved: saved, star: &Star{name: name, cfg: cfg, inputTables: inputs}, tables: map[string]*pipeline.Table{}, dimensions: map[string]*dimension{}}
	for _, t := range inputs {
		c.tables[t.Name] = t
	}
	if len(cfg.Dimensions)+len(cfg.Facts) == 0 {
		c.wrong("a star needs at least one dimension or fact")
	}
	c.checkTableNames(&cfg)
	for i := range cfg.Dimensions {
		c.addDimension(cfg.Dimensions[i].Name, &cfg.Dimensions[i].Value)
	}
	c.addFacts(cfg.Facts)
	if len(c.mistakes) > 0 {
		return nil, errors.Join(c.mistakes...)
	}
	return c.star, nil
}

// addFacts compiles the facts in the order of their names, which also numbers
// them: the state has the numbers, and the rows of lookup tables with the columns
// in the order in which the facts came to use them, so neither may depend on
// where a fact stands in the file.
func (c *compiler) addFacts(cfg spec.Map[FactConfig]) {
	byName := slices.Clone(cfg)
	slices.SortFunc(byName, func(a, b spec.Entry[FactConfig]) int { return strings.Compare(a.Name, b.Name) })
	for i := range byName {
		c.addFact(byName[i].Name, &byName[i].Value)
	}
	for i, f := range c.star.facts {
		f.number = i
	}
	rank := func(f *fact) int {
		return slices.IndexFunc(cfg, func(e spec.Entry[FactConfig]) bool { return e.Name == f.name })
	}
	slices.SortFunc(c.star.facts, func(a, b *fact) int { return rank(a) - rank(b) })
}

type compiler struct {
	star       *Star
	saved      *layouts
	tables     map[string]*pipeline.Table
	dimensions map[string]*dimension // nil for one with mistakes
	unflagged  []*pipeline.Table     // refused by canFlag
	mistakes   []error
}

func (c *compiler) wrong(message string, path ...string) {
	c.mistakes = append(c.mistakes, &spec.FieldError{Path: path, Message: message})
}

func (c *compiler) unknown(message, name string, known []string, path ...string) {
	c.mistakes = append(c.mistakes, &spec.FieldError{Path: path, Message: message, Name: name, Known: known})
}

// checkTableNames refuses two tables of one name.
func (c *compiler) checkTableNames(cfg *Config) {
	seen := map[string]string{}
	check := func(section, name string) {
		folded := strings.ToLower(name)
		switch other, twice := seen[folded]; {
		case twice && other == name:
			c.wrong(fmt.Sprintf("%q is a dimension already: give one of them another name", name), section, name)
		case twice:
			c.wrong(sameNameMessage(other, name), section, name)
		}
		seen[folded] = name
	}
	for _, e := range cfg.Dimensions {
		check("dimensions", e.Name)
	}
	for _, e := range cfg.Facts {
		check("facts", e.Name)
	}
}

func sameNameMessage(a, b string) string {
	return fmt.Sprintf("%q and %q have one name when case is ignored, as warehouses do: give one of them another name", a, b)
}

// mention is where the pipeline file names a column.
type mention struct {
	name string
	path []string
}

// addition is a column that the file does not name.
type addition struct {
	name string
	by   string // what adds it, with a verb
}

func additions(columns []pipeline.Column, by string) []addition {
	all := make([]addition, len(columns))
	for i, c := range columns {
		all[i] = addition{c.Name, by}
	}
	return all
}

// refuseSameNames refuses two columns of one name in a table.
func (c *compiler) refuseSameNames(added []addition, named []mention) {
	seen := map[string]string{}
	for _, p := range named {
		folded := strings.ToLower(p.name)
		if i := slices.IndexFunc(added, func(a addition) bool { return a.name == folded }); i >= 0 {
			c.reportTaken(p, added[i])
			continue
		}
		switch other, twice := seen[folded]; {
		case twice && other == p.name:
			c.wrong(fmt.Sprintf("the table has a column %q already: give this one another name", p.name), p.path...)
		case twice:
			c.wrong(sameNameMessage(other, p.name), p.path...)
		default:
			seen[folded] = p.name
		}
	}
}

// reportTaken says that a column has the name of one that is added.
func (c *compiler) reportTaken(p mention, a addition) {
	has, do := "has the name", "give it another name"
	if p.name != a.name {
		has = "has, when case is ignored, the name"
	}
	if section := p.path[2]; section == "attributes" || section == "measures" {
		do += ", or leave it out"
	}
	c.wrong(fmt.Sprintf("column %q %s of one that %s: %s", p.name, has, a.by, do), p.path...)
}

// table finds an input table by name.
func (c *compiler) table(name string, path ...string) *pipeline.Table {
	t := c.tables[name]
	if t == nil {
		c.unknown(fmt.Sprintf("the inputs have no table %q", name), name, slices.Sorted(maps.Keys(c.tables)), path...)
	}
	return t
}

func columnNames(t *pipeline.Table) []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}

// column finds a table's column by name, or returns -1.
func (c *compiler) column(t *pipeline.Table, name string, path ...string) int {
	i := t.Column(name)
	if i < 0 {
		c.unknown(fmt.Sprintf("table %q has no column %q", t.Name, name), name, columnNames(t), path...)
	}
	return i
}

// input returns an input of the star, made at its first use.
func (c *compiler) input(r pipeline.Input) *input {
	for _, have := range c.star.inputs {
		if have.Input == r {
			return have
		}
	}
	n := &input{Input: r, number: len(c.star.inputs)}
	c.star.inputs = append(c.star.inputs, n)
	return n
}

func (c *compiler) logTable(t *pipeline.Table) *logTable {
	r := c.input(pipeline.Input{Table: t, Log: true})
	if r.log == nil {
		r.log = &logTable{table: t}
	}
	return r.log
}

func (c *compiler) lookupTable(t *pipeline.Table) *lookupTable {
	r := c.input(pipeline.Input{Table: t})
	if r.lookup == nil {
		r.lookup = &lookupTable{table: t, input: r.number}
		r.lookup.startWith(c.saved.Rows[t.Name], t)
	}
	return r.lookup
}

var onDeleteByName = map[string]pipeline.OnDelete{"delete": pipeline.Delete, "flag": pipeline.Flag, "keep": pipeline.Keep}

func (c *compiler) addDimension(name string, cfg *DimensionConfig) {
	before := len(c.mistakes)
	d := &dimension{name: name, id: idOf(name), trackedID: idOf(string(seedOf(tagTracked, name))), seed: seedOf(tagMember, name), hashKeys: cfg.Keys == "hash", onDelete: pipeline.Keep}
	c.dimensions[name] = nil
	if cfg.OnDelete != "" {
		d.onDelete = onDeleteByName[cfg.OnDelete]
	}
	var columns []pipeline.Column
	if cfg.Calendar != nil {
		columns = c.calendarDimension(d, name, cfg)
	} else {
		columns = c.rowDimension(d, name, cfg)
	}
	if len(c.mistakes) > before || columns == nil {
		return
	}
	out, err := pipeline.NewTable(name, columns, []string{cfg.SurrogateKey})
	if err != nil {
		c.wrong(err.Error()+": give one of them another name", "dimensions", name)
		return
	}
	d.out, d.definition = out, describeDimension(cfg, out)
	c.dimensions[name] = d
	d.number = len(c.star.dimensions)
	c.star.dimensions = append(c.star.dimensions, d)
}

func (c *compiler) calendarDimension(d *dimension, name string, cfg *DimensionConfig) []pipeline.Column {
	at := []string{"dimensions", name}
	for key, set := range map[string]bool{
		"from": cfg.From != "", "natural_key": len(cfg.NaturalKey) > 0, "attributes": len(cfg.Attributes) > 0,
		"keys": cfg.Keys == "hash", "on_delete": cfg.OnDelete == "flag" || cfg.OnDelete == "delete",
	} {
		if set {
			c.wrong(fmt.Sprintf("a calendar has no %s: its members are the days, and their keys yyyymmdd", key), append(at, key)...)
		}
	}
	var err error
	if d.calendar, err = calendar.New(cfg.Calendar.From, cfg.Calendar.To, cfg.Calendar.FiscalYearStarts); err != nil {
		for line := range strings.Lines(err.Error()) { // one for each mistake
			c.wrong(strings.TrimSuffix(line, "\n"), append(at, "calendar")...)
		}
		return nil
	}
	columns := calendar.Columns(cfg.SurrogateKey)
	c.refuseSameNames(additions(columns[1:], "every calendar has"), []mention{{cfg.SurrogateKey, append(at, "surrogate_key")}})
	return columns
}

// rowDimension compiles a dimension whose members are rows.
func (c *compiler) rowDimension(d *dimension, name string, cfg *DimensionConfig) []pipeline.Column {
	at := func(key ...string) []string { return append([]string{"dimensions", name}, key...) }
	if cfg.From == "" {
		c.wrong("a dimension needs from, the table whose rows bring its members, or calendar", at()...)
		return nil
	}
	t := c.table(cfg.From, at("from")...)
	if t == nil {
		return nil
	}
	if d.tracks() && !c.canFlag(t, cfg.OnDelete, at("on_delete")) {
		return nil
	}
	if len(cfg.NaturalKey) == 0 {
		c.wrong("a dimension needs natural_key, the columns that identify a member", at()...)
	}
	d.log = c.logTable(t)
	columns := []pipeline.Column{{Name: cfg.SurrogateKey, Type: pipeline.Type{Kind: pipeline.Int64}}}
	named := []mention{{cfg.SurrogateKey, at("surrogate_key")}}
	for i, k := range cfg.NaturalKey {
		named = append(named, mention{k, at("natural_key", fmt.Sprint(i))})
		if n := c.column(t, k, at("natural_key", fmt.Sprint(i))...); n >= 0 {
			if t.Columns[n].Type.Kind == pipeline.List {
				c.wrong(fmt.Sprintf("column %q is %s, and a list is no part of a key: leave it out", k, t.Columns[n].Type), at("natural_key", fmt.Sprint(i))...)
			}
			columns = append(columns, t.Columns[n])
			d.naturalKey = append(d.naturalKey, d.log.include(n, t.Columns[n].Type))
			d.naturalKeyTypes = append(d.naturalKeyTypes, t.Columns[n].Type)
			d.trackedColumns.include(n, t.Columns[n].Type)
		}
	}
	found := map[string]int{} // attributes, in the log
	var shown []pipeline.Column
	for i, a := range cfg.Attributes {
		named = append(named, mention{a, at("attributes", fmt.Sprint(i))})
		if n := c.column(t, a, at("attributes", fmt.Sprint(i))...); n >= 0 {
			columns, shown = append(columns, t.Columns[n]), append(shown, t.Columns[n])
			found[a] = d.log.include(n, t.Columns[n].Type)
		}
	}
	d.attributeColumns = newPackedColumns(shown, c.saved.Attributes[name])
	for i, a := range d.attributeColumns.Columns {
		at, ok := found[a.Name]
		if !ok || !slices.Contains(d.attributeColumns.at, i) {
			at = -1
		}
		d.attributes = append(d.attributes, at)
	}
	columns = append(columns, c.memberColumns(d, named)...)
	d.log.dimensions = append(d.log.dimensions, d)
	if d.tracks() {
		r := c.input(pipeline.Input{Table: t, Policy: pipeline.Policy{OnDelete: pipeline.Flag}})
		r.tracked, d.trackedInput = append(r.tracked, d), r.number
		if d.onDelete == pipeline.Flag {
			changing := c.changing(t, cfg.NaturalKey)
			r := c.input(pipeline.Input{Table: t, Policy: pipeline.Policy{OnDelete: pipeline.Flag}, ExtraKey: pipeline.JoinExtraKey(changing)})
			r.memberships = append(r.memberships, d)
			for _, k := range t.Key {
				if len(changing) > 0 {
					d.rowKey = append(d.rowKey, d.log.include(k, t.Columns[k].Type))
				}
			}
		}
		for i, col := range pipeline.FlagColumns() {
			d.trackedColumns.include(flagsAt(t)+i, col.Type)
		}
	}
	return columns
}

// changing returns the columns of a natural key in which a row may change.
func (c *compiler) changing(t *pipeline.Table, naturalKey []string) []string {
	var names []string
	for _, name := range naturalKey {
		if !slices.Contains(t.Key, t.Column(name)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// memberColumns returns the columns that a dimension has besides those that the
// file names, which must have other names.
func (c *compiler) memberColumns(d *dimension, named []mention) []pipeline.Column {
	columns := []pipeline.Column{{Name: "is_inferred", Type: pipeline.Type{Kind: pipeline.Bool}}}
	added := additions(columns, "every dimension has")
	if d.onDelete == pipeline.Flag {
		columns = append(columns, pipeline.FlagColumns()...)
		added = append(added, flagAdditions()...)
	}
	c.refuseSameNames(added, named)
	return columns
}

func flagAdditions() []addition { return additions(pipeline.FlagColumns(), "on_delete: flag adds") }

// canFlag reports whether the rows of a table can tell their deletes, which they
// do in two columns more, as on_delete at path wants it. A table that can not is
// reported once, whoever reads it.
func (c *compiler) canFlag(t *pipeline.Table, onDelete string, path []string) bool {
	_, _, err := pipeline.Flagged(t)
	if err == nil || slices.Contains(c.unflagged, t) {
		return err == nil
	}
	c.unflagged = append(c.unflagged, t)
	for _, f := range pipeline.FlagColumns() {
		if t.Column(f.Name) >= 0 {
			c.wrong(fmt.Sprintf("table %q has a column %q, and on_delete: %s needs this name to tell which rows were deleted: give the column another name in its unnest transform",
				t.Name, f.Name, onDelete), path...)
		}
	}
	return false
}

// flagsAt returns where the flags are in the flagged rows of a table: they may
// be its own last columns.
func flagsAt(t *pipeline.Table) int {
	n := len(t.Columns)
	if n >= 2 && t.Columns[n-2].Name == pipeline.IsDeletedColumn && t.Columns[n-1].Name == pipeline.DeletedAtColumn {
		return n - 2
	}
	return n
}
