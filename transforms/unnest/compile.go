package unnest

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/datetime"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pattern"
	"github.com/starlift-etl/starlift/pipeline/scalar"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/transforms/internal/condition"
)

// table is a compiled table.
type table struct {
	out      *pipeline.Table
	where    *pattern.Pattern // nil = every item
	explode  []level          // outermost first; nil = one row per item
	columns  []column
	order    []int // the columns: those of the key, then those that may drop the row
	decisive int   // how many of order decide whether a row of an old image was there
	item     []decode.Path
	distinct bool // rows of one item cannot have equal keys
	covered  coveredValues
	policy   pipeline.Policy
	images   bool          // it may take items that were not removed
	archives bool          // it takes items that were removed, and has no key
	identity []decode.Path // what stands in the key as it is
	taken    []decode.Path // what columns that have the rest of the item are without
}

// compiler compiles one table and gathers its mistakes.
type compiler struct {
	name     string
	cfg      *TableConfig
	scope    scope
	columns  []column
	computed int // expressions
	mistakes []error
}

// mistake records what is wrong at a place below the table.
func (c *compiler) mistake(message string, at ...string) {
	c.add(&spec.FieldError{Path: at, Message: message})
}

func (c *compiler) add(e *spec.FieldError) {
	e.Path = append([]string{"tables", c.name}, e.Path...)
	c.mistakes = append(c.mistakes, e)
}

// compileTable returns the table, or all that is wrong with it.
func compileTable(name string, cfg *TableConfig) (*table, error) {
	c := &compiler{name: name, cfg: cfg}
	t := &table{where: c.where()}
	c.explode()
	if len(cfg.Columns) == 0 {
		c.mistake(fmt.Sprintf("table %q has no columns", name), "columns")
	}
	for i := range cfg.Columns {
		e := &cfg.Columns[i]
		c.columns = append(c.columns, c.column(e.Name, &e.Value))
	}
	c.namedColumns()
	c.setKeySlots()
	t.policy = c.policy()
	c.collisions()
	c.keys()
	if len(c.mistakes) > 0 {
		return nil, errors.Join(c.mistakes...)
	}
	columns := make([]pipeline.Column, len(c.columns))
	for i := range c.columns {
		columns[i] = pipeline.Column{Name: c.columns[i].name, Type: c.columns[i].typ, OnError: pipeline.OnErrorByName[c.columns[i].onError]}
	}
	out, err := pipeline.NewTable(name, columns, cfg.Key)
	if err != nil {
		c.mistake(err.Error())
		return nil, errors.Join(c.mistakes...)
	}
	t.out, t.columns, t.item, t.explode = out, c.columns, c.scope.item, c.scope.levels
	t.setDistinct()
	t.setRest()
	t.setRemovals()
	t.setOrder()
	return t, nil
}

func (c *compiler) where() *pattern.Pattern {
	p, mistakes := compilePattern(c.cfg.Where.Value, "where")
	for _, e := range mistakes {
		c.add(e)
	}
	return p
}

// setOrder puts the columns that decide whether a row is there before the others.
func (t *table) setOrder() {
	t.order = slices.Clone(t.out.Key)
	for _, decides := range []bool{true, false} {
		for i := range t.columns {
			if c := &t.columns[i]; !c.key && (c.onError == onErrorDropRow) == decides {
				t.order = append(t.order, i)
			}
		}
		if decides {
			t.decisive = len(t.order)
		}
	}
}

// compilePattern compiles the pattern that a key has; nil = it has none, or mistakes.
func compilePattern(v any, key string) (*pattern.Pattern, []*spec.FieldError) {
	if v == nil {
		return nil, nil
	}
	p, err := pattern.Compile(v, condition.Compiler{})
	var mistakes []*spec.FieldError
	for _, e := range unjoin(err) {
		var field *spec.FieldError
		if !errors.As(e, &field) {
			field = &spec.FieldError{Message: e.Error()}
		}
		field.Path = append([]string{key}, field.Path...)
		mistakes = append(mistakes, field)
	}
	return p, mistakes
}

