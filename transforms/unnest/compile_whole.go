package unnest

import (
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
)

// whole checks a column that has the item, or the rest of it. Others take their value out of
// the rest, unless only an expression looks at it.
func (c *compiler) whole(out *column) {
	if !c.scope.isWhole(&out.source) {
		out.takes = out.takes || out.shape != computed
		return
	}
	out.takes = false
	name := itemName
	if out.source.rest {
		name = restName
	}
	switch {
	case out.shape == computed && out.source.rest:
		c.mistake(fmt.Sprintf("%s is taken whole, without expr", restName), "columns", out.name, "expr")
	case out.shape != computed && out.typ.Kind != pipeline.JSONText:
		c.mistake(fmt.Sprintf("%s is a document, and gives json only: leave type out", name), "columns", out.name, "type")
	}
}

// setRest finds what is left for the columns that have the rest: what the others' from, and
// the explode's, do not lead to.
func (t *table) setRest() {
	isRest := func(c column) bool { return c.source.rest }
	if !slices.ContainsFunc(t.columns, isRest) {
		return
	}
	var taken []decode.Path
	take := func(s source) {
		for _, s := range append([]source{s}, s.others...) {
			if s.origin == fromItem {
				taken = append(taken, t.item[s.slot])
			}
		}
	}
	for i := range t.columns {
		if t.columns[i].takes {
			take(t.columns[i].source)
		}
	}
	for i := range t.explode {
		for _, list := range t.explode[i].lists {
			take(list)
		}
	}
	rest := decode.NewRest(taken)
	t.taken = rest.Taken()
	for i := range t.columns {
		if isRest(t.columns[i]) {
			t.columns[i].rest = rest
		}
	}
}
