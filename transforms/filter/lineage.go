package filter

import "github.com/starlift-etl/starlift/pipeline"

var (
	_ pipeline.LineageReporter       = (*Filter)(nil)
	_ pipeline.FilterLineageReporter = (*Changes)(nil)
)

// Lineage implements pipeline.LineageReporter.
func (f *Filter) Lineage(of *pipeline.Table) pipeline.TableLineage {
	for _, t := range f.tables {
		if t.out == of {
			return f.lineage(t)
		}
	}
	return pipeline.TableLineage{}
}

func (f *Filter) lineage(t *table) pipeline.TableLineage {
	rows := pipeline.RowLineage{Table: t.in}
	if f.where != nil {
		rows.Where = f.where.String()
		for _, c := range t.columns {
			rows.Inputs = append(rows.Inputs, pipeline.LineageInput{Kind: pipeline.LineageFilter, Table: t.in, Column: c})
		}
	}
	if t.expression != nil {
		if rows.Where == "" {
			rows.Where = f.text
		} else {
			rows.Where += " and (" + f.text + ")"
		}
		rows.Inputs = append(rows.Inputs, t.expression.Lineage(pipeline.LineageFilter, func(number int) (*pipeline.Table, int) { return t.in, number })...)
	}
	l := pipeline.TableLineage{Rows: []pipeline.RowLineage{rows}}
	for c := range t.out.Columns {
		l.Columns = append(l.Columns, pipeline.ColumnLineage{Inputs: []pipeline.LineageInput{{Kind: pipeline.LineageValue, Table: t.in, Column: c}}})
	}
	return l
}

// FilterLineage implements pipeline.FilterLineageReporter.
func (c *Changes) FilterLineage() pipeline.RowLineage {
	l := pipeline.RowLineage{Where: c.where.String()}
	for _, name := range c.where.Fields() {
		l.Inputs = append(l.Inputs, pipeline.LineageInput{Kind: pipeline.LineageFilter, Attribute: name})
	}
	return l
}
