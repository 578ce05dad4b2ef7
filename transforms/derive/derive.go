package derive

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/scalar"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/transforms/internal/expression"
	"github.com/starlift-etl/starlift/transforms/internal/widen"
)

// Config is a derive node of a pipeline file.
type Config struct {
	Columns spec.Map[ColumnConfig] `yaml:"columns" required:"true" change:"content" desc:"The columns to add, by name. An expression may use the columns above it."`
}

// ColumnConfig is one column.
type ColumnConfig struct {
	Expr    string `yaml:"expr" required:"true" change:"content" desc:"An expression (docs/expressions.md) over the columns of the row. Numbers are exact; the result is rounded to the type's scale, half away from zero. It is null where a column that it uses is null, unless ?? gives another value."`
	Type    string `yaml:"type" required:"true" change:"identity" desc:"The column's type: string, bool, int32, int64, double, decimal(p,s), date, time, timestamp, timestamptz, uuid, varchar(n), char(n) or list(T)."`
	OnError string `yaml:"on_error" default:"dead_letter" enum:"dead_letter,null,fail" change:"content" desc:"What becomes of a result that does not fit the type, that a sink cannot store, or that can't be computed, as a division by zero: the whole change is a dead letter, the value is null, or the run ends."`
}

var (
	_ pipeline.RowTransform = (*Derive)(nil)
	_ pipeline.RowMapper    = (*rowMapper)(nil)
)

// Derive is a compiled derive node. It is read-only; its mappers do the work.
type Derive struct {
	tables []*table
}

// table is a table with the columns that it gets.
type table struct {
	layout  *widen.Layout
	columns []column
}

type column struct {
	pipeline.Column
	expression *expression.Expression
	onError    string
}

// New compiles a node for the tables that it reads. It returns all mistakes at
// once: a join of *spec.FieldError with paths that start at the node.
func New(_ string, cfg Config, inputs []*pipeline.Table) (*Derive, error) {
	d := &Derive{}
	var mistakes []error
	if len(cfg.Columns) == 0 {
		mistakes = append(mistakes, &spec.FieldError{Path: []string{"columns"}, Message: "a derive needs at least one column"})
	}
	for i, in := range inputs {
		t, err := compile(cfg, in, i == 0)
		if err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		d.tables = append(d.tables, t)
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	return d, nil
}

// compile compiles the columns for one table. Mistakes that do not depend on the table are
// reported for the first one only.
func compile(cfg Config, in *pipeline.Table, first bool) (*table, error) {
	t := &table{}
	var mistakes []error
	known := slices.Clone(in.Columns)
	var added []widen.AddedColumn
	for i := range cfg.Columns {
		e := &cfg.Columns[i]
		path := []string{"columns", e.Name}
		typ, mistake := scalar.ParseType(e.Value.Type, append(path, "type")...)
		if mistake != nil {
			if first {
				mistakes = append(mistakes, mistake)
			}
			continue
		}
		x, wrong := expression.CompileIn(in.Name, e.Value.Expr, known, typ, "columns", e.Name, "expr")
		for _, mistake := range wrong {
			mistakes = append(mistakes, mistake)
		}
		c := pipeline.Column{Name: e.Name, Type: typ, Masked: x != nil && x.Hidden(), OnError: pipeline.OnErrorByName[e.Value.OnError]}
		known = append(known, c)
		added = append(added, widen.AddedColumn{Column: c, Path: path})
		t.columns = append(t.columns, column{c, x, e.Value.OnError})
	}
	var err error
	if t.layout, err = widen.New(in, added, nil); err != nil {
		mistakes = append(mistakes, err)
	}
	return t, errors.Join(mistakes...)
}

// Tables implements pipeline.RowTransform.
func (d *Derive) Tables() []*pipeline.Table {
	all := make([]*pipeline.Table, len(d.tables))
	for i, t := range d.tables {
		all[i] = t.layout.Out
	}
	return all
}

// Drops implements pipeline.RowTransform.
func (d *Derive) Drops() bool { return false }

// DeadLetters implements pipeline.RowRejecter.
func (d *Derive) DeadLetters() bool {
	return slices.ContainsFunc(d.tables, func(t *table) bool {
		return slices.ContainsFunc(t.columns, func(c column) bool { return c.onError == onErrorDeadLetter || c.onError == "" })
	})
}

// Explain implements pipeline.Explainer.
func (d *Derive) Explain() []string {
	all := make([]string, len(d.tables))
	for i, t := range d.tables {
		var names []string
		for _, c := range t.columns {
			names = append(names, fmt.Sprintf("%s (%s) = %s", c.Name, c.Type, c.expression))
		}
		all[i] = "computes " + strings.Join(names, ", ")
	}
	return all
}
