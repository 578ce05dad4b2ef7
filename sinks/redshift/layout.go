package redshift

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// How tables are laid out when they are made, and what those that are there have otherwise.
// Source: CREATE TABLE, ALTER TABLE and "Compression encodings" of the Database Developer Guide.

// encodings are the kinds of columns that an encoding takes; nil = all.
var encodings = func() map[string][]pipeline.Kind {
	whole := []pipeline.Kind{pipeline.Int64, pipeline.Decimal, pipeline.Int32}
	times := []pipeline.Kind{pipeline.Date, pipeline.Timestamp, pipeline.TimestampTZ, pipeline.Time}
	texts := []pipeline.Kind{pipeline.String, pipeline.VarChar, pipeline.Char, pipeline.UUID}
	lengths := []pipeline.Kind{pipeline.String, pipeline.VarChar}
	return map[string][]pipeline.Kind{
		"raw": nil, "zstd": nil,
		"runlength": slices.Concat([]pipeline.Kind{pipeline.Bool, pipeline.Double}, whole, times, texts),
		"lzo":       slices.Concat([]pipeline.Kind{pipeline.Binary, pipeline.JSONText, pipeline.List}, whole, times, texts),
		"az64":      slices.Concat(whole, times),
		"bytedict":  slices.Concat([]pipeline.Kind{pipeline.Double}, whole, times, texts),
		"delta":     slices.Concat(whole, times),
		"delta32k":  slices.Concat(whole, times),
		"mostly8":   whole,
		"mostly16":  whole,
		"mostly32":  {pipeline.Int64, pipeline.Decimal},
		"text255":   lengths,
		"text32k":   lengths,
	}
}()

// table returns what the pipeline file says of a table.
func (c *Config) table(name string) TableConfig {
	for _, e := range c.Tables {
		if warehouse.FoldASCII(e.Name) == warehouse.FoldASCII(name) {
			return e.Value
		}
	}
	return TableConfig{}
}

// encoding returns the option of a column for its encoding.
func (c *Config) encoding(table, column string) string {
	for _, e := range c.table(table).Encode {
		if warehouse.FoldASCII(e.Name) == warehouse.FoldASCII(column) {
			return " ENCODE " + strings.ToLower(e.Value)
		}
	}
	return ""
}

// columnOptions is the ColumnOptions of the sink's dialect.
func (c *Config) columnOptions(t *pipeline.Table, column int) string {
	return c.encoding(t.Name, t.Columns[column].Name) + notNull(t, column)
}

// tableOptions is the TableOptions of the sink's dialect.
func (c *Config) tableOptions(t *pipeline.Table) (options string) {
	layout := c.table(t.Name)
	switch style := layout.style(); style {
	case "":
	case "key":
		options += fmt.Sprintf("\nDISTSTYLE KEY DISTKEY (%s)", warehouse.Quote(layout.DistKey))
	default:
		options += "\nDISTSTYLE " + strings.ToUpper(style)
	}
	if layout.SortKey != nil {
		options += fmt.Sprintf("\nCOMPOUND SORTKEY (%s)", warehouse.Quoted(layout.SortKey))
	}
	return options
}

// style is the distribution style; empty = Redshift's default.
func (l *TableConfig) style() string {
	if l.DistStyle == "" && l.DistKey != "" {
		return "key"
	}
	return l.DistStyle
}

// checkLayouts returns the mistakes of Tables that show without the pipeline's tables.
func (c *Config) checkLayouts() error {
	var errs []error
	wrong := func(message string, path ...string) {
		errs = append(errs, &spec.FieldError{Path: append([]string{"tables"}, path...), Message: message})
	}
	seen := map[string]string{}
	for i := range c.Tables {
		name, layout := c.Tables[i].Name, &c.Tables[i].Value
		if other, ok := seen[warehouse.FoldASCII(name)]; ok {
			wrong(fmt.Sprintf("%q and %q are one table for Redshift, which does not tell upper from lower case", other, name), name)
		}
		seen[warehouse.FoldASCII(name)] = name
		switch {
		case layout.DistStyle == "key" && layout.DistKey == "":
			wrong("diststyle key needs distkey: name the column by whose value rows are spread", name, "diststyle")
		case layout.DistStyle != "" && layout.DistStyle != "key" && layout.DistKey != "":
			wrong(fmt.Sprintf("diststyle %s spreads rows by no column: leave out distkey, or diststyle", layout.DistStyle), name, "distkey")
		}
		for _, e := range layout.Encode {
			if _, ok := encodings[strings.ToLower(e.Value)]; !ok {
				errs = append(errs, &spec.FieldError{Path: []string{"tables", name, "encode", e.Name}, Message: fmt.Sprintf("%q is no encoding of Redshift", e.Value), Name: e.Value, Known: sortedEncodings()})
			}
		}
	}
	return errors.Join(errs...)
}

