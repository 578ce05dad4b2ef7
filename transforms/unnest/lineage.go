package unnest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pattern"
)

var _ pipeline.LineageReporter = (*Unnest)(nil)

// Lineage implements pipeline.LineageReporter.
func (u *Unnest) Lineage(of *pipeline.Table) pipeline.TableLineage {
	for _, t := range u.tables {
		if t.out == of {
			return t.lineage()
		}
	}
	return pipeline.TableLineage{}
}

func (t *table) lineage() pipeline.TableLineage {
	rows := pipeline.RowLineage{}
	if t.where != nil {
		rows.Where = t.where.String()
		for _, name := range t.where.Fields() {
			rows.Inputs = append(rows.Inputs, pipeline.LineageInput{Kind: pipeline.LineageFilter, Attribute: name})
		}
	}
	for level := range t.explode {
		for _, list := range t.listPaths(level) {
			rows.Inputs = append(rows.Inputs, pipeline.LineageInput{Kind: pipeline.LineageFilter, Attribute: attributeText(list)})
		}
	}
	l := pipeline.TableLineage{}
	for i := range t.columns {
		c := t.columnLineage(&t.columns[i])
		l.Columns = append(l.Columns, c)
		if t.columns[i].onError == onErrorDropRow {
			rows.Inputs = append(rows.Inputs, filters(c.Inputs)...)
		}
	}
	l.Rows = []pipeline.RowLineage{rows}
	return l
}

// filters returns what a value is made of, of one that decides whether its row is there.
func filters(inputs []pipeline.LineageInput) []pipeline.LineageInput {
	all := slices.Clone(inputs)
	for i := range all {
		all[i].Kind = pipeline.LineageFilter
	}
	return all
}

func (t *table) columnLineage(c *column) pipeline.ColumnLineage {
	switch c.source.origin {
	case fromDeleted:
		return pipeline.ColumnLineage{How: "whether no item yields the row any longer", Generated: true}
	case fromDeletedAt:
		return pipeline.ColumnLineage{How: "when it was that no item yielded the row any longer", Generated: true}
	}
	l := pipeline.ColumnLineage{}
	if c.shape == computed {
		l.How = c.expr.String()
		for i, number := range c.expr.Variables() {
			l.Inputs = append(l.Inputs, t.inputs(&c.variables[number].source, c.expr.Name(i))...)
		}
		return l
	}
	l.How = c.shapeText()
	if c.source.rest {
		l.How = t.takenText()
	}
	switch l.Inputs = t.inputs(&c.source, ""); c.source.origin {
	case fromOrdinal:
		l.How, l.Generated = "the number of the element in the list, from 1", true
	case fromKey:
		l.How = strings.TrimSpace("key of the member " + l.How)
	}
	return l
}

// takenText says what a column that has the rest of the item is without; empty = it has all.
func (t *table) takenText() string {
	var names []string
	for _, path := range t.taken {
		names = append(names, path.String())
	}
	if slices.Sort(names); len(names) == 0 {
		return ""
	}
	return "without " + strings.Join(slices.Compact(names), ", ")
}

// shapeText says, as the pipeline file does, which piece of the text a column takes; empty = all of it.
func (c *column) shapeText() string {
	switch c.shape {
	case after:
		return "after " + strconv.Quote(string(c.cut))
	case split:
		return fmt.Sprintf("split %q, part %d", c.cut, c.part)
	case extract:
		return "extract " + strconv.Quote(c.re.String())
	default:
		return ""
	}
}

// inputs lists the attributes that a source, or one of those that are next, may have its value of.
func (t *table) inputs(s *source, name string) (all []pipeline.LineageInput) {
	for _, one := range append([]source{*s}, s.others...) {
		for _, attribute := range t.attributes(&one) {
			in := pipeline.LineageInput{Kind: pipeline.LineageValue, Attribute: attribute}
			if name != attribute {
				in.Name = name
			}
			all = append(all, in)
		}
	}
	return all
}

// attributes returns the names of where a source has its value.
func (t *table) attributes(s *source) (all []string) {
	paths := t.sourcePaths(s)
	if s.origin == fromOrdinal {
		paths = t.listPaths(s.level)
	}
	for _, path := range paths {
		switch {
		case s.rest:
			all = append(all, restName)
		case len(path) == 0:
			all = append(all, itemName)
		default:
			all = append(all, attributeText(path))
		}
	}
	for name, origin := range metaOrigins {
		if origin == s.origin {
			all = append(all, pattern.MetaPrefix+name)
		}
	}
	return all
}

// attributeText returns a path with [*] for all elements of a list, or members of a map.
func attributeText(path decode.Path) string {
	text, from := "", 0
	for i, e := range path {
		if e.Every {
			text, from = joined(text, path[from:i])+"[*]", i+1
		}
	}
	return joined(text, path[from:])
}

// joined returns the text of a path behind that of another one.
func joined(text string, path decode.Path) string {
	if text == "" || len(path) == 0 || path[0].IsIndex {
		return text + path.String()
	}
	return text + "." + path.String()
}
