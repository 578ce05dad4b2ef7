package unnest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

const shopTables = `
tables:
	customer:
		where: {PK: [{prefix: "CUST#"}], type: [customer]}
		key: [username]
		columns: {username: {from: PK, after: "CUST#"}, fullname: {}, age: {type: int64}}
	event:
		where: {type: [customer, order]}
		columns: {pk: {from: PK}, event: {from: $meta.event_name}}
	line:
		where: {type: [order]}
		key: [orderid, sku]
		explode: {from: lines, as: l, ordinal: n}
		columns: {orderid: {from: PK}, sku: {from: l.sku}, n: {}, qty: {from: l.qty, type: int64}, note: {from: note}}`

func customer(pk, name, age string) string {
	return fmt.Sprintf(`{"PK":{"S":%q},"type":{"S":"customer"},"fullname":{"S":%q},"age":{"N":%q}}`, pk, name, age)
}

func order(note string, lines ...string) string {
	for i, l := range lines {
		sku, qty, _ := strings.Cut(l, ":")
		lines[i] = fmt.Sprintf(`{"M":{"sku":{"S":%q},"qty":{"S":%q}}}`, sku, qty)
	}
	return fmt.Sprintf(`{"PK":{"S":"O1"},"type":{"S":"order"},"note":{"S":%q},"lines":{"L":[%s]}}`, note, strings.Join(lines, ","))
}