// unjoin takes apart what errors.Join put together.
func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// addFlags appends the columns of flagged rows, but for those whose names the
// file has given away.
func (c *compiler) addFlags(p pipeline.Policy) {
	key := "on_delete"
	if p.OnDelete != pipeline.Flag {
		key = "ttl_deletes"
	}
	origins := []origin{fromDeleted, fromDeletedAt}
	for i, col := range pipeline.FlagColumns() {
		taken := slices.IndexFunc(c.columns, func(have column) bool { return strings.EqualFold(have.name, col.Name) })
		if taken < 0 {
			c.columns = append(c.columns, column{name: col.Name, typ: col.Type, source: source{origin: origins[i]}, onError: onErrorDeadLetter})
			continue
		}
		name, where := c.columns[taken].name, "has the name of one"
		if name != col.Name {
			where = "has, when case is ignored, the name of one"
		}
		path := []string{"columns", name}
		if _, declared := c.cfg.Columns.Get(name); !declared {
			path = []string{"explode", "ordinal"}
			if c.columns[taken].source.origin == fromKey {
				path[1] = "key"
			}
			for l := c.columns[taken].source.level; l > 0; l-- {
				path = append([]string{"explode"}, path...)
			}
		}
		c.mistake(fmt.Sprintf("column %q %s that %s: flag adds to table %q: give it another name, or leave it out", name, where, key, c.name), path...)
	}
}

// collisions refuses names that databases take for one.
func (c *compiler) collisions() {
	seen := map[string]string{}
	for i := range c.columns {
		name := c.columns[i].name
		folded := strings.ToLower(name)
		if name == "" {
			c.mistake("a column has no name", "columns", name)
		}
		if other, twice := seen[folded]; twice {
			c.mistake(fmt.Sprintf("columns %q and %q have one name when case is ignored, as warehouses do", other, name), "columns", name)
		}
		seen[folded] = name
	}
}

// keys marks the columns of the key.
func (c *compiler) keys() {
	names := make([]string, len(c.columns))
	for i := range c.columns {
		names[i] = c.columns[i].name
	}
	for i, k := range c.cfg.Key {
		at := slices.Index(names, k)
		switch {
		case at < 0:
			c.add(&spec.FieldError{Path: []string{"key", strconv.Itoa(i)}, Name: k, Known: names,
				Message: fmt.Sprintf("table %q has no column %q for its key", c.name, k)})
		case slices.Contains(c.cfg.Key[:i], k):
			c.mistake(fmt.Sprintf("column %q stands twice in the key", k), "key", strconv.Itoa(i))
		case c.columns[at].typ.Kind == pipeline.List:
			c.mistake(fmt.Sprintf("column %q is %s, and a list is no part of a key: leave it out, or make a row of each element by explode", k, c.columns[at].typ), "key", strconv.Itoa(i))
		default:
			c.columns[at].key = true
		}
	}
}

// column compiles one column.
func (c *compiler) column(name string, cfg *ColumnConfig) column {
	out := column{name: name, onError: cfg.OnError}
	if out.onError == "" {
		out.onError = onErrorDeadLetter
	}
	switch known := []string{onErrorDeadLetter, onErrorNull, onErrorFail, onErrorDropRow}; {
	case !slices.Contains(known, out.onError):
		c.add(&spec.FieldError{Path: []string{"columns", name, "on_error"}, Name: cfg.OnError, Known: known, Message: fmt.Sprintf("unknown on_error %q", cfg.OnError)})
	case out.onError == onErrorDropRow && c.cfg.Explode == nil:
		c.mistake(fmt.Sprintf("drop_row leaves a row of an element out, and table %q has one row per item: write dead_letter, null or fail", c.name), "columns", name, "on_error")
	}
	out.source = c.from(name, cfg.From)
	out.typ = c.columnType(name, cfg, out.source)
	c.shape(&out, cfg)
	c.whole(&out)
	if out.masked = cfg.Mask; out.masked && out.shape != computed && !out.source.isOfItem() {
		c.mistake("mask hides attributes of the item, and this column has none: leave mask out", "columns", name, "mask")
	}
	c.format(&out, cfg)
	c.checkType(&out)
	out.setElement()
	out.direct = out.shape == whole && out.typ.Base() != pipeline.JSONText
	return out
}

