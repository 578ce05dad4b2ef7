package plan

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
)

// Lineage says what columns, and the rows of their tables, are made of. Columns are there with
// all that they are made of, and tables with all that their rows are made of.
type Lineage struct {
	Columns []columnLineage `json:"columns"`
	Rows    []rowLineage    `json:"rows"`

	asked   []columnName // of those, for people
	columns map[columnName]*columnLineage
	rows    map[tableName]*rowLineage
	leaves  map[columnName]map[pipeline.LineageKind][]lineageLeaf // by which kind of input they are reached
}

type tableName struct {
	Node  string `json:"node"`
	Table string `json:"table"`
}

func (t tableName) String() string { return t.Node + "." + t.Table }

type columnName struct {
	tableName
	Column string `json:"column"`
}

func (c columnName) String() string { return c.tableName.String() + "." + c.Column }

// columnLineage says how a column is made.
type columnLineage struct {
	columnName
	Type      string         `json:"type"`
	Masked    bool           `json:"masked,omitempty"` // messages do not show its values
	How       string         `json:"how,omitempty"`
	Generated bool           `json:"generated,omitempty"` // made by starlift, as How says
	Inputs    []lineageInput `json:"inputs"`
	// Values and Joins are where all of it ends: what its values are made of, and what else
	// finds the rows, of lookups and references, that they are taken of.
	Values []lineageLeaf `json:"values"`
	Joins  []lineageLeaf `json:"joins"`
}

// lineageInput is a column of a table, or a leaf.
type lineageInput struct {
	Kind   string       `json:"kind"` // value or join
	Name   string       `json:"name,omitempty"`
	Column *columnName  `json:"column,omitempty"`
	Leaf   *lineageLeaf `json:"leaf,omitempty"`
}

// lineageLeaf is where lineage ends: of a table, one of an attribute of the items that it takes, a
// column of the reference that it is joined to, what starlift makes there, and a constant.
type lineageLeaf struct {
	tableName
	Attribute string `json:"attribute,omitempty"`
	Reference string `json:"reference,omitempty"`
	Generated string `json:"generated,omitempty"`
	Constant  string `json:"constant,omitempty"`
}

// rowLineage says which rows a table has.
type rowLineage struct {
	tableName
	From []rowOrigin `json:"from"` // none = they are made by starlift
	// Filters is where all that decides on the rows ends.
	Filters []lineageLeaf `json:"filters"`
}

// rowOrigin is one input that rows are of: items of sources, or a table.
type rowOrigin struct {
	Sources []sourceOrigin `json:"sources,omitempty"`
	Table   *tableName     `json:"table,omitempty"`
	Where   string         `json:"where,omitempty"`

	inputs []lineageInput
}

// sourceOrigin is a source whose changes come through filters.
type sourceOrigin struct {
	Source  string   `json:"source"`
	Deletes string   `json:"deletes,omitempty"` // which of its records are deletes, where an attribute says it
	Filters []string `json:"filters,omitempty"`

	inputs []lineageInput
}

// newLineage asks the nodes of a pipeline what all of their columns are made of. redact takes
// secrets out of what the pipeline file says.
func newLineage(n *graph.Nodes, redact func(string) string) *Lineage {
	l := &Lineage{columns: map[columnName]*columnLineage{}, rows: map[tableName]*rowLineage{}, leaves: map[columnName]map[pipeline.LineageKind][]lineageLeaf{}}
	r := lineageReader{n, redact}
	for _, o := range n.Outputs() {
		from, ok := n.Lineage(o)
		if !ok {
			continue
		}
		l.Rows = append(l.Rows, r.rows(o, from.Rows))
		for i, c := range o.Table.Columns {
			l.Columns = append(l.Columns, columnLineage{
				columnName: nameOf(o, i), Type: c.Type.String(), Masked: c.Masked, How: redact(from.Columns[i].How), Generated: from.Columns[i].Generated,
				Inputs: r.inputs(o, from.Columns[i].Inputs),
			})
		}
	}
	l.index()
	for i := range l.Columns {
		c := &l.Columns[i]
		c.Values = l.leavesOf(c.columnName, pipeline.LineageValue)
		c.Joins = without(l.leavesOf(c.columnName, pipeline.LineageJoin), c.Values)
	}
	for i := range l.Rows {
		l.Rows[i].Filters = l.filters(&l.Rows[i])
	}
	return l
}

func nameOf(o graph.Output, column int) columnName {
	return columnName{tableName{o.Node, o.Table.Name}, o.Table.Columns[column].Name}
}

func (l *Lineage) index() {
	for i := range l.Columns {
		l.columns[l.Columns[i].columnName] = &l.Columns[i]
	}
	for i := range l.Rows {
		l.rows[l.Rows[i].tableName] = &l.Rows[i]
	}
}

// lineageReader reads what nodes say.
type lineageReader struct {
	nodes  *graph.Nodes
	redact func(string) string
}

func (r lineageReader) inputs(of graph.Output, inputs []pipeline.LineageInput) []lineageInput {
	all := []lineageInput{}
	for _, in := range inputs {
		shown := lineageInput{Kind: string(in.Kind), Name: r.redact(in.Name)}
		if in.Table != nil {
			name := nameOf(r.nodes.OutputOf(of.Node, in.Table), in.Column)
			shown.Column = &name
		} else {
			shown.Leaf = &lineageLeaf{tableName: tableName{of.Node, of.Table.Name}, Attribute: in.Attribute, Reference: in.Reference}
		}
		all = append(all, shown)
	}
	return all
}