func equal(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func TestLog(t *testing.T) {
	u := compiled(t, shopTables+"\nunmatched: ignore")
	r := records(cdcFormat,
		insert(customer("CUST#a", "A", "1")),
		change("MODIFY", customer("CUST#a", "B", "2"), customer("CUST#a", "A", "1")),
		change("MODIFY", customer("CUST#b", "B", "2"), customer("CUST#a", "A", "1.5")),
		insert(order("n", "p:1", "q:2", "r:3")),
		change("MODIFY", order("m", "r:4", "p:1"), order("n", "p:1", "q:2", "r:3", "s:x")),
		change("REMOVE", "", order("m", "r:4", "p:1", "p:1")),
		change("REMOVE", "", customer("CUST#b", "B", "2")),
		change("REMOVE", "", ""),
		change("MODIFY", `{"type":{"S":"gone"}}`, customer("CUST#c", "C", "3")),
		change("MODIFY", customer("CUST#d", "D", "1"), `{"type":{"S":"customer"},"PK":{"S":"x"}}`),
		change("REMOVE", "", `{"type":{"S":"order"},"PK":{"S":"O2"},"lines":{"S":"no list"}}`),
	)
	b := mapAll(t, u, everything(u), r)
	equal(t, "customers", dump(b, "customer"),
		`0 upsert "a" "A" 1`, `1 upsert "a" "B" 2`, `2 delete "a" "A" null`, `2 upsert "b" "B" 2`,
		`6 delete "b" "B" 2`, `8 delete "c" "C" 3`, `9 upsert "d" "D" 1`)
	equal(t, "lines", dump(b, "line"),
		`3 upsert "O1" "p" 1 1 "n"`, `3 upsert "O1" "q" 2 2 "n"`, `3 upsert "O1" "r" 3 3 "n"`,
		`4 delete "O1" "q" 2 2 "n"`, `4 delete "O1" "s" 4 null "n"`, `4 upsert "O1" "r" 1 4 "m"`, `4 upsert "O1" "p" 2 1 "m"`,
		`5 delete "O1" "r" 1 4 "m"`, `5 delete "O1" "p" 2 1 "m"`)
	equal(t, "events", dump(b, "event"),
		`0 upsert "CUST#a" "INSERT"`, `1 upsert "CUST#a" "MODIFY"`, `2 upsert "CUST#b" "MODIFY"`,
		`3 upsert "O1" "INSERT"`, `4 upsert "O1" "MODIFY"`, `9 upsert "CUST#d" "MODIFY"`)
	if len(b.Changes) != 11 || b.Ignored != 1 || len(b.DeadLetters) != 0 {
		t.Errorf("%d changes, %d ignored, dead letters %q", len(b.Changes), b.Ignored, letters(b))
	}
	for i, c := range b.Changes {
		if c.Version.Time != 1657238400000000 || string(c.Key) != `{"PK":{"S":"k"}}` || c.Item == (pipeline.Hash{}) || int(c.Record) != i {
			t.Errorf("change %d: %+v, key %s", i, c, c.Key)
		}
	}
	if b.Changes[1].Version.Old != b.Changes[0].Version.New || !b.Changes[1].Version.HasOld {
		t.Error("versions have no chain of images")
	}
}

func TestNeeds(t *testing.T) {
	u := compiled(t, shopTables+"\nunmatched: ignore")
	r := records(cdcFormat,
		change("MODIFY", customer("CUST#b", "B", "2"), customer("CUST#a", "A", "1")),
		change("REMOVE", "", customer("CUST#b", "B", "2")),
		change("MODIFY", order("n", "p:1"), order("n", "q:1")),
		insert(`{}`),
		insert(order("n", "bad:x")),
	)
	t.Run("no deletes", func(t *testing.T) {
		b := mapAll(t, u, pipeline.Needs{Tables: map[string]bool{"customer": true}}, r)
		equal(t, "customers", dump(b, "customer"), `0 upsert "b" "B" 2`)
		if len(b.Tables) != 1 || len(b.Changes) != 4 || b.Ignored != 1 || len(b.DeadLetters) != 0 {
			t.Errorf("%d tables, %d changes, %d ignored, dead letters %q", len(b.Tables), len(b.Changes), b.Ignored, letters(b))
		}
		if c := b.Changes[0]; c.Key != nil || c.Version.New != 0 || c.Version.Time == 0 {
			t.Errorf("change %+v", c)
		}
	})
	t.Run("deletes of one table", func(t *testing.T) {
		needs := pipeline.Needs{Tables: map[string]bool{"customer": true, "line": true}, Deletes: map[string]bool{"line": true}}
		b := mapAll(t, u, needs, r)
		equal(t, "customers", dump(b, "customer"), `0 upsert "b" "B" 2`)
		equal(t, "lines", dump(b, "line"), `2 delete "O1" "q" 1 1 "n"`, `2 upsert "O1" "p" 1 1 "n"`)
		equal(t, "dead letters", letters(b), `bad_value: table line, column qty (int64): "x" is not a number, element 1`)
	})
	t.Run("settled", func(t *testing.T) {
		b := mapAll(t, u, pipeline.Needs{Tables: map[string]bool{"customer": true}, Settled: true}, r)
		if len(b.Changes) != 5 || b.Ignored != 1 {
			t.Errorf("%d changes, %d ignored", len(b.Changes), b.Ignored)
		}
	})
}

// TestRemovalsInPlainJSON: one with nothing but the key is of an item that some
// table may have, whatever where tests besides the key; one with more is judged by
// it.
func TestRemovalsInPlainJSON(t *testing.T) {
	u := compiled(t, `
tables:
	order: {where: {type: [order]}, key: [id], columns: {id: {}, status: {}}}
	early: {where: {id: [{prefix: "a"}]}, key: [id], columns: {id: {}, status: {}}}`)
	f := &pipeline.Format{
		Encoding: pipeline.JSON, Key: []string{"id"}, Version: pipeline.VersionColumn{From: "at", Type: "int64"},
		Operation: pipeline.OperationColumn{From: "op", Delete: []string{"D"}},
	}
	r := records(f,
		`{"id":"o1","at":1,"type":"order","status":"NEW"}`,
		`{"id":"o1","at":2,"op":"D"}`,
		`{"id":"a1","at":3,"op":"D"}`,
		`{"id":"o2","at":4,"op":"D","type":"order","status":"NEW"}`,
		`{"id":"o3","at":5,"op":"D","type":"customer"}`,
		`{"id":"o4","at":6,"op":"D","type":null}`,
		`{"id":"o5","at":7}`,
	)
	for _, settled := range []bool{true, false} {
		needs := everything(u)
		needs.Settled = settled
		b := mapAll(t, u, needs, r)
		equal(t, "orders", dump(b, "order"), `0 upsert "o1" "NEW"`, `1 delete "o1" null`, `2 delete "a1" null`, `3 delete "o2" "NEW"`, `5 delete "o4" null`)
		equal(t, "early", dump(b, "early"), `2 delete "a1" null`)
		var changed []string
		for _, c := range b.Changes {
			changed = append(changed, fmt.Sprintf("%d %s", c.Record, c.Key))
		}
		if settled {
			equal(t, "changes", changed, `0 {"id":"o1"}`, `1 {"id":"o1"}`, `2 {"id":"a1"}`, `3 {"id":"o2"}`, `5 {"id":"o4"}`)
		}
		if len(b.Changes) != 5 || b.Ignored != 0 || len(b.DeadLetters) != 2 || b.DeadLetters[0].Pos.Line != 5 || b.DeadLetters[1].Pos.Line != 7 {
			t.Errorf("%d changes, %d ignored, dead letters %v", len(b.Changes), b.Ignored, b.DeadLetters)
		}
	}
}

func TestChangesAreAtomic(t *testing.T) {
	u := compiled(t, shopTables)
	both := func(age, second string) string { // an item that all tables want
		o := strings.Replace(order("n", "p:1", second), `"O1"`, `"CUST#1"`, 1)
		return strings.Replace(o, `"type":{"S":"order"}`, `"type":{"L":[{"S":"order"},{"S":"customer"}]},"age":{"N":"`+age+`"}`, 1)
	}
	r := records(cdcFormat,
		insert(both("1", "q:2")),
		insert(both("1", "q:bad")),
		insert(both("1.5", "q:2")),
		insert(both("1", "p:2")),
		insert(strings.Replace(both("1", "q:2"), `{"S":"q"}`, `{"NULL":true}`, 1)),
		insert(strings.Replace(order("n"), `{"L":[]}`, `{"S":"x"}`, 1)),
		`{"eventName":`,
		insert(`{"type":{"S":"other"}}`),
		change("REMOVE", "", `{"type":{"S":"other"}}`),
		`{"eventName":"INSERT","tableName":"shop","dynamodb":{"ApproximateCreationDateTime":1,"Keys":{"PK":{"S":"k"}},"NewImage":{"v":{"X":"1"}}}}`,
		insert(both("2", "q:3")),
	)
	b := mapAll(t, u, everything(u), r)
	equal(t, "customers", dump(b, "customer"), `0 upsert "1" null 1`, `10 upsert "1" null 2`)
	equal(t, "lines", dump(b, "line"),
		`0 upsert "CUST#1" "p" 1 1 "n"`, `0 upsert "CUST#1" "q" 2 2 "n"`, `10 upsert "CUST#1" "p" 1 1 "n"`, `10 upsert "CUST#1" "q" 2 3 "n"`)
	equal(t, "events", dump(b, "event"), `0 upsert "CUST#1" "INSERT"`, `10 upsert "CUST#1" "INSERT"`)
	got := letters(b)
	want := []string{
		`bad_value: table line, column qty (int64): "bad" is not a number, element 2`,
		`bad_value: table customer, column age (int64): "1.5" has more fraction digits`,
		`duplicate_key: table line: two rows of the item have one key, element 2`,
		`null_key: table line, column sku: null in the key, element 2`,
		`bad_value: table line: explode of lines wants a list, a set or a map, not a string`,
		`bad_record: `, `unmatched: no table wants the item`, `unmatched: no table wants the item`, `bad_record: `,
	}
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("dead letters:\n%s", strings.Join(got, "\n"))
	}
	for i, line := range []int64{2, 3, 4, 5, 6, 7, 8, 9, 10} {
		d := b.DeadLetters[i]
		if d.Pos != (pipeline.Position{Source: "in", Partition: "part", Line: line}) || d.Node != "items" || string(d.Record) != string(r.Bytes(int(line-1))) {
			t.Errorf("dead letter %d: %+v", i, d)
		}
	}
}

