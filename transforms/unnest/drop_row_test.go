package unnest

import (
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

func TestDropRow(t *testing.T) {
	u := compiled(t, `
tables:
	line:
		explode: {from: lines, as: l}
		key: [id, sku]
		columns: {id: {}, n: {from: l.n, type: int64, on_error: drop_row}, sku: {from: l.sku, on_error: drop_row}, m: {from: l.m, type: int64}}
	item:
		key: [id]
		columns: {id: {}, age: {type: int64}}`)
	line := func(sku, n string) string { return `{"M":{"sku":` + sku + `,"n":` + n + `}}` }
	image := func(lines string) string { return `{"id":{"S":"1"},"lines":{"L":[` + lines + `]}}` }
	good, bad, null := line(`{"S":"p"}`, `{"N":"1"}`), line(`{"S":"q"}`, `{"S":"x"}`), line(`{"NULL":true}`, `{"N":"3"}`)
	b := mapAll(t, u, everything(u), records(cdcFormat,
		insert(image(good+","+bad+","+null)),
		change("MODIFY", image(bad), image(good+","+bad)),
		change("MODIFY", image(good), image(line(`{"S":"p"}`, `{"S":"x"}`)+","+line(`{"S":"q"}`, `{"N":"2"}`)+","+bad)), // q was there by its first element
		change("MODIFY", image(""), image(bad+","+line(`{"S":"q"}`, `{"N":"2"}`))),                                      // and by its second one
		insert(`{"id":{"S":"1"},"lines":{"L":[`+bad+`]},"age":{"S":"old"}}`)))
	equal(t, "line", dump(b, "line"), `0 upsert "1" 1 "p" null`, `1 delete "1" 1 "p" null`,
		`2 delete "1" 2 "q" null`, `2 upsert "1" 1 "p" null`, `3 delete "1" 2 "q" null`)
	equal(t, "letters", letters(b),
		`bad_value: table line, column n (int64): "x" is not a number, element 2`,
		`null_key: table line, column sku: null in the key, element 3`,
		`bad_value: table line, column n (int64): "x" is not a number, element 1`,
		`bad_value: table item, column age (int64): "old" is not a number`)
	var rows []string
	for i, d := range b.DeadLetters {
		if first := i == 0 || b.DeadLetters[i-1].At != d.At; first != (len(d.Record) > 0) {
			t.Errorf("letter %d has %d bytes of its record", i, len(d.Record))
		}
		if d.Row != nil {
			rows = append(rows, d.Row.Table+" "+d.Row.Element)
		}
	}
	equal(t, "rows", rows, "line 2", "line 3", "line 1")
	if len(b.Changes) != 4 || b.DeadLetters[0].Reason != pipeline.ReasonBadValue {
		t.Errorf("%d changes", len(b.Changes))
	}
}
