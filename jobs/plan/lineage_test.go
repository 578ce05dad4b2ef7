package plan

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/jobs/assembly"
)

// load describes a pipeline file.
func load(t *testing.T, file string) *Plan {
	t.Helper()
	a, err := assembly.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return New(a)
}

// write describes a pipeline whose text is given.
func write(t *testing.T, text string) *Plan {
	t.Helper()
	file := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return load(t, file)
}

func leafText(all []lineageLeaf) string {
	var texts []string
	for _, leaf := range all {
		switch {
		case leaf.Reference != "":
			texts = append(texts, leaf.Node+":"+leaf.Reference)
		case leaf.Generated != "":
			texts = append(texts, "!made")
		case leaf.Constant != "":
			texts = append(texts, "="+leaf.Constant)
		default:
			texts = append(texts, leaf.Table+":"+leaf.Attribute)
		}
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}

// ends says where the lineage of a column ends: values | joins.
func ends(c *columnLineage) string {
	text := leafText(c.Values)
	if joins := leafText(c.Joins); joins != "" {
		text += " | " + joins
	}
	return text
}

// endsOf says it of all columns of a node, calendars left out.
func endsOf(p *Plan, node string) map[string]string {
	all := map[string]string{}
	for i := range p.Lineage.Columns {
		if c := &p.Lineage.Columns[i]; c.Node == node && c.Table != "dim_date" {
			all[c.Table+"."+c.Column] = ends(c)
		}
	}
	return all
}

// filtersOf says which attributes decide on the rows of a node's tables.
func filtersOf(p *Plan, node string) map[string]string {
	all := map[string]string{}
	for _, r := range p.Lineage.Rows {
		if r.Node == node {
			all[r.Table] = leafText(r.Filters)
		}
	}
	return all
}

// TestLineageOfStars: each column of the shop's stars is made of what the pipeline file, read by
// a person, makes it of: attributes of its value, then, behind |, those that find the rows of
// lookups.
func TestLineageOfStars(t *testing.T) {
	for _, c := range []struct {
		file          string
		columns, rows map[string]string
	}{
		{"star", map[string]string{
			"dim_customer.customer_key": "!made customer:username order:PK | order:orderid order_line:orderid",
			"dim_customer.username":     "customer:username order:PK | order:orderid order_line:orderid",
			"dim_customer.fullname":     "customer:fullname", "dim_customer.city": "customer:address.city", "dim_customer.country": "customer:address.country",
			"dim_customer.is_inferred": "!made",
			"dim_product.product_key":  "!made order_line:productid", "dim_product.productid": "order_line:productid",
			"dim_product.productname": "order_line:productname", "dim_product.category": "order_line:category", "dim_product.is_inferred": "!made",
			"fact_order_line.orderid": "order_line:orderid", "fact_order_line.productid": "order_line:productid",
			"fact_order_line.customer_key": "order:PK | order:orderid order_line:orderid", "fact_order_line.product_key": "order_line:productid",
			"fact_order_line.date_key": "order:orderdate | order:orderid order_line:orderid",
			"fact_order_line.price":    "order_line:price", "fact_order_line.share": "order:amount order_line:price | order:orderid order_line:orderid",
			"fact_order.orderid": "order:orderid", "fact_order.customer_key": "order:PK", "fact_order.date_key": "order:orderdate",
			"fact_order.amount": "order:amount", "fact_order.status": "order:status",
		}, map[string]string{
			"dim_customer": "customer:type customer:username order:PK order:orderid order:type order_line:orderid order_line:type", "dim_product": "order_line:productid order_line:type", "dim_date": "",
			"fact_order_line": "order_line:type", "fact_order": "order:type",
		}},
		{"quickstart", map[string]string{
			"dim_customer.customer_key": "!made customer:PK order:PK | order:orderid order_line:orderid",
			"dim_customer.username":     "customer:PK order:PK | order:orderid order_line:orderid",
			"dim_customer.fullname":     "customer:fullname", "dim_customer.email": "customer:email", "dim_customer.country": "customer:address.country",
			"dim_customer.is_inferred":   "!made",
			"dim_address.address_key":    "!made customer:address.buildingnumber customer:address.postcode | customer:PK order:PK order:orderid order_line:orderid",
			"dim_address.buildingnumber": "customer:address.buildingnumber | customer:PK order:PK order:orderid order_line:orderid",
			"dim_address.postcode":       "customer:address.postcode | customer:PK order:PK order:orderid order_line:orderid",
			"dim_address.street":         "customer:address.street", "dim_address.city": "customer:address.city", "dim_address.country": "customer:address.country",
			"dim_address.is_inferred": "!made",
			"dim_product.product_key": "!made order_line:productid", "dim_product.productid": "order_line:productid",
			"dim_product.productname": "order_line:productname", "dim_product.category": "order_line:category", "dim_product.is_inferred": "!made",
			"fact_order.orderid": "order_line:orderid", "fact_order.productid": "order_line:productid",
			"fact_order.customer_key": "order:PK | order:orderid order_line:orderid",
			"fact_order.address_key":  "customer:address.buildingnumber customer:address.postcode | customer:PK order:PK order:orderid order_line:orderid",
			"fact_order.product_key":  "order_line:productid", "fact_order.date_key": "order:orderdate | order:orderid order_line:orderid",
			"fact_order.price": "order_line:price",
		}, map[string]string{
			"dim_customer": "customer:PK customer:type order:PK order:orderid order_line:orderid order_line:type",
			"dim_address":  "customer:PK customer:address.buildingnumber customer:address.postcode customer:type order:PK order:orderid order_line:orderid order_line:type",
			"dim_product":  "order_line:productid order_line:type", "dim_date": "", "fact_order": "order_line:type",
		}},
	} {
		p := load(t, "../../configs/"+c.file+".yaml")
		if diff := cmp.Diff(c.columns, endsOf(p, "star")); diff != "" {
			t.Errorf("%s: columns: %s", c.file, diff)
		}
		if diff := cmp.Diff(c.rows, filtersOf(p, "star")); diff != "" {
			t.Errorf("%s: rows: %s", c.file, diff)
		}
	}
}

// TestLineageOfEachColumn: every column of every example ends in attributes, $meta, a reference,
// a constant, or says that starlift makes it.
func TestLineageOfEachColumn(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../../configs/*.yaml", "../../configs/cookbook/*.yaml", "../testdata/good/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	looked, columns := 0, 0
	for _, file := range files {
		a, err := assembly.Load(file, nil)
		if err != nil { // a file of tests, or one that wants variables
			continue
		}
		looked++
		p, want := New(a), 0
		for _, table := range p.Tables {
			want += len(table.Columns)
		}
		if len(p.Lineage.Columns) != want || len(p.Lineage.Rows) != len(p.Tables) {
			t.Errorf("%s: lineage of %d columns and %d tables, want %d and %d", file, len(p.Lineage.Columns), len(p.Lineage.Rows), want, len(p.Tables))
		}
		for i := range p.Lineage.Columns {
			c := &p.Lineage.Columns[i]
			columns++
			if len(c.Values) == 0 {
				t.Errorf("%s: the lineage of %s ends in nothing", file, c)
			}
			for _, in := range c.Inputs {
				if in.Column != nil && p.Lineage.columns[*in.Column] == nil {
					t.Errorf("%s: %s is made of %s, which is not there", file, c, in.Column)
				}
			}
		}
	}
	if looked < 38 || columns < 800 {
		t.Errorf("%d files and %d columns were looked at", looked, columns)
	}
}

const joined = `
name: joined
sources:
  changes: {type: file, path: c.ndjson, format: dynamodb_cdc}
transforms:
  only: {type: filter, inputs: [changes], where: {tenant: [1], $meta.ttl: [false]}}
  items:
    type: unnest
    inputs: [only]
    tables:
      line:
        where: {kind: [order]}
        explode: {from: [lines, old.lines], as: l, outer: true, ordinal: n}
        key: [id, n]
        columns:
          id: {from: sk, split: "#", part: 2}
          n: {}
          sku: {from: l.sku, mask: true}
          first: {from: [l.a, b], extract: "x(.)"}
          changed: {from: $meta.created_at, type: timestamp}
          total: {expr: "l.price * rate ?? value", from: price, type: "decimal(10,2)"}
          one: {expr: "1 + 1", type: int64}
        on_delete: flag
  named:
    type: reference_join
    inputs: [items]
    reference: {source: {type: file, path: names.csv}}
    on: {sku: code}
    columns: {name: title}
    how: inner
    version_column: v
  more:
    type: derive
    inputs: [named]
    columns: {a: {expr: name + sku, type: string}, b: {expr: a + id, type: string}}
  some: {type: filter, inputs: [more], expr: b != "", where: {n: [1]}}
sinks:
  out: {type: parquet, inputs: [some], url: out}
`

// TestLineageOfTransforms goes through every kind of transform.
func TestLineageOfTransforms(t *testing.T) {
	p := write(t, joined)
	want := map[string]string{
		"line.id": "line:sk", "line.n": "!made line:lines line:old.lines", "line.sku": "line:lines[*].sku line:old.lines[*].sku",
		"line.first": "line:b line:lines[*].a line:old.lines[*].a", "line.changed": "line:$meta.created_at",
		"line.total": "line:lines[*].price line:old.lines[*].price line:price line:rate", "line.one": "=1 + 1",
		"line.is_deleted": "!made", "line.deleted_at": "!made",
		"line.name": "named:title | line:lines[*].sku line:old.lines[*].sku", "line.v": "!made",
		"line.a": "line:lines[*].sku line:old.lines[*].sku named:title", "line.b": "line:lines[*].sku line:old.lines[*].sku line:sk named:title",
	}
	if diff := cmp.Diff(want, endsOf(p, "some")); diff != "" {
		t.Error(diff)
	}
	const rows = "!made line:$meta.ttl line:kind line:lines line:lines[*].sku line:old.lines line:old.lines[*].sku line:sk line:tenant named:title"
	if got := filtersOf(p, "some")["line"]; got != rows {
		t.Errorf("rows are there by %s, want %s", got, rows)
	}
	l, err := p.LineageOf("line.one")
	if err != nil {
		t.Fatal(err)
	}
	b := &strings.Builder{}
	if err := l.Text(b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"some.line.one (int64)\n└─ more.line.one (int64)\n", "items.line.one (int64) = 1 + 1, a constant\n",
		"  some.line: more.line where {\"n\": [1]} and (b != \"\")\n", "  named.line: items.line where a row of the reference matches\n",
		"  items.line: items of changes (where {$meta.ttl: [false], tenant: [1]}) where {kind: [\"order\"]}\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("there is no %q in\n%s", want, b)
		}
	}
}

const whole = `
name: whole
sources:
  a: {type: file, path: a.ndjson, format: json, key: [id], table: a, operation: {from: [op, meta.op], delete: [D, R]}}
  b: {type: file, path: b.ndjson, format: json, key: [id], table: b}
transforms:
  some: {type: filter, inputs: [b], where: {$expr: x > 1}}
  all: {type: unnest, inputs: [a, some], tables: {t: {key: [id], columns: {id: {}, city: {from: [address.city, "towns[0]"], mask: true}, item: {from: $item}, rest: {from: $rest}}}}}
sinks: {out: {type: parquet, inputs: [all], url: out}}
`

// TestLineageOfWholeItems: what is left of an item says what it is without, masked columns that
// they are, and rows which records make and delete them.
func TestLineageOfWholeItems(t *testing.T) {
	p := write(t, whole)
	l, err := p.LineageOf("t")
	if err != nil {
		t.Fatal(err)
	}
	b := &strings.Builder{}
	if err := l.Text(b); err != nil {
		t.Fatal(err)
	}
	const want = `all.t.id (string)
└─ attribute id

all.t.city (string, masked)
├─ attribute address.city
└─ attribute towns[0]

all.t.item (json, masked)
└─ $item

all.t.rest (json, masked) = without address.city, id
└─ $rest

Rows
  all.t: items of a (deleted where op or meta.op is D or R), b (where {$expr: "x > 1"})
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	if got := filtersOf(p, "all")["t"]; got != "t:meta.op t:op t:x" {
		t.Errorf("rows are there by %s", got)
	}
}

const secrets = `
name: secrets
sources: {a: {type: file, path: a.ndjson, format: json, key: [id]}}
transforms:
  items:
    type: unnest
    inputs: [a]
    tables:
      customer: {where: {type: [customer]}, key: [name], columns: {name: {}, email: {mask: true}, city: {}}}
      order: {where: {type: [order]}, key: [id], columns: {id: {}, name: {}, total: {type: int64}, card: {mask: true}}}
  star:
    type: star
    inputs: [items]
    dimensions: {dim_customer: {from: customer, natural_key: [name], surrogate_key: customer_key, attributes: [email, city]}}
    facts:
      fact_order:
        from: order
        grain: [id]
        lookups: {c: {table: customer, on: {name: name}}}
        dimensions: {customer_key: {dimension: dim_customer, on: {name: name}}}
        measures: {total: total, card: card, email: c.email, city: c.city, label: {expr: c.city + string(total), type: string}, mail: {expr: "c.email + name", type: string}}
sinks: {out: {type: duckdb, inputs: [star], dsn: out.db}}
`

// TestMasksOfStars: of a star's columns, those are masked that show what is masked in the tables
// that it reads.
func TestMasksOfStars(t *testing.T) {
	p := write(t, secrets)
	var got []string
	for i := range p.Lineage.Columns {
		if c := &p.Lineage.Columns[i]; c.Node == "star" && c.Masked {
			got = append(got, c.Table+"."+c.Column)
		}
	}
	want := []string{"dim_customer.email", "fact_order.card", "fact_order.email", "fact_order.mail"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestLineageNames: a table may be named by its node or a sink, and what is mistyped is told.
func TestLineageNames(t *testing.T) {
	p := load(t, "../../configs/star.yaml")
	for text, want := range map[string]string{
		"fact_order.amount": "star.fact_order.amount", "star.fact_order.amount": "star.fact_order.amount", "lake.fact_order.amount": "star.fact_order.amount",
		"order.status": "items.order.status",
	} {
		if l, err := p.LineageOf(text); err != nil || len(l.asked) != 1 || l.asked[0].String() != want || l.Columns[0].columnName != l.asked[0] {
			t.Errorf("%s: %v, %v, want %s", text, l, err, want)
		}
	}
	if l, err := p.LineageOf("dim_customer"); err != nil || len(l.asked) != 6 {
		t.Errorf("%v, %v", l, err)
	}
	if l, err := p.LineageOf("all"); err != nil || len(l.Columns) != len(p.Lineage.Columns) || len(l.Rows) != len(p.Tables) {
		t.Errorf("%v", err)
	}
	for text, want := range map[string]string{
		"fact_order.amont":     `there is no such column: known are fact_order.amount, `,
		"fact_orderline.price": `did you mean "fact_order_line.price"?`,
		"dim_custmer":          `known are customer, dim_customer, dim_date, dim_product, fact_order, fact_order_line, order, order_line: did you mean "dim_customer"?`,
		"":                     "there is no such table",
		"lake.fact_order._op":  "a sink adds that column to tell rows apart, and it is made of no attribute: the others are lake.fact_order.amount, ",
		"share":                "that is a column, and of a table is asked: write fact_order_line.share",
		"status":               "write fact_order.status or order.status",
		"items":                "that is a node, and of a table is asked: write items.customer, items.order or items.order_line",
		"lake":                 "write lake.fact_order or lake.fact_order_line",
	} {
		if _, err := p.LineageOf(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	// Of tables of one name, the last: the others are in its tree.
	p = load(t, "../../configs/countries.yaml")
	if l, err := p.LineageOf("sale.profit"); err != nil || len(l.asked) != 1 || l.asked[0].Node != "dear" {
		t.Errorf("%v, %v", l, err)
	}
}

// TestLineageRepeats: columns that are made of each other many times are shown once.
func TestLineageRepeats(t *testing.T) {
	b := &strings.Builder{}
	b.WriteString("name: deep\nsources: {s: {type: file, path: s.ndjson, format: dynamodb_cdc}}\n" +
		"transforms:\n  items: {type: unnest, inputs: [s], tables: {t: {columns: {x0: {type: int64}, x1: {type: int64}}}}}\n  d:\n    type: derive\n    inputs: [items]\n    columns:\n")
	const columns = 60
	for i := 2; i < columns; i++ {
		fmt.Fprintf(b, "      x%d: {expr: x%d + x%d, type: int64}\n", i, i-1, i-2)
	}
	b.WriteString("sinks: {out: {type: parquet, inputs: [d], url: out, mode: append}}\n")
	l, err := write(t, b.String()).LineageOf(fmt.Sprintf("t.x%d", columns-1))
	if err != nil {
		t.Fatal(err)
	}
	text := &strings.Builder{}
	if err := l.Text(text); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(text.String(), "\n"); lines > 4*columns || !strings.Contains(text.String(), ", as above") {
		t.Errorf("%d lines:\n%s", lines, text)
	}
	if got := leafText(l.Columns[0].Values); got != "t:x0 t:x1" {
		t.Errorf("it is made of %s", got)
	}
}
