package unnest

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/spec"
)

func TestMistakes(t *testing.T) {
	const good = "\n\t\tcolumns: {id: {}}"
	for text, want := range map[string][]string{
		"tables:\n\tt: {columns: {a: {}}}\n\tT: {columns: {a: {}}}": {`tables/T: tables "t" and "T" have one name`},
		"tables:\n\tt:" + good + "\nignore: {a: x, b: [{prefx: y}]}": {
			`ignore/a: a field takes a list of tests`, `ignore/b/0/prefx: unknown operator "prefx"`},
		"tables:\n\tt:" + good + "\nignore: {a: [x]}\nunmatched: ignore": {`ignore: unmatched: ignore ignores every item that no table wants`},
		"tables:\n\tt: {columns: {id: {}, Id: {}}}":                      {`tables/t/columns/Id: columns "id" and "Id" have one name`},
		"tables:\n\tt:\n\t\tkey: [idd, id, id]" + good: {
			`tables/t/key/0: table "t" has no column "idd" for its key (idd|id)`, `tables/t/key/2: column "id" stands twice`},
		"tables:\n\tt:\n\t\twhere: {type: order, x: [{prefx: a}]}" + good: {
			`tables/t/where/type: a field takes a list of tests`,
			`tables/t/where/x/0/prefx: unknown operator "prefx" (prefx|prefix,suffix,equals-ignore-case,wildcard,cidr,anything-but,numeric,exists,$and)`},
		"tables:\n\tt:\n\t\twhere: {$expr: total + 1, $or: [{$expr: $meta.ttl}, {a: {$expr: b}}]}" + good: {
			`tables/t/where/$expr: type mismatch: the result is a number, not bool`, `tables/t/where/$or/0/$expr: $meta.ttl is tested beside $expr`,
			`tables/t/where/$or/1/a/$expr: $expr is about the item, not about what is at a`},
		"tables:\n\tt:\n\t\twhere: {SK: [{prefix: v}, {anything-but: v0}]}" + good: {
			`tables/t/where/SK: of a list of tests one has to pass, and every value passes one of these: write [{prefix: "v", anything-but: "v0"}]`},
		"tables:\n\tt:\n\t\texplode: {from: 'a..b', as: e, ordinal: e}\n\t\tkey: [id, e]" + good: {
			`tables/t/explode/ordinal: the ordinal has the name of the element`, `tables/t/explode/from: document path "a..b"`},
		"tables:\n\tt:\n\t\texplode: {from: $meta.table, as: 'e.x'}" + good: {
			`tables/t/explode/as: "e.x" is not a name`, `tables/t/explode/from: "$meta.table" is not an attribute`},
		"tables:\n\tt:\n\t\texplode: {from: l, as: e, ordinal: n}\n\t\tcolumns: {n: {from: x}}": {
			`tables/t/columns/n: column "n" has the name of the ordinal but not its value`},
		"tables:\n\tt:\n\t\texplode: {from: l, as: e, explode: {from: x.y, as: e, ordinal: n, key: n, explode: {from: [e.x, $meta.table], as: f, ordinal: $n}}}" + good: {
			`tables/t/explode/explode/as: "e" is a name of an explode around this one`,
			`tables/t/explode/explode/key: the key has the name of the element or the ordinal`,
			`tables/t/explode/explode/from: from of an explode in another begins with the name of an element around it, as in e.x: "x.y" does not`,
			`tables/t/explode/explode/explode/ordinal: "$n" is not a name: it may not begin with $`,
			`tables/t/explode/explode/explode/from/1: "$meta.table" is not an attribute of the item`},
		"tables:\n\tt:\n\t\texplode: {from: l, as: e, ordinal: n, explode: {from: e, as: f, ordinal: o}}\n\t\tcolumns: {o: {from: n}}": {
			`tables/t/columns/o: column "o" has the name of the ordinal but not its value`},
		"tables:\n\tt:\n\t\tkey: [id]\n\t\ton_delete: flag\n\t\tcolumns: {id: {}, is_deleted: {type: bool}, Deleted_At: {}}": {
			`tables/t/columns/is_deleted: column "is_deleted" has the name of one that on_delete: flag adds to table "t": give it another name, or leave it out`,
			`tables/t/columns/Deleted_At: column "Deleted_At" has, when case is ignored, the name of one that on_delete: flag adds`},
		"tables:\n\tt:\n\t\tkey: [id]\n\t\ton_delete: flag\n\t\texplode: {from: l, as: e, ordinal: is_deleted}" + good: {
			`tables/t/explode/ordinal: column "is_deleted" has the name of one that on_delete: flag adds`},
		"tables:\n\tt:\n\t\tkey: [id]\n\t\ton_delete: flag\n\t\texplode: {from: l, as: e, explode: {from: e, as: f, key: is_deleted}}" + good: {
			`tables/t/explode/explode/key: column "is_deleted" has the name of one that on_delete: flag adds`},
		"tables:\n\tt:\n\t\tcolumns: {a: {type: decimall}, b: {type: 'decimal(39,2)'}, c: {from: 'x['}, d: {from: $meta.creatd_at}, e: {from: $meta}}": {
			`tables/t/columns/a/type: unknown type "decimall"`, `tables/t/columns/b/type: bad type "decimal(39,2)"`,
			`tables/t/columns/c/from: document path "x["`, `tables/t/columns/d/from: unknown metadata "$meta.creatd_at" ($meta.creatd_at|`,
			`tables/t/columns/e/from: unknown metadata "$meta"`},
		"tables:\n\tt:\n\t\tcolumns: {a: {after: x, split: y, part: 1}, b: {split: '#'}, c: {part: 2}, d: {extract: '('}, e: {extract: '(a)(b)'}}": {
			`tables/t/columns/a/split: a column takes only one of after, split`, `tables/t/columns/b/part: split needs part`,
			`tables/t/columns/c/part: part belongs to split`, `tables/t/columns/d/extract: it is not a regular expression`, `tables/t/columns/e/extract: extract takes one group`},
		"tables:\n\tt:\n\t\tcolumns: {a: {format: '2006'}, b: {type: date, format: YYYY-MM-DD}, c: {from: $meta.created_at, type: timestamp, format: unix}}": {
			`tables/t/columns/a/format: format belongs to the types date, timestamp and timestamptz, not to string`,
			`tables/t/columns/b/format: "YYYY-MM-DD" is no layout`, `tables/t/columns/c/format: the times in $meta have no format`},
		"tables:\n\tt:\n\t\tcolumns: {a: {on_error: drop_row}}": {`tables/t/columns/a/on_error: drop_row leaves a row of an element out, and table "t" has one row per item`},
		"tables:\n\tt:\n\t\tcolumns: {a: {from: $item, type: string}, b: {from: $rest.x}, c: {from: [x, $rest]}, d: {from: $rest, expr: value}, e: {from: $item, after: x}, f: {expr: '$item.x'}}": {
			`tables/t/columns/a/type: $item is a document, and gives json only`, `tables/t/columns/b/from: $rest is a whole: write x for what is in the item`,
			`tables/t/columns/c/from: alternatives are document paths: $item and $rest stand alone`, `tables/t/columns/d/expr: $rest is taken whole, without expr`,
			`tables/t/columns/e/type: a column of type json takes the value whole`, `tables/t/columns/f/expr: $item is a whole`},
		"tables:\n\tt:\n\t\tcolumns: {a: {type: json, after: x}, b: {from: $meta.created_at, type: double}, c: {from: $meta.ttl, type: int64}, d: {from: $meta.table, type: json}, e: {from: $meta.created_at, after: x}}": {
			`tables/t/columns/a/type: a column of type json takes the value whole`, `tables/t/columns/b/type: a time gives no double`,
			`tables/t/columns/c/type: a bool gives no int64`, `tables/t/columns/d/type: d is a text and gives no json`, `tables/t/columns/e: a time is taken whole`},
		"tables:\n\tt:\n\t\tkey: [a]\n\t\texplode: {from: m, as: e, key: k}\n\t\tcolumns: {a: {type: list(string)}, b: {type: list(string), split: ',', part: 1}, c: {from: $meta.created_at, type: list(date)}, d: {from: $meta.table, type: list(string)}, e: {from: k, type: list(string)}, f: {type: list(string), format: unix}, g: {type: list(int64), expr: 'true'}, h: {type: list(date), expr: '[1, 2]'}, i: {from: $item, type: list(string)}, j: {type: list(json)}}": {
			`tables/t/columns/b/type: a column of type list(string) takes the value whole, without after, split or extract: for the pieces of a text, write expr: split(`,
			`tables/t/columns/c/type: a time gives no list(date)`, `tables/t/columns/d/type: d is a text and gives no list(string)`, `tables/t/columns/e/type: the key of a map's member is a text and gives no list(string)`,
			`tables/t/columns/f/format: format belongs to the types date, timestamp and timestamptz, not to list(string)`, `tables/t/columns/g/expr: type mismatch: the result is a bool, not list(int64)`,
			`tables/t/columns/h/expr: type mismatch: an element of the result is a number, not date`, `tables/t/columns/i/type: $item is a document`, `tables/t/columns/j/type: bad type "list(json)": the elements of a list are no json`, `tables/t/key/0: column "a" is list(string), and a list is no part of a key`},
		"tables:\n\tt:\n\t\tcolumns: {a: {expr: 'x +'}, b: {expr: 'foo(x)'}, c: {expr: 'now()'}, d: {expr: '$meta.tabel'}, e: {expr: x, type: binary}, f: {expr: '$env'}, g: {expr: 'keys(m, 1)'}}": {
			`tables/t/columns/a/expr: the expression ends where something is missing`, `tables/t/columns/b/expr: unknown function "foo" (foo|`,
			`tables/t/columns/c/expr: now is not there`, `tables/t/columns/d/expr: unknown metadata "$meta.tabel" ($meta.tabel|`,
			`tables/t/columns/e/type: an expression gives no binary`, `tables/t/columns/f/expr: $env wants a name, as in $env["order-id"]`, `tables/t/columns/g/expr: keys takes 1 argument, not 2`},
	} {
		_, err := New("items", readConfig(t, text))
		if err == nil {
			t.Errorf("%s: accepted", text)
			continue
		}
		var got []string
		for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
			var f *spec.FieldError
			if !errors.As(e, &f) {
				t.Fatalf("%s: a %T", text, e)
			}
			line := strings.Join(f.Path, "/") + ": " + f.Message
			if f.Name != "" && !strings.Contains(f.Path[len(f.Path)-1], "type") {
				line += " (" + f.Name + "|" + strings.Join(f.Known, ",") + ")"
			}
			got = append(got, line)
		}
		if !slices.EqualFunc(got, want, strings.HasPrefix) {
			t.Errorf("%s:\n got %s\nwant %s", text, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
	}
}

func TestNothingGiven(t *testing.T) {
	if _, err := New("items", Config{}); err == nil || err.Error() != "an unnest needs at least one table" {
		t.Errorf("no tables: %v", err)
	}
	if _, err := New("items", Config{Tables: spec.Map[TableConfig]{{Name: "t"}}}); err == nil || err.Error() != `table "t" has no columns` {
		t.Errorf("no columns: %v", err)
	}
}

func TestWordsOfTheConfiguration(t *testing.T) {
	cfg := readConfig(t, "tables: {t: {columns: {a: {}}}}")
	if cfg.Unmatched != unmatchedDeadLetter || cfg.Tables[0].Value.Columns[0].Value.OnError != onErrorDeadLetter {
		t.Errorf("defaults %+v", cfg)
	}
	cfg.Unmatched, cfg.Tables[0].Value.Columns[0].Value.OnError = "drop", "skip"
	cfg.Tables[0].Value.Explode = &ExplodeConfig{From: spec.Paths{"l"}, As: "e", OnError: "skip"}
	if _, err := New("items", cfg); err == nil || len(err.(interface{ Unwrap() []error }).Unwrap()) != 3 {
		t.Errorf("unknown words: %v", err)
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[Config](), reflect.TypeFor[TableConfig](), reflect.TypeFor[ExplodeConfig](), reflect.TypeFor[ColumnConfig]()} {
		for i := range typ.NumField() {
			if f := typ.Field(i); f.Tag.Get("desc") == "" || f.Tag.Get("yaml") == "" {
				t.Errorf("%s.%s has no description", typ.Name(), f.Name)
			}
		}
	}
}

// TestExampleOfTheManual compiles tables as the documentation shows them.
func TestExampleOfTheManual(t *testing.T) {
	u := compiled(t, `
tables:
	customer:
		where: {PK: [{prefix: "CUST#"}], type: [customer]}
		key: [username]
		columns:
			username: {from: PK, after: "CUST#"}
			fullname: {}
			country:  {from: address.country}
	order_line:
		where: {type: [product]}
		key: [orderid, productid]
		columns: {orderid: {}, productid: {}, price: {type: "decimal(10,2)"}, changed: {from: $meta.created_at}}
	dependent:
		where: {sk: [{prefix: "TRANSACTION#"}]}
		explode: {from: calculationRequirements.dependentIds, as: dep, outer: true, ordinal: position}
		key: [transaction_id, position]
		columns: {transaction_id: {from: sk}, dependent_id: {from: dep.sk}}`)
	var got []string
	for _, table := range u.Tables() {
		line := table.Name
		for _, c := range table.Columns {
			line += " " + c.Name + ":" + c.Type.String()
		}
		for _, k := range table.Key {
			line += " " + table.Columns[k].Name
		}
		got = append(got, line)
	}
	equal(t, "tables", got,
		"customer username:string fullname:string country:string username",
		"order_line orderid:string productid:string price:decimal(10,2) changed:string orderid productid",
		"dependent transaction_id:string dependent_id:string position:int64 transaction_id position")
}
