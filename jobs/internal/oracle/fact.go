package oracle

import (
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/transforms/star"
)

// fact returns the rows of a fact, and adds the members it refers to, with
// their natural keys, to used.
func (m *Model) fact(f *star.FactConfig, logs map[string]*log, used map[string]Rows) Rows {
	lookups := map[string]Rows{}
	for _, l := range f.Lookups {
		lookups[l.Value.Table] = logs[l.Value.Table].settled(policy{})
	}
	rows := Rows{}
	for _, base := range logs[f.From].settled(policy{merge: f.Merge, onDelete: f.OnDelete}) {
		values := base.with(nil)
		for _, l := range f.Lookups {
			for c, v := range lookUp(values, l.Value.On, logs[l.Value.Table].table.Key, lookups[l.Value.Table]) {
				values[l.Name+"."+c] = v
			}
		}
		row := values.only(f.Grain)
		for _, d := range f.Dimensions {
			row[d.Name] = m.member(&d.Value, values, used)
		}
		for _, measure := range f.Measures {
			if v, ok := m.measure(&measure.Value, values); ok {
				row[measure.Name] = v
			}
		}
		if f.OnDelete == flag {
			row = row.with(values.only([]string{"is_deleted", "deleted_at"}))
		}
		key, _ := row.keyOf(f.Grain)
		rows[key] = row
	}
	return rows
}

// lookUp returns the row with the key that on gives; nil = it is not there.
func lookUp(values Row, on spec.Map[string], key []string, rows Rows) Row {
	wanted := Row{}
	for _, e := range on {
		if v, ok := values[e.Value]; ok {
			wanted[e.Name] = v
		}
	}
	if k, ok := wanted.keyOf(key); ok {
		return rows[k]
	}
	return nil
}

// member returns the natural key of the member that a fact refers to.
func (m *Model) member(c *star.MemberConfig, values Row, used map[string]Rows) string {
	d, _ := m.Star.Dimensions.Get(c.Dimension)
	if d.Calendar != nil {
		date := values[c.On.Date]
		if date == "" || date[:10] < d.Calendar.From || date[:10] > d.Calendar.To {
			return Unknown
		}
		return date[:10]
	}
	natural := Row{}
	for _, e := range c.On.NaturalKey {
		if v, ok := values[e.Value]; ok {
			natural[e.Name] = v
		}
	}
	nk, ok := natural.keyOf(d.NaturalKey)
	if !ok {
		return Unknown
	}
	used[c.Dimension][nk] = natural
	return nk
}

func (m *Model) measure(c *star.MeasureConfig, values Row) (string, bool) {
	if c.Expression.Expr == "" {
		v, ok := values[c.Column]
		return v, ok
	}
	compute := m.expressions[c.Expression.Expr]
	if compute == nil {
		panic(fmt.Sprintf("the model does not know what %q computes", strings.TrimSpace(c.Expression.Expr)))
	}
	return compute(values)
}
