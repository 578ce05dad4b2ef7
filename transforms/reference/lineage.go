package reference

import (
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
)

var _ pipeline.LineageReporter = (*Join)(nil)

// Lineage implements pipeline.LineageReporter.
func (j *Join) Lineage(of *pipeline.Table) pipeline.TableLineage {
	for _, t := range j.tables {
		if t.Out == of {
			return j.lineage(t)
		}
	}
	return pipeline.TableLineage{}
}

func (j *Join) lineage(t *table) pipeline.TableLineage {
	on := func(kind pipeline.LineageKind) (all []pipeline.LineageInput) {
		for i, c := range t.key {
			all = append(all, pipeline.LineageInput{Kind: kind, Name: j.layout.columns[i].Name + " = " + t.In.Columns[c].Name, Table: t.In, Column: c})
		}
		return all
	}
	var added []pipeline.ColumnLineage
	for _, c := range j.columns {
		value := pipeline.LineageInput{Kind: pipeline.LineageValue, Reference: j.layout.columns[c].Name}
		added = append(added, pipeline.ColumnLineage{Inputs: append([]pipeline.LineageInput{value}, on(pipeline.LineageJoin)...)})
	}
	if j.stamp {
		added = append(added, pipeline.ColumnLineage{How: fmt.Sprintf("which version of the reference the row was joined to (%s)", j.describe), Generated: true})
	}
	l := t.Lineage(added)
	if j.inner {
		l.Rows[0].Where = "a row of the reference matches"
		l.Rows[0].Inputs = on(pipeline.LineageFilter)
	}
	return l
}
