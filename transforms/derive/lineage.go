package derive

import "github.com/starlift-etl/starlift/pipeline"

var _ pipeline.LineageReporter = (*Derive)(nil)

// Lineage implements pipeline.LineageReporter.
func (d *Derive) Lineage(of *pipeline.Table) pipeline.TableLineage {
	for _, t := range d.tables {
		if t.layout.Out == of {
			return t.lineage()
		}
	}
	return pipeline.TableLineage{}
}

func (t *table) lineage() pipeline.TableLineage {
	in, out := t.layout.In, t.layout.Out
	at := func(number int) (*pipeline.Table, int) {
		if number < len(in.Columns) {
			return in, number
		}
		return out, out.Column(t.columns[number-len(in.Columns)].Name)
	}
	var added []pipeline.ColumnLineage
	for _, c := range t.columns {
		added = append(added, pipeline.ColumnLineage{How: c.expression.String(), Inputs: c.expression.Lineage(pipeline.LineageValue, at)})
	}
	return t.layout.Lineage(added)
}
