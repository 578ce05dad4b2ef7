package jobs

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/plan"
)

// traced has every way in which a column may be made of others.
const traced = `
name: traced
state: {dir: %[1]s/state}
dead_letters: {url: %[1]s/letters, max_ratio: 1}
sources: {records: {type: file, path: %[1]s/records.ndjson, format: json, key: [id]}}
transforms:
  items:
    type: unnest
    inputs: [records]
    unmatched: ignore
    tables:
      customer:
        where: {type: [customer]}
        key: [username]
        columns: {username: {from: name}, city: {from: address.city}, tier: {type: int64}}
      order:
        where: {type: [order], state: [{anything-but: draft}]}
        key: [orderid]
        columns: {orderid: {}, username: {from: PK, after: "CUST#"}, orderdate: {type: date}, amount: {type: int64}, weight: {expr: "grams / 1000 + extra", type: "decimal(9,3)"}}
      line:
        where: {type: [line]}
        explode: {from: parts, as: part, ordinal: n}
        key: [lineid, n]
        columns: {lineid: {}, orderid: {from: SK, split: "#", part: 2}, product: {from: part.sku}, price: {type: int64}, count: {from: [part.count, count], type: int64}}
      reading:
        where: {type: [reading], $expr: level > floor}
        explode: {from: days, as: day, key: date, explode: {from: day.values, as: v, ordinal: n}}
        key: [id, date, n]
        columns: {id: {}, date: {}, n: {}, value: {from: v.n, type: int64, on_error: drop_row}, note: {from: day.note}, place: {expr: "place.town ?? 'nowhere'"}, rest: {from: $rest}}
  wide:
    type: derive
    inputs: [items.line]
    columns: {sum: {expr: price * count, type: int64}, twice: {expr: sum * 2, type: int64}}
  star:
    type: star
    inputs: [items.customer, items.order, wide]
    dimensions:
      dim_customer: {from: customer, natural_key: [username], surrogate_key: customer_key, attributes: [city], keys: hash}
      dim_product: {from: line, natural_key: [product], surrogate_key: product_key, attributes: [price], keys: hash, on_delete: flag}
      dim_date: {calendar: {from: 2023-01-01, to: 2023-12-31}, surrogate_key: date_key}
    facts:
      fact_line:
        from: line
        grain: [lineid, n]
        lookups:
          ord: {table: order, on: {orderid: orderid}}
          cust: {table: customer, on: {username: ord.username}}
        dimensions:
          customer_key: {dimension: dim_customer, on: {username: ord.username}}
          product_key: {dimension: dim_product, on: {product: product}}
          date_key: {dimension: dim_date, on: ord.orderdate}
        measures: {price: price, twice: twice, weight: ord.weight, share: {expr: "sum * 100 / ord.amount * cust.tier", type: "decimal(12,2)"}}
sinks:
  lake: {type: parquet, inputs: [items.customer, items.order, items.reading, wide, star.dim_customer, star.dim_product, star.fact_line], url: %[1]s/lake, mode: latest}
`

