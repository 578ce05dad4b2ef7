package star

import (
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

// definitions says, by table, what the state depends on of each definition.
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
	return fmt.Sprintf("from %s, natural key %v, %s keys, on_delete %s, columns %s",
		cfg.From, cfg.NaturalKey, cfg.Keys, cfg.OnDelete, describeColumns(out.Columns))
}

func describeColumns(columns []pipeline.Column) string {
	texts := make([]string, len(columns))
	for i, c := range columns {
		texts[i] = c.Name + " " + c.Type.String()
	}
	return "(" + strings.Join(texts, ", ") + ")"
}

func describeFact(cfg *FactConfig, out *pipeline.Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "from %s, merge %s, on_delete %s, columns %s", cfg.From, cfg.Merge, cfg.OnDelete, describeColumns(out.Columns))
	for _, l := range cfg.Lookups {
		fmt.Fprintf(&b, "; lookup %s: %s on %v", l.Name, l.Value.Table, l.Value.On)
	}
	for _, d := range cfg.Dimensions {
		fmt.Fprintf(&b, "; %s: %s on %s%v", d.Name, d.Value.Dimension, d.Value.On.Date, d.Value.On.NaturalKey)
	}
	for _, m := range cfg.Measures {
		fmt.Fprintf(&b, "; %s: %s%s", m.Name, m.Value.Column, m.Value.Expression.Expr)
	}
	return b.String()
}
