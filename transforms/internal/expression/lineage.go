package expression

import "github.com/starlift-etl/starlift/pipeline"

// Lineage returns what an expression over columns is made of; at returns the column that a
// number of Uses stands for, in a table.
func (e *Expression) Lineage(kind pipeline.LineageKind, at func(number int) (*pipeline.Table, int)) []pipeline.LineageInput {
	var all []pipeline.LineageInput
	for i, number := range e.numbers {
		in := pipeline.LineageInput{Kind: kind}
		in.Table, in.Column = at(number)
		if name := e.names[i]; in.Table.Columns[in.Column].Name != name {
			in.Name = name
		}
		all = append(all, in)
	}
	return all
}