// tracedItems are those of the tables, with another value for each attribute that something is
// made of. Nobody brings customer bob, so that he is inferred.
var tracedItems = []struct {
	table, item string
	others      map[string]string
}{
	{"customer", `{"id": 1, "type": "customer", "name": "ada", "address": {"city": "London"}, "tier": 1}`,
		map[string]string{"type": `"other"`, "name": `"eve"`, "address.city": `"Paris"`, "tier": "2"}},
	{"order", `{"id": 2, "type": "order", "PK": "CUST#ada", "orderid": "7", "state": "open", "orderdate": "2023-05-09", "amount": 10, "grams": 500, "extra": 0.25}`,
		map[string]string{"type": `"other"`, "PK": `"CUST#eve"`, "orderid": `"9"`, "state": `"draft"`, "orderdate": `"2023-05-10"`, "amount": "20", "grams": "700", "extra": "0.5"}},
	{"order", `{"id": 3, "type": "order", "PK": "CUST#bob", "orderid": "8", "state": "open", "orderdate": "2023-06-09", "amount": 10, "grams": 100, "extra": 1}`,
		map[string]string{"PK": `"CUST#ada"`}},
	{"line", `{"id": 4, "type": "line", "SK": "ORD#7", "lineid": "a", "price": 3, "count": 2, "parts": [{"sku": "pen"}, {"sku": "nib", "count": 5}]}`,
		map[string]string{"type": `"other"`, "SK": `"ORD#8"`, "lineid": `"b"`, "price": "4", "count": "7", "parts[0].sku": `"ink"`, "parts[1].count": "6", "parts": "[]"}},
	{"reading", `{"id": 6, "type": "reading", "level": 5, "floor": 2, "comment": "dry", "place": {"town": "Ede"}, "days": {"d1": {"note": "x", "values": [{"n": 1}, {"n": 2}]}, "d2": {"values": [{"n": 3}]}}}`,
		map[string]string{"id": "9", "type": `"other"`, "level": "1", "floor": "9", "comment": `"wet"`, "place.town": `"Urk"`, "days": `{"d3": {"values": [{"n": 3}]}}`,
			"days.d1.note": `"y"`, "days.d1.values": "[]", "days.d1.values[0].n": "7", "days.d1.values[1].n": `"many"`}},
	{"line", `{"id": 5, "type": "line", "SK": "ORD#8", "lineid": "c", "price": 2, "count": 1, "parts": [{"sku": "ink"}]}`, nil},
}

// tracedRest are the attributes that no column of readings takes by its from.
var tracedRest = []string{"type", "level", "floor", "comment", "place.town"}

// tracedRows are rows by table, key and column.
type tracedRows map[string]map[string]map[string]string

