package unnest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
)

func TestExplodeOfMaps(t *testing.T) {
	u := compiled(t, `
tables:
	address:
		explode: {from: addresses, as: a, ordinal: n}
		key: [id, label]
		columns: {id: {}, label: {from: a.key}, street: {from: a.street}, inside: {from: a.key.x}, upper: {expr: "a.key + '!'"}}
	named:
		explode: {from: addresses, as: a, key: label}
		key: [id, label]
		columns: {id: {}, label: {}, own: {from: a.key, type: json}}
	count:
		explode: {from: counts, as: c, outer: true}
		key: [id, day]
		columns: {id: {}, day: {expr: "c.key ?? '-'"}, n: {from: c, type: int64}}`)
	image := func(addresses, counts string) string {
		return `{"id":{"S":"1"},"addresses":{"M":{` + addresses + `}},"counts":{"M":{` + counts + `}}}`
	}
	const home, work = `"home":{"M":{"street":{"S":"A"},"key":{"S":"mine"}}}`, `"a\u0062c":{"M":{"street":{"S":"B"},"key":{"M":{"x":{"S":"y"}}}}}`
	b := mapAll(t, u, everything(u), records(cdcFormat,
		insert(image(home+","+work, `"d2":{"N":"2"},"d1":{"N":"1"}`)),
		change("MODIFY", image(home, ""), image(work+","+home, `"d2":{"N":"2"}`)),
		insert(image(home+`,"h\u006fme":{"M":{}}`, "")),
		insert(image(home+`,"x":{"S":"flat"}`, `"d":{"S":"bad"}`))))
	equal(t, "address", dump(b, "address"),
		`0 upsert "1" "abc" "B" null "abc!" 1`, `0 upsert "1" "home" "A" null "home!" 2`,
		`1 delete "1" "abc" "B" null "abc!" 1`, `1 upsert "1" "home" "A" null "home!" 1`)
	equal(t, "named", dump(b, "named"), `0 upsert "1" "abc" "{\"x\":\"y\"}"`, `0 upsert "1" "home" "\"mine\""`,
		`1 delete "1" "abc" "{\"x\":\"y\"}"`, `1 upsert "1" "home" "\"mine\""`)
	equal(t, "count", dump(b, "count"), `0 upsert "1" "d1" 1`, `0 upsert "1" "d2" 2`, `1 delete "1" "d2" 2`, `1 upsert "1" "-" null`)
	equal(t, "letters", letters(b), `bad_record: table address: name "home" twice in one map at byte 234`,
		`bad_value: table count, column n (int64): "bad" is not a number, element "d"`)
	// What was refused when it was new has no rows when it is old.
	b = mapAll(t, u, everything(u), records(cdcFormat, change("MODIFY", image(home, ""), image(work+","+home+`,"h\u006fme":{"M":{}}`, ""))))
	equal(t, "address after a broken one", dump(b, "address"), `0 upsert "1" "home" "A" null "home!" 1`)
	equal(t, "letters after a broken one", letters(b))
}

// TestKeyColumns: a key that has a name is a column as an ordinal is, at each level, unless
// one of the columns has the name; and it may stand for what lists have of their own.
func TestKeyColumns(t *testing.T) {
	u := compiled(t, `
tables:
	stock:
		explode: {from: sizes, as: s, key: size, ordinal: n, explode: {from: s, as: c, key: color}}
		key: [id, size, color]
		columns: {id: {}, units: {from: c, type: int64}}
	other:
		explode: {from: sizes, as: s, key: size, outer: true}
		key: [id, size]
		columns: {id: {}, size: {expr: "size ?? '-'"}}
	mixed:
		explode: {from: parts, as: p, key: k}
		key: [id, name]
		columns: {id: {}, name: {from: [k, p.name]}, upper: {from: [p.name, k], expr: "upper(value)"}, k: {from: p.name}}`)
	b := mapAll(t, u, everything(u), records(cdcFormat,
		insert(`{"id":{"S":"1"},"sizes":{"M":{"S":{"M":{"red":{"N":"1"}}},"M":{"M":{"red":{"N":"2"},"blue":{"N":"3"}}}}},"parts":{"M":{"x":{"M":{}}}}}`),
		insert(`{"id":{"S":"2"},"parts":{"L":[{"M":{"name":{"S":"y"}}}]}}`)))
	equal(t, "stock", dump(b, "stock"), `0 upsert "1" 3 1 "M" "blue"`, `0 upsert "1" 2 1 "M" "red"`, `0 upsert "1" 1 2 "S" "red"`)
	equal(t, "other", dump(b, "other"), `0 upsert "1" "M"`, `0 upsert "1" "S"`, `1 upsert "2" "-"`)
	equal(t, "mixed", dump(b, "mixed"), `0 upsert "1" "x" "X" null`, `1 upsert "2" "y" "Y" "y"`)
	equal(t, "letters", letters(b))
}