func sortedEncodings() (all []string) {
	for name := range encodings {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// sortKeyMax is the most columns of a sort key.
const sortKeyMax = 400

// checkTables returns the mistakes of Tables in view of the pipeline's tables.
func (c *Config) checkTables(tables []*pipeline.Table) error {
	var errs []error
	for i := range c.Tables {
		name := c.Tables[i].Name
		at := slices.IndexFunc(tables, func(t *pipeline.Table) bool { return warehouse.FoldASCII(t.Name) == warehouse.FoldASCII(name) })
		if at < 0 {
			var known []string
			for _, t := range tables {
				known = append(known, t.Name)
			}
			errs = append(errs, &spec.FieldError{Path: []string{"tables", name}, Message: fmt.Sprintf("the sink gets no table %q", name), Name: name, Known: known})
			continue
		}
		errs = append(errs, c.Tables[i].Value.check(name, tables[at]))
	}
	return errors.Join(errs...)
}

// check returns the mistakes in the layout of a table.
func (l *TableConfig) check(name string, t *pipeline.Table) error {
	var errs []error
	wrong := func(e spec.FieldError) {
		e.Path = append([]string{"tables", name}, e.Path...)
		errs = append(errs, &e)
	}
	column := func(c string, path ...string) *pipeline.Column {
		var known []string
		for i := range t.Columns {
			if warehouse.FoldASCII(t.Columns[i].Name) == warehouse.FoldASCII(c) {
				return &t.Columns[i]
			}
			known = append(known, t.Columns[i].Name)
		}
		wrong(spec.FieldError{Path: path, Message: fmt.Sprintf("table %q has no column %q", t.Name, c), Name: c, Known: known})
		return nil
	}
	keyable := func(c *pipeline.Column, what string, path ...string) {
		if c != nil && (c.Type.Base() == pipeline.JSONText || c.Type.Base() == pipeline.Binary) {
			wrong(spec.FieldError{Path: path, Message: fmt.Sprintf("column %q has type %s, and Redshift takes no such column as a %s", c.Name, c.Type, what)})
		}
	}
	if l.DistKey != "" {
		keyable(column(l.DistKey, "distkey"), "distribution key", "distkey")
	}
	seen := map[string]bool{}
	for i, c := range l.SortKey {
		path := []string{"sortkey", fmt.Sprint(i)}
		keyable(column(c, path...), "sort key", path...)
		if seen[warehouse.FoldASCII(c)] {
			wrong(spec.FieldError{Path: path, Message: fmt.Sprintf("column %q is there twice", c)})
		}
		seen[warehouse.FoldASCII(c)] = true
	}
	if len(l.SortKey) > sortKeyMax {
		wrong(spec.FieldError{Path: []string{"sortkey"}, Message: fmt.Sprintf("a sort key has at most %d columns", sortKeyMax)})
	}
	for _, e := range l.Encode {
		path := []string{"encode", e.Name}
		c := column(e.Name, path...)
		if kinds := encodings[strings.ToLower(e.Value)]; c != nil && kinds != nil && !slices.Contains(kinds, c.Type.Kind) {
			wrong(spec.FieldError{Path: path, Message: fmt.Sprintf("column %q has type %s, which %s does not encode", c.Name, c.Type, e.Value)})
		}
	}
	return errors.Join(errs...)
}

// layoutChanges returns the statements that would lay out tables as the pipeline file says, where they
// are there and are laid out otherwise.
func (t *tx) layoutChanges(ctx context.Context, tables []*pipeline.Table) (statements []string, err error) {
	for _, table := range tables {
		layout := t.cfg.table(table.Name)
		if layout.style() == "" && layout.SortKey == nil && layout.Encode == nil {
			continue
		}
		rows, err := t.Query(ctx, `SELECT a.attname, c.reldiststyle, CASE WHEN a.attisdistkey THEN 1 ELSE 0 END, a.attsortkeyord, format_encoding(a.attencodingtype::integer) `+
			fromRelation+` JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attsortkeyord`, warehouse.FoldASCII(t.Schema), warehouse.FoldASCII(table.Name))
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			continue // it will be made so
		}
		for _, change := range layout.changes(rows) {
			statements = append(statements, fmt.Sprintf("ALTER TABLE %s %s", t.in(table.Name), change))
		}
	}
	return statements, nil
}

// distStyles are the names of pg_class.reldiststyle.
var distStyles = map[string]string{"0": "even", "1": "key", "8": "all", "9": "auto"}

// changes compares a layout with the catalogue's rows of a table's columns: name, style, is it the
// distribution key, place in the sort key, encoding.
func (l *TableConfig) changes(rows [][]string) (all []string) {
	var style, distKey string
	var sortKey []string
	encoded := map[string]string{}
	for _, r := range rows {
		style, encoded[r[0]] = distStyles[r[1]], r[4]
		if r[2] == "1" {
			distKey = r[0]
		}
		if r[3] != "0" {
			sortKey = append(sortKey, r[0])
		}
	}
	switch want := l.style(); {
	case want == "key" && (style != "key" || distKey != warehouse.FoldASCII(l.DistKey)):
		all = append(all, "ALTER DISTSTYLE KEY DISTKEY "+warehouse.Quote(l.DistKey))
	case want != "" && want != style:
		all = append(all, "ALTER DISTSTYLE "+strings.ToUpper(want))
	}
	if l.SortKey != nil && !slices.EqualFunc(l.SortKey, sortKey, func(want, is string) bool { return warehouse.FoldASCII(want) == is }) {
		all = append(all, fmt.Sprintf("ALTER COMPOUND SORTKEY (%s)", warehouse.Quoted(l.SortKey)))
	}
	for _, e := range l.Encode {
		// The catalogue calls raw none.
		if want := strings.Replace(strings.ToLower(e.Value), "raw", "none", 1); encoded[warehouse.FoldASCII(e.Name)] != want {
			all = append(all, fmt.Sprintf("ALTER COLUMN %s ENCODE %s", warehouse.Quote(e.Name), strings.ToLower(e.Value)))
		}
	}
	return all
}