// TestLineageIsExact changes one attribute of one item after the other. The columns that change
// then are those whose lineage has the attribute, or the filters of the tables in it do; and each
// attribute that a value is made of changes it.
func TestLineageIsExact(t *testing.T) {
	t.Parallel()
	var items []map[string]any
	for _, i := range tracedItems {
		var item map[string]any
		if err := json.Unmarshal([]byte(i.item), &item); err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	a, rows := trace(t, items)
	described := plan.New(a)
	changed := map[string]bool{} // "table.column < attribute of table"
	for i, of := range tracedItems {
		for _, attribute := range slices.Sorted(maps.Keys(of.others)) {
			other := edited(t, of.item, attribute, of.others[attribute])
			_, now := trace(t, slices.Concat(items[:i], []map[string]any{other}, items[i+1:]))
			for column := range changedColumns(rows, now) {
				name := strings.NewReplacer("[0]", "[*]", "[1]", "[*]", "days.d1", "days[*]").Replace(attribute)
				if column == "reading.rest" && of.table == "reading" && slices.Contains(tracedRest, name) {
					name = "$rest"
				}
				changed[column+" < "+of.table+":"+name] = true
			}
		}
	}
	for _, table := range described.Tables {
		if _, taken := rows[table.Name]; !taken || table.Name == "line" && table.Node != "wide" {
			continue
		}
		byKey := map[string]bool{}
		for _, key := range table.Key {
			maps.Copy(byKey, dependencies(t, described, table.Name+"."+key))
		}
		for _, c := range table.Columns {
			checkLineage(t, described, table.Name+"."+c.Name, byKey, changed)
		}
	}
}

// checkLineage compares the lineage of a column with what changed it. What the key depends on
// makes another row.
func checkLineage(t *testing.T, p *plan.Plan, column string, byKey, changed map[string]bool) {
	t.Helper()
	known := dependencies(t, p, column)
	for change := range changed {
		if by, ok := strings.CutPrefix(change, column+" < "); ok && !known[by] && !byKey[by] {
			t.Errorf("%s changes with %s, which its lineage does not have: %s", column, by, slices.Sorted(maps.Keys(known)))
		}
	}
	l, err := p.LineageOf(column)
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range l.Columns[0].Values {
		if by := leaf.Table + ":" + leaf.Attribute; leaf.Attribute != "" && !changed[column+" < "+by] {
			t.Errorf("%s never changed with %s, which its lineage has", column, by)
		}
	}
}

// dependencies lists all attributes that the lineage of a column has.
func dependencies(t *testing.T, p *plan.Plan, column string) map[string]bool {
	t.Helper()
	l, err := p.LineageOf(column)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, leaf := range slices.Concat(l.Columns[0].Values, l.Columns[0].Joins) {
		all[leaf.Table+":"+leaf.Attribute] = true
	}
	for _, r := range l.Rows {
		for _, leaf := range r.Filters {
			all[leaf.Table+":"+leaf.Attribute] = true
		}
	}
	return all
}

// edited returns an item with another value of an attribute.
func edited(t *testing.T, item, attribute, value string) map[string]any {
	t.Helper()
	var all map[string]any
	var v any
	if json.Unmarshal([]byte(item), &all) != nil || json.Unmarshal([]byte(value), &v) != nil {
		t.Fatalf("%s is no JSON", value)
	}
	var at any = all
	steps := strings.FieldsFunc(attribute, func(r rune) bool { return strings.ContainsRune(".[]", r) })
	for _, name := range steps[:len(steps)-1] {
		if list, ok := at.([]any); ok {
			at = list[name[0]-'0']
		} else {
			at = at.(map[string]any)[name]
		}
	}
	at.(map[string]any)[steps[len(steps)-1]] = v
	return all
}

// trace runs the pipeline over items and returns the rows of its tables.
func trace(t *testing.T, items []map[string]any) (*assembly.Pipeline, tracedRows) {
	t.Helper()
	dir := t.TempDir()
	var records []byte
	for _, item := range items {
		line, err := json.Marshal(item)
		if err != nil {
			t.Fatal(err)
		}
		records = append(append(records, line...), '\n')
	}
	file := filepath.Join(dir, "traced.yaml")
	write(t, filepath.Join(dir, "records.ndjson"), records)
	write(t, file, fmt.Appendf(nil, traced, dir))
	command("run", file).want(t, exitFine)
	a, err := assembly.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, rows := openDatabase(t), tracedRows{}
	for _, in := range a.Config.Sinks[0].Inputs {
		var names []string
		for _, c := range in.Table.Columns {
			names = append(names, fmt.Sprintf("coalesce(%q::VARCHAR, 'null')", c.Name))
		}
		all := map[string]map[string]string{}
		rows[in.Table.Name] = all
		files := filepath.Join(dir, "lake", in.Table.Name, "*.parquet")
		if found, err := filepath.Glob(files); err != nil || len(found) == 0 {
			continue
		}
		for line := range strings.Lines(d.rows(fmt.Sprintf("SELECT %s FROM '%s'", strings.Join(names, ", "), files))) {
			row, key := map[string]string{}, ""
			for i, value := range strings.Split(strings.TrimSpace(line), "|") {
				row[in.Table.Columns[i].Name] = value
				if slices.Contains(in.Table.Key, i) {
					key += value + "|"
				}
			}
			all[key] = row
		}
	}
	return a, rows
}

// changedColumns lists the columns, as table.column, in which rows differ: of one that came or went,
// all that are not null.
func changedColumns(before, after tracedRows) map[string]bool {
	all := map[string]bool{}
	for table := range before {
		for _, pair := range [][2]map[string]map[string]string{{before[table], after[table]}, {after[table], before[table]}} {
			for key, row := range pair[0] {
				other := pair[1][key]
				for column, value := range row {
					if other == nil || other[column] != value {
						all[table+"."+column] = true
					}
				}
			}
		}
	}
	return all
}