// TestKeysOfSomeLevels: a key that tells the elements of one level apart, and not those of the other, may stand twice
// in an item.
func TestKeysOfSomeLevels(t *testing.T) {
	const explode = `explode: {from: boxes, as: box, ordinal: b, explode: {from: box, as: part, ordinal: p}}`
	u := compiled(t, `
tables:
	inner: {`+explode+`, key: [id, p], columns: {id: {}}}
	outer: {`+explode+`, key: [id, b], columns: {id: {}}}
	both: {`+explode+`, key: [id, b, p], columns: {id: {}}}`)
	image := func(boxes string) string { return `{"id":{"S":"1"},"boxes":{"L":[` + boxes + `]}}` }
	const one, two = `{"L":[{"S":"x"}]}`, `{"L":[{"S":"x"},{"S":"y"}]}`
	for _, table := range []string{"inner", "outer", "both"} {
		needs := pipeline.Needs{Tables: map[string]bool{table: true}}
		b := mapAll(t, u, needs, records(cdcFormat, insert(image(one)), insert(image(one+","+one)), insert(image(two)), insert(image(two+","+two))))
		want := map[string][]string{
			"inner": {"duplicate_key: table inner: two rows of the item have one key, element 2.1", "duplicate_key: table inner: two rows of the item have one key, element 2.1"},
			"outer": {"duplicate_key: table outer: two rows of the item have one key, element 1.2", "duplicate_key: table outer: two rows of the item have one key, element 1.2"},
		}
		equal(t, table, letters(b), want[table]...)
	}
}

// TestExplodeOfSets: the elements of a set come sorted, and they and their ordinal have the types that targets want.
func TestExplodeOfSets(t *testing.T) {
	u := compiled(t, `
tables:
	size:
		explode: {from: sizes, as: size, ordinal: n}
		key: [id, n]
		columns: {id: {}, n: {type: int32}, size: {type: int32, on_error: drop_row}, text: {from: size, type: varchar(3), on_error: "null"}, whole: {from: sizes, type: list(int64)}}
	owner:
		explode: {from: owners, as: owner}
		key: [owner]
		columns: {owner: {type: uuid}}`)
	image := func(sizes, owners string) string {
		return `{"id":{"S":"1"},"sizes":{"NS":[` + sizes + `]},"owners":{"SS":[` + owners + `]}}`
	}
	const one, two = `"123E4567-E89B-12D3-A456-426614174000"`, `"00000000-0000-0000-0000-000000000000"`
	b := mapAll(t, u, everything(u), records(cdcFormat,
		insert(image(`"1000","-2","30"`, one+","+two)),
		change("MODIFY", image(`"1","2147483648"`, one), image(`"1","2"`, one+","+two))))
	equal(t, "size", dump(b, "size"), `0 upsert "1" 1 -2 "-2" "[-2,30,1000]"`, `0 upsert "1" 2 30 "30" "[-2,30,1000]"`, `0 upsert "1" 3 1000 null "[-2,30,1000]"`,
		`1 delete "1" 2 2 "2" "[1,2]"`, `1 upsert "1" 1 1 "1" "[1,2147483648]"`)
	equal(t, "owner", dump(b, "owner"), `0 upsert "00000000-0000-0000-0000-000000000000"`, `0 upsert "123e4567-e89b-12d3-a456-426614174000"`,
		`1 delete "00000000-0000-0000-0000-000000000000"`, `1 upsert "123e4567-e89b-12d3-a456-426614174000"`)
	equal(t, "letters", letters(b), `bad_value: table size, column size (int32): "2147483648" is out of range, element 2`)
	for _, typ := range []string{"double", "decimal(3,0)", "string"} {
		if _, err := New("items", readConfig(t, "tables: {t: {explode: {from: l, as: e, ordinal: n}, columns: {n: {type: '"+typ+"'}}}}")); err != nil {
			t.Errorf("an ordinal of %s: %v", typ, err)
		}
	}
}

