package unnest

import (
	"fmt"
	"strconv"

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
	if t.explode != nil {
		for _, list := range t.explode.lists {
			rows.Inputs = append(rows.Inputs, pipeline.LineageInput{Kind: pipeline.LineageFilter, Attribute: t.item[list].String()})
		}
	}
	l := pipeline.TableLineage{Rows: []pipeline.RowLineage{rows}}
	for i := range t.columns {
		l.Columns = append(l.Columns, t.columnLineage(&t.columns[i]))
	}
	return l
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
	if l.Inputs = t.inputs(&c.source, ""); c.source.origin == fromOrdinal {
		l.How, l.Generated = "the number of the element in the list, from 1", true
	}
	return l
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
	switch s.origin {
	case fromItem:
		return []string{t.item[s.slot].String()}
	case fromElement, fromOrdinal:
		for _, list := range t.explode.lists {
			text := t.item[list].String()
			if s.origin == fromElement {
				text = below(text+"[*]", t.element[s.slot])
			}
			all = append(all, text)
		}
		return all
	}
	for name, origin := range metaOrigins {
		if origin == s.origin {
			return []string{pattern.MetaPrefix + name}
		}
	}
	return nil
}

// below returns the name of a path in what a text leads to.
func below(text string, path decode.Path) string {
	switch {
	case len(path) == 0:
		return text
	case path[0].IsIndex:
		return text + path.String()
	default:
		return text + "." + path.String()
	}
}
