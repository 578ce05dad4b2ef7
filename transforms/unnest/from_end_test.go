package unnest

import (
	"strings"
	"testing"
)

// A path counts from the end of a list wherever it stands.
func TestPathsFromTheEnd(t *testing.T) {
	u := compiled(t, `
tables:
	t:
		where: {"events[-1].kind": [paid]}
		columns:
			last: {from: "events[-1].at"}
			before: {from: "events[-2].at"}
			none: {from: "events[-3].at"}
			computed: {expr: "events[-1].at + tags[-1]"}
			deep: {from: "m[-1][-2]"}
	line:
		where: {"events[-1].kind": [paid]}
		explode: {from: "events[-1].lines", as: l}
		columns: {sku: {from: "l[-1]"}}
unmatched: ignore`)
	b := mapAll(t, u, everything(u), records(cdcFormat,
		insert(`{"events":{"L":[{"M":{"kind":{"S":"new"},"at":{"S":"a"}}},{"M":{"kind":{"S":"paid"},"at":{"S":"b"},"lines":{"L":[{"L":[{"S":"x"},{"S":"y"}]}]}}}]},`+
			`"tags":{"SS":["q","p"]},"m":{"L":[{"L":[]},{"L":[{"N":"1"},{"N":"2"}]}]}}`),
		insert(`{"events":{"L":[{"M":{"kind":{"S":"paid"}}},{"M":{"kind":{"S":"new"}}}]}}`)))
	equal(t, "t", dump(b, "t"), `0 upsert "b" "a" null "bq" "1"`)
	equal(t, "line", dump(b, "line"), `0 upsert "y"`)
	equal(t, "letters", letters(b))
}

// TestLineageFromTheEnd: what an expression has by an index from the end is a path as from has it: of that alone is
// its value made, and of that alone is it masked.
func TestLineageFromTheEnd(t *testing.T) {
	u := compiled(t, `
tables:
	t:
		columns:
			card: {from: "items[-1].card", mask: true}
			price: {expr: "items[-1].price * 2 + (items[-10].qty ?? 0)", type: int64}
			text: {expr: "name[-1]"}
			minus: {expr: "(items[- -1].price ?? 0) - 1", type: int64}
unmatched: ignore`)
	u.Mask(u.Masked())
	table := u.Tables()[0]
	for i, want := range map[int]string{1: "items[-1].price items[-10].qty", 2: "name[-1]", 3: "items"} {
		var have []string
		for _, in := range u.Lineage(table).Columns[i].Inputs {
			have = append(have, in.Attribute)
		}
		if got := strings.Join(have, " "); got != want {
			t.Errorf("%s is made of %s, want %s", table.Columns[i].Name, got, want)
		}
	}
	if table.Columns[1].Masked {
		t.Error("what stands beside a masked value is masked")
	}
	b := mapAll(t, u, everything(u), records(cdcFormat, insert(`{"items":{"L":[{"M":{"price":{"N":"3"}}},{"M":{"card":{"S":"c"},"price":{"N":"5"}}}]},"name":{"S":"Köl"}}`)))
	equal(t, "t", dump(b, "t"), `0 upsert "c" 10 "l" 4`)
}