func TestExplodeOnError(t *testing.T) {
	for onError, want := range map[string][]string{
		"dead_letter": {"bad_value: table t: explode of l wants a list, a set or a map, not a string"},
		"null":        {},
		"row":         {`0 upsert "1" null 0`},
		"fail":        {"bad_value: table t: explode of l wants a list, a set or a map, not a string"},
	} {
		for _, outer := range []bool{false, true} {
			u := compiled(t, fmt.Sprintf("tables: {t: {explode: {from: l, as: e, ordinal: n, outer: %t, on_error: '%s'}, key: [id, n], columns: {id: {}, e: {}}}}", outer, onError))
			b, err := u.NewMapper(everything(u)).Map(t.Context(), records(cdcFormat, insert(`{"id":{"S":"1"},"l":{"S":"x"}}`)))
			if (err != nil) != (onError == "fail") {
				t.Fatalf("%s: %v", onError, err)
			}
			if err != nil {
				continue
			}
			if onError == "null" && outer {
				want = []string{`0 upsert "1" null 0`}
			}
			equal(t, onError, append(dump(b, "t"), letters(b)...), want...)
			b.Release()
		}
	}
}

// What a message says of an element: where it is in each level.
func TestMessagesNameElements(t *testing.T) {
	const tables = `tables: {t: {explode: {from: m, as: a, explode: {from: a.l, as: b}}, columns: {n: {from: b.n, type: int64%s}}}}`
	const image = `{"m":{"M":{"x":{"M":{}},"y z":{"M":{"l":{"L":[{"M":{"n":{"N":"1"}}},{"M":{"n":{"S":"one"}}}]}}}}}}`
	for mask, want := range map[string]string{
		"":             `bad_value: table t, column n (int64): "one" is not a number, element "y z".2`,
		", mask: true": `bad_value: table t, column n (int64): a masked value is not a number, element 2.2`,
	} {
		u := compiled(t, fmt.Sprintf(tables, mask))
		b := mapAll(t, u, everything(u), records(cdcFormat, insert(image)))
		equal(t, "letters", letters(b), want)
		if mask != "" && strings.Contains(string(u.ShowRecord(cdcFormat, []byte(insert(image)))), "one") {
			t.Error("the record shows a masked value")
		}
	}
}

// TestMaskedKeys: a masked column that has the keys of a map hides the map, of which they are a part.
func TestMaskedKeys(t *testing.T) {
	u := compiled(t, "tables: {t: {explode: {from: m, as: a, key: name}, key: [id, name], columns: {id: {}, name: {mask: true}, n: {from: a.n}}}}")
	shown := string(u.ShowRecord(cdcFormat, []byte(insert(`{"id":{"S":"seen"},"m":{"M":{"secret":{"M":{"n":{"N":"1"}}}}}}`))))
	if strings.Contains(shown, "secret") || !strings.Contains(shown, "seen") {
		t.Error(shown)
	}
}

// The model: levels are unnested one after the other, of plain values.

type modelLevel struct {
	outer, named, deep bool // deep: the list is below in, not the element itself
	onError            string
}

func drawLevels(t *rapid.T) []modelLevel {
	levels := make([]modelLevel, rapid.IntRange(1, 3).Draw(t, "levels"))
	for i := range levels {
		levels[i] = modelLevel{
			outer: rapid.Bool().Draw(t, "outer"), named: rapid.Bool().Draw(t, "named"), deep: rapid.Bool().Draw(t, "deep"),
			onError: rapid.SampledFrom([]string{onErrorDeadLetter, onErrorNull, onErrorRow}).Draw(t, "on error"),
		}
	}
	return levels
}

// modelTables is the configuration of a table t with a row of each element of the last level.
func modelTables(levels []modelLevel) string {
	explode, closing, columns, key := "", "", "id: {}", "id"
	for i, l := range levels {
		from := "v"
		if i > 0 {
			from = fmt.Sprintf("a%d", i-1)
		}
		if i > 0 && l.deep {
			from += ".in"
		}
		explode += fmt.Sprintf("explode: {from: %s, as: a%d, ordinal: n%d, outer: %t, on_error: '%s'", from, i, i, l.outer, l.onError)
		if l.named {
			explode += fmt.Sprintf(", key: m%d", i)
			columns += fmt.Sprintf(", m%d: {}", i)
		}
		explode, closing = explode+", ", "}"+closing
		columns += fmt.Sprintf(", k%d: {from: a%d.key}, t%d: {from: a%d.t}, n%d: {}", i, i, i, i, i)
		key += fmt.Sprintf(", n%d", i)
	}
	return fmt.Sprintf("tables: {t: {%s%s, key: [%s], columns: {%s}}}", strings.TrimSuffix(explode, ", "), closing, key, columns)
}