// from resolves where a column's value is.
func (c *compiler) from(name string, from spec.Paths) source {
	paths := []decode.Path{{{Name: name}}}
	if len(from) > 0 {
		if paths = c.paths(from, "columns", name, "from"); paths == nil {
			return source{}
		}
	}
	s, err := c.scope.resolveAll(paths)
	if err != nil {
		c.unresolved(err, "columns", name, "from")
	}
	return s
}

// paths reads document paths; nil = one of them is none.
func (c *compiler) paths(from spec.Paths, at ...string) []decode.Path {
	paths := make([]decode.Path, len(from))
	for i, text := range from {
		var err error
		if paths[i], err = decode.ParsePath(text); err != nil {
			c.mistake(err.Error(), from.At(i, at...)...)
			return nil
		}
	}
	return paths
}

// unresolved records names that lead nowhere.
func (c *compiler) unresolved(err error, at ...string) {
	e := &spec.FieldError{Path: at, Message: err.Error()}
	var meta *unknownMeta
	if errors.As(err, &meta) {
		e.Name, e.Known = meta.name, pattern.MetaNames()
	}
	c.add(e)
}

func (c *compiler) columnType(name string, cfg *ColumnConfig, s source) pipeline.Type {
	text := cfg.Type
	if text == "" && cfg.Expr == "" && c.scope.isWhole(&s) {
		return pipeline.Type{Kind: pipeline.JSONText}
	}
	if text == "" && s.origin == fromOrdinal {
		return pipeline.Type{Kind: pipeline.Int64}
	}
	t, mistake := scalar.ParseType(text, "columns", name, "type")
	if mistake != nil {
		c.add(mistake)
		return pipeline.Type{Kind: pipeline.String}
	}
	return t
}

// shape compiles what cuts the value or computes it.
func (c *compiler) shape(out *column, cfg *ColumnConfig) {
	given := map[string]string{"after": cfg.After, "split": cfg.Split, "extract": cfg.Extract, "expr": cfg.Expr}
	maps.DeleteFunc(given, func(_, text string) bool { return text == "" })
	if len(given) > 1 {
		names := slices.Sorted(maps.Keys(given))
		c.mistake("a column takes only one of "+strings.Join(names, ", "), "columns", out.name, names[1])
	}
	switch {
	case cfg.Split != "" && cfg.Part < 1:
		c.mistake("split needs part, from 1: which piece to take", "columns", out.name, "part")
	case cfg.Split == "" && cfg.Part != 0:
		c.mistake("part belongs to split, which is not given", "columns", out.name, "part")
	}
	switch {
	case cfg.After != "":
		out.shape, out.cut = after, []byte(cfg.After)
	case cfg.Split != "":
		out.shape, out.cut, out.part = split, []byte(cfg.Split), cfg.Part
	case cfg.Extract != "":
		c.extract(out, cfg.Extract)
	case cfg.Expr != "":
		out.shape = computed
		c.compileExpression(out, cfg)
	}
}

// notRegexp says what is wrong with a regular expression.
func notRegexp(err error) string {
	var wrong *syntax.Error
	if !errors.As(err, &wrong) {
		return "it is not a regular expression: " + err.Error()
	}
	hint := ""
	if wrong.Code == syntax.ErrInvalidPerlOp || wrong.Code == syntax.ErrInvalidEscape {
		hint = "; the syntax is RE2's, without looking ahead or back and without references to groups"
	}
	return fmt.Sprintf("it is not a regular expression: %s at %q%s", wrong.Code, wrong.Expr, hint)
}

func (c *compiler) extract(out *column, text string) {
	re, err := regexp.Compile(text)
	if err != nil {
		c.mistake(notRegexp(err), "columns", out.name, "extract")
		return
	}
	if re.NumSubexp() > 1 {
		c.mistake("extract takes one group; write (?:…) for the others", "columns", out.name, "extract")
	}
	out.shape, out.re = extract, re
}