func (r lineageReader) rows(o graph.Output, from []pipeline.RowLineage) rowLineage {
	l := rowLineage{tableName: tableName{o.Node, o.Table.Name}, From: []rowOrigin{}}
	for _, f := range from {
		origin := rowOrigin{Where: r.redact(f.Where), inputs: r.inputs(o, f.Inputs)}
		if f.Table != nil {
			in := r.nodes.OutputOf(o.Node, f.Table)
			origin.Table = &tableName{in.Node, in.Table.Name}
		} else {
			origin.Sources = r.sources(o)
		}
		l.From = append(l.From, origin)
	}
	return l
}

// sources lists those of the items of a table.
func (r lineageReader) sources(of graph.Output) (all []sourceOrigin) {
	for i := range r.nodes.Changes {
		n := &r.nodes.Changes[i]
		if n.Name != of.Node {
			continue
		}
		for _, s := range r.nodes.SourceLineages(n) {
			origin := sourceOrigin{Source: s.Source, Deletes: r.redact(s.Deletes)}
			origin.inputs = r.inputs(of, s.Inputs)
			for _, f := range s.Filters {
				origin.Filters = append(origin.Filters, r.redact(f.Where))
				origin.inputs = append(origin.inputs, r.inputs(of, f.Inputs)...)
			}
			all = append(all, origin)
		}
	}
	return all
}

// leavesOf returns where a column's lineage ends: by values alone, or by joins on the way.
func (l *Lineage) leavesOf(c columnName, kind pipeline.LineageKind) []lineageLeaf {
	if known, ok := l.leaves[c]; ok {
		return known[kind]
	}
	all := map[pipeline.LineageKind][]lineageLeaf{pipeline.LineageValue: {}, pipeline.LineageJoin: {}}
	l.leaves[c] = all
	if column := l.columns[c]; column != nil {
		switch {
		case column.Generated:
			all[pipeline.LineageValue] = []lineageLeaf{{tableName: c.tableName, Generated: column.How}}
		case len(column.Inputs) == 0:
			all[pipeline.LineageValue] = []lineageLeaf{{tableName: c.tableName, Constant: column.How}}
		}
		for _, in := range column.Inputs {
			for _, of := range []pipeline.LineageKind{pipeline.LineageValue, pipeline.LineageJoin} {
				to := of
				if in.Kind == string(pipeline.LineageJoin) {
					to = pipeline.LineageJoin
				}
				all[to] = union(all[to], l.inputLeaves(in, of))
			}
		}
	}
	return all[kind]
}

// inputLeaves returns where the lineage of an input ends.
func (l *Lineage) inputLeaves(in lineageInput, kind pipeline.LineageKind) []lineageLeaf {
	switch {
	case in.Column != nil:
		return l.leavesOf(*in.Column, kind)
	case kind == pipeline.LineageValue:
		return []lineageLeaf{*in.Leaf}
	default:
		return nil
	}
}

// filters returns where all ends that decides on the rows of a table, with those of the tables
// that they are of.
func (l *Lineage) filters(r *rowLineage) []lineageLeaf {
	all := []lineageLeaf{}
	for _, of := range l.tablesBehind([]tableName{r.tableName}, false) {
		rows := l.rows[of]
		for _, from := range rows.From {
			inputs := slices.Clone(from.inputs)
			for _, s := range from.Sources {
				inputs = append(inputs, s.inputs...)
			}
			for _, in := range inputs {
				all = union(all, l.inputLeaves(in, pipeline.LineageValue))
				all = union(all, l.inputLeaves(in, pipeline.LineageJoin))
			}
		}
	}
	return all
}

// tablesBehind returns tables with those that their rows are of and, if columns are asked for,
// those that their columns are made of.
func (l *Lineage) tablesBehind(tables []tableName, columns bool) (all []tableName) {
	for len(tables) > 0 {
		t := tables[0]
		tables = tables[1:]
		if slices.Contains(all, t) || l.rows[t] == nil {
			continue
		}
		all = append(all, t)
		for _, from := range l.rows[t].From {
			if from.Table != nil {
				tables = append(tables, *from.Table)
			}
		}
		if columns {
			tables = append(tables, l.tablesOfColumns(t)...)
		}
	}
	return all
}

// tablesOfColumns returns the tables that columns of a table are made of.
func (l *Lineage) tablesOfColumns(t tableName) (all []tableName) {
	for i := range l.Columns {
		if c := &l.Columns[i]; c.tableName == t {
			for _, in := range c.Inputs {
				if in.Column != nil {
					all = append(all, in.Column.tableName)
				}
			}
		}
	}
	return all
}

func union(all, more []lineageLeaf) []lineageLeaf {
	for _, leaf := range more {
		if !slices.Contains(all, leaf) {
			all = append(all, leaf)
		}
	}
	return all
}

func without(all, those []lineageLeaf) []lineageLeaf {
	return slices.DeleteFunc(slices.Clone(all), func(leaf lineageLeaf) bool { return slices.Contains(those, leaf) })
}
