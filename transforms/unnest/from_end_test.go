package unnest

import "testing"

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
