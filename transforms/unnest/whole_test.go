package unnest

import (
	"strings"
	"testing"
)

func TestItemAndRest(t *testing.T) {
	u := compiled(t, `
tables:
	t:
		where: {kind: [a]}
		key: [id]
		columns:
			id: {from: PK, after: "A#"}
			city: {from: address.city}
			zip: {from: [address.zip, zip]}
			first: {from: "tags[0]"}
			doubled: {expr: "n * 2", type: int64}
			half: {from: m, expr: "value / 2", type: double}
			all: {from: $item}
			rest: {from: $rest}
			size: {from: $item, expr: "len(keys(value))", type: int64}
	line:
		where: {kind: [a]}
		explode: {from: lines, as: l}
		columns: {sku: {from: l.sku}, rest: {from: $rest, type: json}}`)
	const image = `{"PK":{"S":"A#1"},"kind":{"S":"a"},"address":{"M":{"city":{"S":"Rome"},"zip":{"S":"1"}}},"tags":{"L":[{"S":"x"}]},"n":{"N":"2.0"},"m":{"N":"3"},` +
		`"lines":{"L":[{"M":{"sku":{"S":"p"}}},{"M":{"sku":{"S":"q"}}}]}}`
	b := mapAll(t, u, everything(u), records(cdcFormat, insert(image), change("REMOVE", "", image)))
	const all = `"{\"PK\":\"A#1\",\"kind\":\"a\",\"address\":{\"city\":\"Rome\",\"zip\":\"1\"},\"tags\":[\"x\"],\"n\":2.0,\"m\":3,\"lines\":[{\"sku\":\"p\"},{\"sku\":\"q\"}]}"`
	const rest = `"{\"kind\":\"a\",\"tags\":[\"x\"],\"n\":2.0,\"lines\":[{\"sku\":\"p\"},{\"sku\":\"q\"}]}"`
	row := `"1" "Rome" "1" "x" 4 1.5 ` + all + " " + rest + " 7"
	equal(t, "t", dump(b, "t"), "0 upsert "+row, "1 delete "+row)
	const ofLine = ` "{\"PK\":\"A#1\",\"kind\":\"a\",\"address\":{\"city\":\"Rome\",\"zip\":\"1\"},\"tags\":[\"x\"],\"n\":2.0,\"m\":3}"`
	equal(t, "line", dump(b, "line"), `0 upsert "p"`+ofLine, `0 upsert "q"`+ofLine)
	equal(t, "letters", letters(b))
}

// A change that shows the key only has no more in its documents.
func TestItemOfAKey(t *testing.T) {
	u := compiled(t, "tables: {t: {key: [PK], columns: {PK: {}, all: {from: $item}, rest: {from: $rest}}}}")
	b := mapAll(t, u, everything(u), records(cdcFormat, change("REMOVE", "", "")))
	equal(t, "t", dump(b, "t"), `0 delete "k" "{\"PK\":\"k\"}" "{}"`)
}

func TestPlainItem(t *testing.T) {
	u := compiled(t, "tables: {t: {columns: {after: {from: after.id}, rest: {from: $rest}}}}")
	b := mapAll(t, u, appends(u), records(jsonFormat, `{"after": {"id": 1, "n": 1e2}, "op": "c"}`))
	equal(t, "t", dump(b, "t"), `0 upsert "1" "{\"after\":{\"n\":1e2},\"op\":\"c\"}"`)
}

func TestMasksHideWholes(t *testing.T) {
	u := compiled(t, "tables: {t: {columns: {id: {}, pin: {mask: true}, rest: {from: $rest}}}, other: {columns: {all: {from: $item}}}, one: {columns: {id: {}}}}")
	for table, want := range map[string]string{"t": "false true true", "other": "true", "one": "false"} {
		var got []string
		for _, o := range u.Tables() {
			for i := range o.Columns {
				if o.Name == table {
					got = append(got, map[bool]string{false: "false", true: "true"}[o.Columns[i].Masked])
				}
			}
		}
		equal(t, table, got, strings.Fields(want)...)
	}
	u = compiled(t, "tables: {t: {columns: {id: {}, all: {from: $item, mask: true}}}}")
	if shown := string(u.ShowRecord(cdcFormat, []byte(insert(`{"id":{"S":"x y"}}`)))); strings.Contains(shown, "x y") {
		t.Errorf("shown as %s", shown)
	}
	if u = compiled(t, "tables: {t: {columns: {id: {}, all: {from: $item}}}}"); u.Masks() || u.Tables()[0].Columns[1].Masked {
		t.Error("the item is masked, and nothing of it is")
	}
}
