package star

import (
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// definitions says, by table, what the rows and keys of the state are of: all of the
// definition but attributes and measures, in no order of the pipeline file.
func (s *Star) definitions() map[string]string {
	all := map[string]string{}
	for _, d := range s.dimensions {
		all[d.name] = d.definition
	}
	for _, f := range s.facts {
		all[f.name] = f.definition
	}
	return all
}

func describeDimension(cfg *DimensionConfig, out *pipeline.Table) string {
	if cfg.Calendar != nil {
		return fmt.Sprintf("calendar from %s to %s, fiscal year from %s, columns %s",
			cfg.Calendar.From, cfg.Calendar.To, cfg.Calendar.FiscalYearStarts, describeColumns(out.Columns))
	}
	return fmt.Sprintf("from %s, natural key %s, %s keys in %s, on_delete %s",
		cfg.From, describeColumns(out.Columns[1:1+len(cfg.NaturalKey)]), cfg.Keys, cfg.SurrogateKey, cfg.OnDelete)
}

func describeColumns(columns []pipeline.Column) string {
	texts := make([]string, len(columns))
	for i, c := range columns {
		texts[i] = c.Name + " " + c.Type.String()
	}
	return "(" + strings.Join(texts, ", ") + ")"
}

// describeFact leaves the measures out.
func describeFact(cfg *FactConfig, base *pipeline.Table) string {
	var parts []string
	for _, l := range cfg.Lookups {
		parts = append(parts, fmt.Sprintf("; lookup %s: %s on %s", l.Name, l.Value.Table, describeOn(l.Value.On)))
	}
	for _, d := range cfg.Dimensions {
		parts = append(parts, fmt.Sprintf("; %s: %s on %s%s", d.Name, d.Value.Dimension, d.Value.On.Date, describeOn(d.Value.On.NaturalKey)))
	}
	slices.Sort(parts)
	var grain []pipeline.Column
	for _, g := range cfg.Grain {
		grain = append(grain, base.Columns[base.Column(g)])
	}
	return fmt.Sprintf("from %s, grain %s, merge %s, on_delete %s%s", cfg.From, describeColumns(grain), cfg.Merge, cfg.OnDelete, strings.Join(parts, ""))
}

func describeOn(on spec.Map[string]) string {
	texts := make([]string, len(on))
	for i, e := range on {
		texts[i] = e.Name + "=" + e.Value
	}
	slices.Sort(texts)
	return "(" + strings.Join(texts, ", ") + ")"
}

// describeMeasures says how measures are made.
func describeMeasures(cfg *FactConfig, out *pipeline.Table) string {
	var parts []string
	for _, m := range cfg.Measures {
		t := out.Columns[out.Column(m.Name)].Type
		parts = append(parts, fmt.Sprintf("%s %s: %s%s%s", m.Name, t, m.Value.Column, m.Value.Expression.Expr, m.Value.Expression.OnError))
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}