func TestFailEndsTheRun(t *testing.T) {
	for text, lines := range map[string][]string{
		"tables: {t: {columns: {v: {type: int64, on_error: fail}}}}":        {insert(`{}`), insert(`{"v":{"S":"x"}}`)},
		"tables: {t: {where: {v: [1]}, columns: {v: {}}}}\nunmatched: fail": {insert(`{"v":{"N":"1"}}`), insert(`{"v":{"N":"2"}}`)},
	} {
		u := compiled(t, text)
		_, err := u.NewMapper(everything(u)).Map(context.Background(), records(cdcFormat, lines...))
		var letter *pipeline.DeadLetter
		if !errors.As(err, &letter) || letter.Pos.Line != 2 || !strings.HasPrefix(err.Error(), "part:2: node items: ") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestErrorsOfTheFormatAndTheContext(t *testing.T) {
	u := compiled(t, "tables: {t: {columns: {v: {}}}}")
	f := &pipeline.Format{Encoding: pipeline.JSON, Version: pipeline.VersionColumn{From: "a["}}
	if _, err := u.NewMapper(everything(u)).Map(context.Background(), records(f, `{}`)); err == nil || !strings.Contains(err.Error(), "part:1: ") {
		t.Errorf("a format that can't be read: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := u.NewMapper(everything(u)).Map(ctx, records(cdcFormat, insert(`{}`))); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
}

func TestExplode(t *testing.T) {
	table := func(more string) string {
		return "tables: {t: {explode: {from: a.l, as: e, ordinal: pos" + more + "}, columns: {id: {}, e: {type: json}, x: {from: e.x}}}}"
	}
	item := func(list string) string { return `{"id":{"S":"i"},"a":{"M":{"l":` + list + `}}}` }
	for _, c := range []struct {
		more, item string
		want       []string
	}{
		{"", item(`{"L":[{"M":{"x":{"S":"1"}}},{"S":"s"},{"NULL":true}]}`), []string{`"i" "{\"x\":\"1\"}" "1" 1`, `"i" "\"s\"" null 2`, `"i" null null 3`}},
		{"", item(`{"L":[]}`), nil},
		{"", item(`{"NULL":true}`), nil},
		{"", `{"id":{"S":"i"}}`, nil},
		{", outer: true", item(`{"L":[]}`), []string{`"i" null null 0`}},
		{", outer: true", item(`{"NULL":true}`), []string{`"i" null null 0`}},
		{", outer: true", `{"id":{"S":"i"},"a":{"S":"no map"}}`, []string{`"i" null null 0`}},
		{", outer: true", item(`{"L":[{"N":"5"}]}`), []string{`"i" "5" null 1`}},
		{"", item(`{"SS":["b","\u0061","B","ä"]}`), []string{`"i" "\"B\"" null 1`, `"i" "\"\\u0061\"" null 2`, `"i" "\"b\"" null 3`, `"i" "\"ä\"" null 4`}},
		{"", item(`{"NS":["10","9","-1","1e1000","0.5"]}`), []string{`"i" "-1" null 1`, `"i" "0.5" null 2`, `"i" "9" null 3`, `"i" "10" null 4`, `"i" "1e1000" null 5`}},
		{"", item(`{"BS":["/w==","AA=="]}`), []string{`"i" "\"AA==\"" null 1`, `"i" "\"/w==\"" null 2`}},
	} {
		u := compiled(t, table(c.more))
		b := mapAll(t, u, everything(u), records(cdcFormat, insert(c.item)))
		for i := range c.want {
			c.want[i] = "0 upsert " + c.want[i]
		}
		equal(t, c.more+" "+c.item, dump(b, "t"), c.want...)
		if len(b.Changes) != 1 {
			t.Errorf("%s: %d changes, %q", c.item, len(b.Changes), letters(b))
		}
	}
}

func TestOuterDeletes(t *testing.T) {
	u := compiled(t, `tables: {t: {key: [id, pos], explode: {from: l, as: e, outer: true, ordinal: pos}, columns: {id: {}, e: {}}}}`)
	item := func(list string) string { return `{"id":{"S":"i"},"l":{"L":[` + list + `]}}` }
	b := mapAll(t, u, everything(u), records(cdcFormat,
		change("MODIFY", item(`{"S":"x"},{"S":"y"}`), item("")),
		change("MODIFY", item(""), item(`{"S":"x"},{"S":"y"}`)),
		change("MODIFY", item(`{"S":"x"}`), item(`{"S":"x"},{"S":"y"}`)),
	))
	equal(t, "rows", dump(b, "t"),
		`0 delete "i" null 0`, `0 upsert "i" "x" 1`, `0 upsert "i" "y" 2`,
		`1 delete "i" "x" 1`, `1 delete "i" "y" 2`, `1 upsert "i" null 0`,
		`2 delete "i" "y" 2`, `2 upsert "i" "x" 1`)
}

func TestKeysOfEveryType(t *testing.T) {
	values := map[string][2]string{
		"string": {`{"S":"a"}`, `{"S":"b"}`}, "bool": {`{"BOOL":true}`, `{"BOOL":false}`}, "int64": {`{"N":"1"}`, `{"N":"2"}`},
		"double": {`{"N":"0"}`, `{"N":"0.1"}`}, "decimal(30,2)": {`{"N":"1"}`, `{"N":"18446744073709551616"}`}, "date": {`{"S":"2022-01-01"}`, `{"S":"2022-01-02"}`},
		"timestamp": {`{"S":"2022-01-01T00:00:00Z"}`, `{"S":"2022-01-01T00:00:00.1Z"}`}, "binary": {`{"B":"AA=="}`, `{"B":"/w=="}`}, "json": {`{"L":[]}`, `{"M":{}}`},
	}
	for typ, v := range values {
		u := compiled(t, fmt.Sprintf("tables: {t: {key: [k], explode: {from: l, as: e}, columns: {k: {from: e, type: '%s'}}}}", typ))
		item := func(elements ...string) string { return `{"l":{"L":[` + strings.Join(elements, ",") + `]}}` }
		b := mapAll(t, u, everything(u), records(cdcFormat,
			insert(item(v[0], v[1])), insert(item(v[0], v[0])), change("MODIFY", item(v[1]), item(v[0], v[1]))))
		rows := dump(b, "t")
		if len(rows) != 4 || len(b.DeadLetters) != 1 || b.DeadLetters[0].Reason != pipeline.ReasonDuplicateKey ||
			!strings.HasPrefix(rows[2], "2 delete") || strings.TrimPrefix(rows[2], "2 delete") != strings.TrimPrefix(rows[0], "0 upsert") {
			t.Errorf("%s: %q %q", typ, rows, letters(b))
		}
	}
	u := compiled(t, `tables: {t: {key: [k], explode: {from: l, as: e}, columns: {k: {from: e, type: double}}}}`)
	b := mapAll(t, u, everything(u), records(cdcFormat, insert(`{"l":{"L":[{"N":"0"},{"N":"-0.0"}]}}`)))
	if len(b.DeadLetters) != 1 {
		t.Error("0 and -0 are two keys")
	}
}

func TestLargeItems(t *testing.T) {
	u := compiled(t, `tables: {t: {key: [id, k], explode: {from: l, as: e, ordinal: n}, columns: {id: {}, k: {from: e.k}, blob: {}}}}`)
	element := func(i int) string { return fmt.Sprintf(`{"M":{"k":{"S":"%d"}}}`, i) }
	var many []string
	for i := range 15_000 {
		many = append(many, element(i))
	}
	item := func(blob int, elements []string) string {
		return `{"id":{"S":"i"},"blob":{"S":"` + strings.Repeat("x", blob) + `"},"l":{"L":[` + strings.Join(elements, ",") + `]}}`
	}
	big := item(10, many)
	b := mapAll(t, u, everything(u), records(cdcFormat,
		insert(big), change("MODIFY", item(10, many[100:]), big),
		insert(item(10, append(many[:len(many):len(many)], element(7)))), insert(item(400_000, many[:1000])), insert(item(400_000, nil))))
	if rows := b.Tables[0]; len(rows.Ops) != 15_000+15_000 || rows.Ops[15_000] != pipeline.OpDelete || rows.Ops[15_100] != pipeline.OpUpsert {
		t.Errorf("%d rows", len(rows.Ops))
	}
	if got := letters(b); len(got) != 2 || !strings.HasPrefix(got[0], "duplicate_key: ") || !strings.HasPrefix(got[1], "too_large: ") {
		t.Errorf("dead letters %.300q", got)
	}
}

// TestBatchesAreIndependent reads batches after later ones have been made, by
// several mappers at once.
func TestBatchesAreIndependent(t *testing.T) {
	u := compiled(t, shopTables)
	errs := make(chan error)
	for range 3 {
		go func() {
			m := u.NewMapper(everything(u))
			var batches []*pipeline.Batch
			for i := range 20 {
				r := records(cdcFormat, insert(customer(fmt.Sprintf("CUST#%d", i), "A", "1")), insert(order("n", fmt.Sprintf("p:%d", i))))
				b, err := m.Map(context.Background(), r)
				if err != nil {
					errs <- err
					return
				}
				batches = append(batches, b)
			}
			for i, b := range batches {
				if got, want := dump(b, "customer")[0], fmt.Sprintf(`0 upsert "%d" "A" 1`, i); got != want {
					errs <- fmt.Errorf("got %s, want %s", got, want)
					return
				}
				b.Release()
			}
			errs <- nil
		}()
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// TestShownValues: a message shows a text as people read it, whatever escapes the
// record has, and a document in one line.
func TestShownValues(t *testing.T) {
	u := compiled(t, "tables: {a: {key: [id], columns: {id: {}, n: {type: int64}}}}")
	for value, want := range map[string]string{
		`{"S":"caf\u00e9"}`:                            `"café" is not a number`,
		`{"S":"say \"a\\b\"\n"}`:                       `"say \"a\\b\"\n" is not a number`,
		`{"S":"\ud83d\ude00"}`:                         `"😀" is not a number`,
		`{"N":"1.5"}`:                                  `"1.5" has more fraction digits`,
		`{"BOOL":true}`:                                `"true" is not a text or a number`,
		`{"B":"YQ=="}`:                                 `"YQ==" is a binary, which only the type json takes`,
		"{\"M\":{\"x\":\n {\"S\":\"café\"}}}":          `{"x":"café"} is a map, which only the type json takes`,
		`{"SS":["b","a"]}`:                             `["a","b"] is a string set, which only the type json takes`,
		`{"S":"` + strings.Repeat(`\u00e9`, 90) + `"}`: `"` + strings.Repeat("é", shownBytesMax/2) + `…" is not a number`,
	} {
		b := mapAll(t, u, everything(u), records(cdcFormat, change("INSERT", `{"id":{"S":"1"},"n":`+value+`}`, "")))
		equal(t, value, letters(b), "bad_value: table a, column n (int64): "+want)
	}
}