// format compiles how dates, timestamps and bools are written.
func (c *compiler) format(out *column, cfg *ColumnConfig) {
	c.boolWords(out, cfg)
	given := []struct{ key, value string }{{"format", cfg.Format}, {"zone", cfg.Zone}, {"precision", cfg.Precision}}
	kind := out.valueType().Base()
	isTime := kind == pipeline.Date || kind == pipeline.Timestamp
	isMeta := out.source.origin == fromCreated || out.source.origin == fromArrived
	for _, g := range given {
		switch {
		case g.value == "":
		case !isTime:
			c.mistake(fmt.Sprintf("%s belongs to the types date, timestamp and timestamptz, not to %s", g.key, out.typ), "columns", out.name, g.key)
		case isMeta && (g.key != "zone" || out.typ.Base() != pipeline.Date):
			c.mistake("the times in $meta have no "+g.key, "columns", out.name, g.key)
		}
	}
	var mistakes []*datetime.FormatError
	out.format, mistakes = datetime.NewFormat(cfg.Format, cfg.Zone, cfg.Precision, kind == pipeline.Date)
	for _, m := range mistakes {
		if isTime || m.Key == "format" {
			c.add(&spec.FieldError{Path: []string{"columns", out.name, m.Key}, Message: m.Message, Name: m.Name, Known: m.Known})
		}
	}
}

// boolWords compiles the texts that mean true and false.
func (c *compiler) boolWords(out *column, cfg *ColumnConfig) {
	for _, g := range []struct {
		key   string
		texts []string
		means bool
	}{{"true_values", cfg.TrueValues, true}, {"false_values", cfg.FalseValues, false}} {
		if len(g.texts) > 0 && out.valueType().Base() != pipeline.Bool {
			c.mistake(fmt.Sprintf("%s belongs to the type bool, not to %s", g.key, out.typ), "columns", out.name, g.key)
		}
		for i, text := range g.texts {
			if out.truths == nil {
				out.truths = boolWords{}
			}
			if means, twice := out.truths[text]; twice && means != g.means {
				c.mistake(fmt.Sprintf("%q is among both true_values and false_values", text), "columns", out.name, g.key, strconv.Itoa(i))
			}
			out.truths[text] = g.means
		}
	}
}

// checkType checks that the source can give the type at all.
func (c *compiler) checkType(out *column) {
	if out.shape != whole && out.shape != computed && (out.typ.Base() == pipeline.JSONText || out.typ.Base() == pipeline.Binary) {
		instead := ""
		if out.typ.Kind == pipeline.List && out.shape == split {
			instead = `: for the pieces of a text, write expr: split(…, "…")`
		}
		c.mistake(fmt.Sprintf("a column of type %s takes the value whole, without after, split or extract%s", out.typ, instead), "columns", out.name, "type")
	}
	if out.shape == computed && out.typ.Base() == pipeline.Binary {
		c.mistake("an expression gives no binary", "columns", out.name, "type")
		return
	}
	if out.shape == computed {
		c.checkResultType(out)
		return
	}
	what, kinds := "", []pipeline.Kind(nil)
	switch out.source.origin {
	case fromItem, fromElement:
		return
	case fromKey:
		if out.typ.Kind == pipeline.List {
			c.mistake(fmt.Sprintf("the key of a map's member is a text and gives no %s", out.typ), "columns", out.name, "type")
		}
		return
	case fromCreated, fromArrived:
		what, kinds = "a time", []pipeline.Kind{pipeline.Timestamp, pipeline.TimestampTZ, pipeline.Date, pipeline.Int64, pipeline.String, pipeline.VarChar}
	case fromTTL:
		what, kinds = "a bool", []pipeline.Kind{pipeline.Bool, pipeline.String}
	case fromOrdinal:
		what, kinds = "an ordinal", []pipeline.Kind{pipeline.Int64, pipeline.Int32, pipeline.String, pipeline.Double, pipeline.Decimal}
	default:
		if out.typ.Base() == pipeline.JSONText || out.typ.Base() == pipeline.Binary {
			c.mistake(fmt.Sprintf("%s is a text and gives no %s", out.name, out.typ), "columns", out.name, "type")
		}
		return
	}
	if !slices.Contains(kinds, out.typ.Kind) {
		c.mistake(fmt.Sprintf("%s gives no %s", what, out.typ), "columns", out.name, "type")
	}
	if out.shape != whole {
		c.mistake(what+" is taken whole, without after, split or extract", "columns", out.name)
	}
}
