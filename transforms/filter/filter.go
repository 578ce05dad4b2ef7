package filter

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pattern"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/transforms/internal/expression"
	"github.com/starlift-etl/starlift/transforms/internal/widen"
)

// Config is a filter node of a pipeline file.
type Config struct {
	Where   spec.Any `yaml:"where" change:"content" desc:"An EventBridge event pattern. Of rows, over their columns; of changes, over the item's plain values and $meta, as in unnest, with $expr."`
	Expr    string   `yaml:"expr" change:"content" desc:"Of rows: an expression (docs/expressions.md) over the columns that is true for the rows that pass; with where, both have to match. Null is false."`
	OnError string   `yaml:"on_error" default:"dead_letter" enum:"dead_letter,drop,fail" change:"content" desc:"What becomes of a row whose expr, or of a change whose $expr, can't be computed, as a division by zero: the whole change is a dead letter, the row or the change does not match, or the run ends."`
}

// The choices of Config.OnError; empty means the first.
const (
	onErrorDeadLetter = "dead_letter"
	onErrorDrop       = "drop"
	onErrorFail       = "fail"
)

var (
	_ pipeline.RowTransform = (*Filter)(nil)
	_ pipeline.RowMapper    = (*rowMapper)(nil)
)

// Filter is a compiled filter of rows. It is read-only; its mappers do the work.
type Filter struct {
	where   *pattern.Pattern // nil = all
	text    string           // of the expression
	onError string
	tables  []*table
}

// table is a table that is filtered.
type table struct {
	in, out    *pipeline.Table
	columns    []int                  // by path of the pattern
	expression *expression.Expression // nil = all
}

// New compiles a filter of rows for the tables that it reads. It returns all
// mistakes at once: a join of *spec.FieldError with paths that start at the node.
func New(_ string, cfg Config, inputs []*pipeline.Table) (*Filter, error) {
	f := &Filter{text: cfg.Expr, onError: cfg.OnError}
	where, mistakes := compileWhere(cfg, columns(inputs))
	f.where = where
	if cfg.Where.Value == nil && cfg.Expr == "" {
		mistakes = append(mistakes, &spec.FieldError{Message: "a filter needs where, a pattern, or expr, an expression"})
	}
	for _, in := range inputs {
		t, err := f.compile(cfg, in)
		f.tables = append(f.tables, t)
		mistakes = append(mistakes, err...)
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	return f, nil
}

// columns are those of the tables that a filter reads.
type columns []*pipeline.Table

var _ pattern.Columns = columns(nil)

// Condition implements pattern.Conditions.
func (c columns) Condition(string) (pattern.Condition, []*spec.FieldError) {
	return nil, []*spec.FieldError{{Message: "$expr is about items, and a filter of rows sees columns: write expr beside where, or all of the condition in it"}}
}

// Column implements pattern.Columns.
func (c columns) Column(path decode.Path) (types []pipeline.Type, mistakes []*spec.FieldError) {
	if strings.HasPrefix(path.String(), pattern.MetaPrefix) {
		return nil, []*spec.FieldError{{Message: "$meta is about changes, and rows have columns only: take it into a column first"}}
	}
	for _, t := range c {
		if i := t.Column(path[0].Name); i >= 0 && len(path) == 1 {
			types = append(types, t.Columns[i].Type)
		} else {
			mistakes = append(mistakes, noColumn(t, path))
		}
	}
	return types, mistakes
}

// noColumn says that a table does not have the column, and what may be meant.
func noColumn(t *pipeline.Table, path decode.Path) *spec.FieldError {
	name := path.String()
	if len(path) == 1 {
		name = path[0].Name
	}
	m := &spec.FieldError{Message: fmt.Sprintf("table %q has no column %q", t.Name, name)}
	switch {
	case len(path) > 1 && t.Column(name) >= 0:
		m.Message = fmt.Sprintf(`a name with a dot in it is written in quotes: '"%s"'`, name)
	case len(path) > 1 && t.Column(path[0].Name) >= 0:
		m.Message += fmt.Sprintf(": where tests columns as a whole; take %s into one of its own, or look into %s by expr", name, path[0].Name)
	default:
		m.Name, m.Known = name, widen.Names(t)
	}
	return m
}

// compileWhere compiles the pattern; nil = there is none. conditions are as in
// pattern.Compile.
func compileWhere(cfg Config, conditions pattern.Conditions) (*pattern.Pattern, []error) {
	if cfg.Where.Value == nil {
		return nil, nil
	}
	p, err := pattern.Compile(cfg.Where.Value, conditions)
	if err == nil {
		return p, nil
	}
	mistakes := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		mistakes = joined.Unwrap()
	}
	for _, m := range mistakes {
		var field *spec.FieldError
		if errors.As(m, &field) {
			field.Path = append([]string{"where"}, field.Path...)
		}
	}
	return nil, mistakes
}

func (f *Filter) compile(cfg Config, in *pipeline.Table) (t *table, mistakes []error) {
	t = &table{in: in}
	if f.where != nil {
		for _, path := range f.where.Paths() {
			t.columns = append(t.columns, in.Column(path[0].Name))
		}
	}
	if cfg.Expr != "" {
		e, wrong := expression.CompileIn(in.Name, cfg.Expr, in.Columns, pipeline.Type{Kind: pipeline.Bool}, "expr")
		for _, mistake := range wrong {
			mistakes = append(mistakes, mistake)
		}
		t.expression = e
	}
	layout, err := widen.New(in, nil, nil)
	if err != nil {
		return t, append(mistakes, err)
	}
	t.out = layout.Out
	return t, mistakes
}

// Tables implements pipeline.RowTransform.
func (f *Filter) Tables() []*pipeline.Table {
	all := make([]*pipeline.Table, len(f.tables))
	for i, t := range f.tables {
		all[i] = t.out
	}
	return all
}

// Drops implements pipeline.RowTransform.
func (f *Filter) Drops() bool { return true }

// DeadLetters implements pipeline.RowRejecter.
func (f *Filter) DeadLetters() bool {
	return f.text != "" && (f.onError == onErrorDeadLetter || f.onError == "")
}

// Explain implements pipeline.Explainer.
func (f *Filter) Explain() []string {
	what := "drops what does not match where"
	switch {
	case f.where == nil:
		what = "drops rows unless " + f.text
	case f.text != "":
		what += ", and rows unless " + f.text
	}
	return slices.Repeat([]string{what}, len(f.tables))
}
