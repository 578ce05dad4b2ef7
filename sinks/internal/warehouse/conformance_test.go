package warehouse_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/conformance"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// target is a toy as the cases see it.
type target struct {
	toy
	gather warehouse.Gather
}

var _ conformance.Database = (*target)(nil)

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Target{Open: func(testing.TB) conformance.Database { return &target{} }})
}

func TestGathered(t *testing.T) {
	conformance.RunGathered(t, "50", func(_ testing.TB, g warehouse.Gather) conformance.Database { return &target{gather: g} })
}

func (d *target) New(name string, f *conformance.Faults) (pipeline.Sink, error) {
	d.faults = f
	return warehouse.New(warehouse.Config{Name: name, Schema: d.Schema(), Dialect: toyDialect, Database: &d.toy, Validate: warehouse.CheckUTF8, NewWriter: newToyWriter, Gather: d.gather}), nil
}

func (d *target) Schema() string { return "toy" }

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func (d *target) Rows(t testing.TB, table *pipeline.Table) []string {
	t.Helper()
	d.sort(table.Name, warehouse.KeyOf(table))
	columns := make([]string, len(table.Columns))
	for i, c := range table.Columns {
		columns[i] = c.Name
	}
	return d.texts(table.Name, columns)
}

func (d *target) Select(t testing.TB, table string, columns ...string) []string {
	t.Helper()
	d.sort(table, columns)
	return d.texts(table, columns)
}

// sort orders a table's rows by columns: numbers before texts.
func (d *target) sort(table string, columns []string) {
	if d.tables[table] == nil {
		return
	}
	slices.SortStableFunc(d.tables[table].Rows, func(a, b row) int {
		for _, c := range columns {
			x, xErr := strconv.Atoi(a[c])
			y, yErr := strconv.Atoi(b[c])
			order := strings.Compare(a[c], b[c])
			if xErr == nil && yErr == nil {
				order = x - y
			}
			if order != 0 {
				return order
			}
		}
		return 0
	})
}

func (d *target) texts(table string, columns []string) (all []string) {
	if d.tables[table] == nil {
		return nil
	}
	for _, r := range d.tables[table].Rows {
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = "null"
			if text, ok := r[c]; ok {
				cells[i] = text
			}
		}
		all = append(all, strings.Join(cells, "|"))
	}
	return all
}

func (d *target) Catalogue(testing.TB) (all []string) {
	for name, table := range d.tables {
		for _, c := range table.Columns {
			all = append(all, name+"|"+c.Name)
		}
	}
	if d.tables != nil {
		all = append(all, d.Schema())
	}
	slices.Sort(all)
	return all
}

func (d *target) Update(_ testing.TB, table, column, value string) {
	for _, r := range d.tables[table].Rows {
		r[column] = value
	}
}

func (d *target) Delete(_ testing.TB, table, column string, value int64) {
	d.tables[table].Rows = slices.DeleteFunc(d.tables[table].Rows, func(r row) bool { return r[column] == fmt.Sprint(value) })
}

func (d *target) DeleteAll(_ testing.TB, table string) { d.tables[table].Rows = nil }

func (d *target) AddColumn(_ testing.TB, table, column string) {
	d.tables[table].Columns = append(d.tables[table].Columns, pipelinetest.Column(column, pipeline.String))
}

func (d *target) DropTable(_ testing.TB, table string) { delete(d.tables, table) }

func (d *target) DropSchema(testing.TB) { d.tables = nil }