// drawNested draws something to unnest, mostly.
func drawNested(t *rapid.T, depth int) any {
	kind := rapid.IntRange(0, 9).Draw(t, "kind")
	if depth == 0 && kind > 3 {
		kind = 1
	}
	switch {
	case kind == 0:
		return nil
	case kind <= 2:
		return "text"
	case kind == 3:
		return set{"p", "q"}[:rapid.IntRange(1, 2).Draw(t, "set")]
	case kind <= 6:
		list := []any{}
		for range rapid.IntRange(0, 2).Draw(t, "list") {
			list = append(list, drawNested(t, depth-1))
		}
		return list
	}
	m := item{}
	for _, name := range []string{"t", "key", "in", "z"} {
		if rapid.IntRange(0, 2).Draw(t, name) == 0 {
			continue
		}
		if m[name] = any("text of " + name); name == "in" || name == "z" {
			m[name] = drawNested(t, depth-1)
		}
	}
	return m
}

type modelElement struct {
	key   any
	value any
}

// modelElements are the elements of a value; false = it has none by its kind.
func modelElements(v any) (all []modelElement, ok bool) {
	switch v := v.(type) {
	case nil:
	case set, []any:
		for _, e := range elementsOf(v) {
			all = append(all, modelElement{nil, e})
		}
	case item:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			all = append(all, modelElement{k, v[k]})
		}
	default:
		return nil, false
	}
	return all, true
}

// modelRows unnests v by the levels; the cells before are those of the levels around.
// Of an old image, what has no elements has no rows.
func modelRows(levels []modelLevel, v any, before []string, old bool) (rows []string, bad bool) {
	if len(levels) == 0 {
		return []string{strings.Join(before, " ")}, false
	}
	l := levels[0]
	all, ok := modelElements(v)
	switch {
	case !ok && l.onError == onErrorDeadLetter:
		return nil, !old
	case len(all) == 0 && (l.outer || !ok && l.onError == onErrorRow):
		for _, l := range levels {
			before = append(before, modelCells(l, modelElement{}, 0)...)
		}
		return []string{strings.Join(before, " ")}, false
	}
	for i, e := range all {
		inner := e.value
		if len(levels) > 1 && levels[1].deep {
			m, _ := inner.(item)
			inner = m["in"]
		}
		more, wrong := modelRows(levels[1:], inner, slices.Concat(before, modelCells(l, e, i+1)), old)
		if wrong {
			return nil, true
		}
		rows = append(rows, more...)
	}
	return rows, false
}

func modelCells(l modelLevel, e modelElement, ordinal int) (cells []string) {
	m, _ := e.value.(item)
	key, own := e.key, m["key"]
	if l.named {
		text, _ := textOf(key)
		cells = append(cells, text)
	} else if key != nil {
		own = key
	}
	k, _ := textOf(own)
	text, _ := textOf(m["t"])
	return append(cells, k, text, fmt.Sprint(ordinal))
}

// modelKey returns the ordinals of a row.
func modelKey(levels []modelLevel, row string) (key string) {
	cells := strings.Split(strings.ReplaceAll(row, "text of ", "text_of_"), " ")
	at := 0
	for _, l := range levels {
		at += 3
		if l.named {
			at++
		}
		key += "." + cells[at-1]
	}
	return key
}

func TestExplodeAgainstTheModel(test *testing.T) {
	rapid.Check(test, func(t *rapid.T) {
		levels := drawLevels(t)
		u, err := New("items", readConfig(test, modelTables(levels)))
		if err != nil {
			t.Fatal(err)
		}
		image := func(v any) string { return encodeItem(t, item{"id": "1", "v": v}) }
		now, was := drawNested(t, 4), drawNested(t, 4)
		rows, bad := modelRows(levels, now, nil, false)
		old, _ := modelRows(levels, was, nil, true)
		var want []string
		for _, row := range old {
			if !slices.ContainsFunc(rows, func(n string) bool { return modelKey(levels, n) == modelKey(levels, row) }) {
				want = append(want, `0 delete "1" `+row)
			}
		}
		for _, row := range rows {
			want = append(want, `0 upsert "1" `+row)
		}
		if bad {
			want = nil
		}
		line := change("MODIFY", image(now), image(was))
		b, err := u.NewMapper(everything(u)).Map(t.Context(), records(cdcFormat, line))
		if err != nil {
			t.Fatal(err)
		}
		if got := dump(b, "t"); !slices.Equal(got, want) || bad != (len(b.DeadLetters) == 1) || bad && b.DeadLetters[0].Reason != pipeline.ReasonBadValue {
			t.Fatalf("%s\n%s\n got %s %s\nwant %s, bad %t", modelTables(levels), line, strings.Join(got, "\n     "), letters(b), strings.Join(want, "\n     "), bad)
		}
		b.Release()
	})
}
